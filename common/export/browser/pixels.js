/* Files to the pixels that a network takes, and pixels to canvases. An "end" is one end of a direction: the kind of its
images, { channels, values, colours }; `values` of classes in files and their `colours` only if they are label maps. */

class Refusal extends Error {}

const AS_STORED = { colorSpaceConversion: "none", premultiplyAlpha: "none" };

/* An image file, decoded; throws Refusal if it is not an image. */
async function decoded(file) {
  try {
    return await createImageBitmap(file, AS_STORED);
  } catch {
    throw new Refusal("This file cannot be read as an image by this browser: use PNG, JPEG, WebP, BMP or GIF.");
  }
}

/* [width, height] that is at most `most` pixels, in the proportions of an image; never more than its own size. */
function within(width, height, most) {
  const scale = Math.min(1, Math.sqrt(most / (width * height)));
  return [width, height].map((side) => Math.max(1, Math.floor(side * scale + 1e-6)));
}

/* A canvas of a size with an image on white; label maps keep their values, and must not be transparent. */
function scaled(image, [width, height], end) {
  const canvas = element("canvas", { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!end.values) {
    context.fillStyle = "#ffffff";
    context.fillRect(0, 0, width, height);
  }
  context.imageSmoothingEnabled = !end.values;
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, width, height);
  return canvas;
}

/* The pixels of a canvas for a network: { width, height, channels, pixels }; throws Refusal if they do not fit its end. */
function taken(canvas, end) {
  const { width, height } = canvas;
  const from = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  const pixels = new Uint8Array(width * height * end.channels);
  if (end.values) refuseUnlikeLabels(from, end);
  const isGrey = end.channels === 1,
    isStored = Boolean(end.values);
  for (let at = 0, to = 0; at < from.length; at += 4) {
    if (isGrey) {
      pixels[to++] = isStored ? from[at] : luminance(from, at);
      continue;
    }
    pixels[to++] = from[at];
    pixels[to++] = from[at + 1];
    pixels[to++] = from[at + 2];
  }
  return { width, height, channels: end.channels, pixels };
}

/* ITU-R BT.601, as in training; of two whole numbers that are equally near, the even one. */
function luminance(from, at) {
  const value = 0.299 * from[at] + 0.587 * from[at + 1] + 0.114 * from[at + 2];
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}

function refuseUnlikeLabels(from, end) {
  for (let at = 0; at < from.length; at += 4) {
    if (from[at + 3] !== 255)
      throw new Refusal(
        "This image has transparent pixels, of which browsers change the values: a label map must be opaque.",
      );
    if (end.channels === 1 && (from[at] !== from[at + 1] || from[at] !== from[at + 2]))
      throw new Refusal(
        "This image has colours, but the label maps of this network are grey: a pixel is the number of its class.",
      );
  }
}

/* A canvas with what a network gave; of label maps with `isShown`, in the colours of their classes. */
function painted({ width, height, channels, pixels }, end, isShown) {
  const canvas = element("canvas", { width, height });
  const image = new ImageData(width, height);
  const [green, blue] = channels === 1 ? [0, 0] : [1, 2];
  for (let from = 0, to = 0; from < pixels.length; from += channels, to += 4) {
    image.data[to] = pixels[from];
    image.data[to + 1] = pixels[from + green];
    image.data[to + 2] = pixels[from + blue];
    image.data[to + 3] = 255;
  }
  if (isShown && end.values)
    replaceWords(wordsOf(image), new Map(end.values.map((value, i) => [opaque(value), opaque(end.colours[i])])));
  canvas.getContext("2d", { willReadFrequently: true }).putImageData(image, 0, 0);
  return canvas;
}

/* A canvas of a size with an image as people see it: label maps in the colours of their classes. */
function inColours(image, size, end) {
  const canvas = scaled(image, size, end);
  return end.values ? painted(taken(canvas, end), end, true) : canvas;
}

/* The number of a pixel [red, green, blue] or [grey]; see wordsOf. */
function opaque(levels) {
  return wordOf([...threeOf(levels), 255]);
}

function threeOf(levels) {
  return levels.length === 1 ? [levels[0], levels[0], levels[0]] : levels;
}

function pngOf(canvas) {
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}
