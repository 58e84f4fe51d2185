/* Pixels of a drawing: lines, filling, and conversion. "Exact" lines have no colours but their own: hard edges. */

const ALIKE = 40; // greatest difference in levels of a channel between pixels that are filled together

/* A function of points that draws a line through them. */
function strokeOf(context, colour, width, isExact) {
  let last = null;
  return (x, y) => {
    const from = last ?? [x, y];
    last = [x, y];
    if (isExact) exactLine(context, from, last, colour, width);
    else smoothLine(context, from, last, colour, width);
  };
}

function smoothLine(context, from, to, colour, width) {
  Object.assign(context, { strokeStyle: colour, lineWidth: width, lineCap: "round", lineJoin: "round" });
  context.beginPath();
  context.moveTo(...from);
  context.lineTo(...to);
  context.stroke();
}

/* Discs of whole pixels, one at each pixel of the way. */
function exactLine(context, [x0, y0], [x1, y1], colour, width) {
  const steps = Math.max(1, Math.ceil(Math.hypot(x1 - x0, y1 - y0)));
  context.fillStyle = colour;
  for (let i = 0; i <= steps; i++) disc(context, x0 + ((x1 - x0) * i) / steps, y0 + ((y1 - y0) * i) / steps, width / 2);
}

function disc(context, x, y, radius) {
  if (radius <= 1) {
    const side = Math.round(2 * radius);
    context.fillRect(Math.floor(x - (side - 1) / 2), Math.floor(y - (side - 1) / 2), side, side);
    return;
  }
  for (let row = Math.floor(y - radius); row <= y + radius; row++) {
    const half = Math.sqrt(Math.max(0, radius ** 2 - (row + 0.5 - y) ** 2));
    const left = Math.round(x - half),
      right = Math.round(x + half);
    if (right > left) context.fillRect(left, row, right - left, 1);
  }
}

/* Fills what touches a point and has its colour; up to ALIKE levels more or less, unless it is exact. */
function floodFill(context, x, y, colour, isExact) {
  const { width, height } = context.canvas;
  const image = context.getImageData(0, 0, width, height),
    pixels = image.data;
  const start =
    Math.min(height - 1, Math.max(0, Math.floor(y))) * width + Math.min(width - 1, Math.max(0, Math.floor(x)));
  const old = pixels.slice(4 * start, 4 * start + 3),
    ink = levels(colour);
  const most = isExact ? 0 : ALIKE;
  const seen = new Uint8Array(width * height);
  const alike = (at) => [0, 1, 2].every((i) => Math.abs(pixels[4 * at + i] - old[i]) <= most);
  const waiting = [start];
  seen[start] = 1;
  while (waiting.length) {
    const at = waiting.pop();
    const column = at % width;
    for (const [next, isInside] of [
      [at - 1, column > 0],
      [at + 1, column < width - 1],
      [at - width, at >= width],
      [at + width, at < width * (height - 1)],
    ]) {
      if (!isInside || seen[next] || !alike(next)) continue;
      seen[next] = 1;
      waiting.push(next);
    }
  }
  for (let at = 0; at < seen.length; at++) if (seen[at]) pixels.set(ink, 4 * at);
  context.putImageData(image, 0, 0);
}

/* Draws an image over the whole canvas, in its own proportions; sharp if its colours must stay. */
function cover(context, image, isExact) {
  const { width, height } = context.canvas;
  const from = [image.naturalWidth ?? image.width, image.naturalHeight ?? image.height];
  const scale = Math.max(width / from[0], height / from[1]);
  const [wide, high] = from.map((side) => side * scale);
  context.imageSmoothingEnabled = !isExact;
  context.imageSmoothingQuality = "high";
  context.drawImage(image, (width - wide) / 2, (height - high) / 2, wide, high);
}

/* Replaces each pixel by the nearest of some colours. */
function toColours(context, colours) {
  const { width, height } = context.canvas;
  const image = context.getImageData(0, 0, width, height),
    pixels = image.data,
    inks = colours.map(levels);
  const distance = (at, ink) => [0, 1, 2].reduce((sum, i) => sum + (pixels[at + i] - ink[i]) ** 2, 0);
  for (let at = 0; at < pixels.length; at += 4)
    pixels.set(
      inks.reduce((best, ink) => (distance(at, ink) < distance(at, best) ? ink : best)),
      at,
    );
  context.putImageData(image, 0, 0);
}

/* The canvas as a PNG file, with `stored` colours in place of `colours`, if these are given. */
function fileOf(canvas, colours, stored) {
  const source = stored ? recoloured(canvas, colours, stored) : canvas;
  const [, encoded] = source.toDataURL("image/png").split(","); // toBlob waits up to a second for the browser to be idle
  const bytes = Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
  return new File([bytes], "drawing.png", { type: "image/png" });
}

function recoloured(canvas, colours, stored) {
  const { width, height } = canvas;
  const image = canvas.getContext("2d").getImageData(0, 0, width, height),
    pixels = image.data;
  const values = new Map(colours.map((colour, i) => [levels(colour).join(), levels(stored[i])]));
  for (let at = 0; at < pixels.length; at += 4) {
    const value = values.get(pixels.slice(at, at + 4).join());
    if (value) pixels.set(value, at);
  }
  const copy = element("canvas", { width, height });
  copy.getContext("2d").putImageData(image, 0, 0);
  return copy;
}

/* [red, green, blue, 255] of "#rrggbb". */
function levels(colour) {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)).concat(255);
}
