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
  const image = context.getImageData(0, 0, width, height);
  const start =
    Math.min(height - 1, Math.max(0, Math.floor(y))) * width + Math.min(width - 1, Math.max(0, Math.floor(x)));
  const isFilled = connected(image, start, isExact ? 0 : ALIKE);
  const words = wordsOf(image),
    ink = wordOf(levels(colour));
  for (let at = 0; at < words.length; at++) if (isFilled[at]) words[at] = ink;
  context.putImageData(image, 0, 0);
}

/* A 1 for each pixel that is connected with `start` by pixels of its colour, up to `most` levels more or less; else 0. */
function connected({ data, width, height }, start, most) {
  const [red, green, blue] = data.subarray(4 * start, 4 * start + 3);
  const seen = new Uint8Array(width * height);
  const waiting = new Uint32Array(width * height); // a pixel waits once at most
  let count = 0;
  function visit(at) {
    if (seen[at]) return;
    const from = 4 * at;
    if (Math.abs(data[from] - red) > most) return;
    if (Math.abs(data[from + 1] - green) > most || Math.abs(data[from + 2] - blue) > most) return;
    seen[at] = 1;
    waiting[count++] = at;
  }
  visit(start);
  while (count) {
    const at = waiting[--count],
      column = at % width;
    if (column > 0) visit(at - 1);
    if (column < width - 1) visit(at + 1);
    if (at >= width) visit(at - width);
    if (at < width * (height - 1)) visit(at + width);
  }
  return seen;
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
    pixels = image.data;
  const words = wordsOf(image),
    inks = Int32Array.from(colours.flatMap((colour) => levels(colour).slice(0, 3))),
    inkWords = colours.map((colour) => wordOf(levels(colour)));
  let last = null, // neighbours often have one colour
    ink = 0;
  for (let at = 0; at < words.length; at++) {
    if (words[at] !== last) {
      last = words[at];
      ink = inkWords[nearestInk(inks, pixels[4 * at], pixels[4 * at + 1], pixels[4 * at + 2])];
    }
    words[at] = ink;
  }
  context.putImageData(image, 0, 0);
}

/* Replaces `stored` colours by `colours`, if the canvas has no others. */
function asSeen(context, colours, stored) {
  const { width, height } = context.canvas;
  const image = context.getImageData(0, 0, width, height),
    words = wordsOf(image);
  const values = new Map(stored.map((colour, i) => [wordOf(levels(colour)), wordOf(levels(colours[i]))]));
  if (!words.every((word) => values.has(word))) return;
  replaceWords(words, values);
  context.putImageData(image, 0, 0);
}

/* Which of some colours, [red, green, blue, red, ...], is the nearest; of several, the first. */
function nearestInk(inks, red, green, blue) {
  let best = 0,
    least = Infinity;
  for (let at = 0; at < inks.length; at += 3) {
    const reds = red - inks[at],
      greens = green - inks[at + 1],
      blues = blue - inks[at + 2];
    const distance = reds * reds + greens * greens + blues * blues;
    if (distance >= least) continue;
    least = distance;
    best = at / 3;
  }
  return best;
}

/* The canvas as a PNG file, with `stored` colours in place of `colours`, if these are given. */
function fileOf(canvas, colours, stored) {
  const source = stored ? recoloured(canvas, colours, stored) : canvas;
  const [, encoded] = source.toDataURL("image/png").split(","); // toBlob waits up to a second for the browser to be idle
  const text = atob(encoded),
    bytes = new Uint8Array(text.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = text.charCodeAt(at);
  return new File([bytes], "drawing.png", { type: "image/png" });
}

function recoloured(canvas, colours, stored) {
  const { width, height } = canvas;
  const image = canvas.getContext("2d").getImageData(0, 0, width, height);
  const values = new Map(colours.map((colour, i) => [wordOf(levels(colour)), wordOf(levels(stored[i]))]));
  replaceWords(wordsOf(image), values);
  const copy = element("canvas", { width, height });
  copy.getContext("2d").putImageData(image, 0, 0);
  return copy;
}

/* The pixels of an image, one number each, which `wordOf` gives for [red, green, blue, alpha]. */
function wordsOf(image) {
  return new Uint32Array(image.data.buffer);
}

function wordOf(pixel) {
  return new Uint32Array(Uint8Array.from(pixel).buffer)[0]; // in the order of bytes that this machine has
}

/* Replaces numbers that are keys of a Map by its values. */
function replaceWords(words, values) {
  let last = null,
    value = 0;
  for (let at = 0; at < words.length; at++) {
    if (words[at] !== last) {
      last = words[at];
      value = values.get(last) ?? last;
    }
    words[at] = value;
  }
}

/* [red, green, blue, 255] of "#rrggbb". */
function levels(colour) {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)).concat(255);
}
