/* The error of a cycle as a picture. */

const INFERNO = [
  [0, 0, 4],
  [31, 12, 72],
  [85, 15, 109],
  [136, 34, 106],
  [186, 54, 85],
  [227, 89, 51],
  [249, 140, 10],
  [249, 201, 50],
  [252, 255, 164],
];

/* |real - reconstructed| of bytes of RGBA: the mean over R, G and B of each pixel, the greatest and the mean of all. */
function cycleError(real, reconstructed) {
  const error = new Float32Array(Math.min(real.length, reconstructed.length) / 4);
  let total = 0,
    greatest = 0;
  for (let i = 0; i < error.length; i++) {
    for (let channel = 0; channel < 3; channel++)
      error[i] += Math.abs(real[4 * i + channel] - reconstructed[4 * i + channel]) / 3;
    total += error[i];
    greatest = Math.max(greatest, error[i]);
  }
  return { error, greatest, mean: total / Math.max(1, error.length) };
}

/* Bytes of RGBA of a picture. */
async function pixelsOf(picture) {
  const image = element("img", { src: address(picture) });
  await image.decode();
  const context = element("canvas", { width: picture[0], height: picture[1] }).getContext("2d", {
    willReadFrequently: true,
  });
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, picture[0], picture[1]);
}

function heatMap(values, width, height, most, label) {
  const canvas = element("canvas", { width, height, role: "img", "aria-label": label }),
    context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let i = 0; i < width * height; i++) image.data.set([...inferno((values[i] ?? 0) / most), 255], 4 * i);
  context.putImageData(image, 0, 0);
  return canvas;
}

/* The colour [R, G, B] of a share from 0 to 1: matplotlib's inferno, between nine of its colours. */
function inferno(share) {
  const at = Math.min(1, Math.max(0, share)) * (INFERNO.length - 1),
    low = Math.min(INFERNO.length - 2, Math.floor(at));
  return INFERNO[low].map((from, channel) => Math.round(from + (INFERNO[low + 1][channel] - from) * (at - low)));
}

function ramp() {
  return heatMap(
    Float32Array.from({ length: 256 }, (_, i) => i),
    256,
    1,
    255,
    "Colours from no error to the greatest",
  );
}
