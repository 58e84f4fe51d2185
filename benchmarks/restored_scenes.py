"""Makes pairs for tuning from hazy images only: several images of a scene determine the scene without haze.

python -m benchmarks.restored_scenes --input datasets/dehaze/train/A --output datasets/tuning

Images of one scene are called SCENE_NUMBER.jpg and have one size. Each has a density b and an air a of its own, and all
share the clear scene J and its depth d: seen = J exp(-b d) + a (1 - exp(-b d)) (Koschmieder, 1924). These are fitted to
all images of a scene at once. How much haze all of them share hardly shows, so as much is taken off as leaves the
darkest hundredth of the scene black, as in clear photographs. Written are val/A, the images, and val/B, their scene,
under the same names. No clear image is read, so that a method can be tuned by scores of these pairs without any true
pair.
"""

from __future__ import annotations

import argparse
import collections
import math
import pathlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from common import tensorflow as tf
from common.images import files

STEPS = 700
RATE, LAST_RATE = 0.05, 0.01  # of Adam, and in the last third
ROUNDING = 1e-5  # below its root, errors count as their squares: those of JPEG
MARGIN = 0.02  # of light, so that logits are finite
DARKEST = 1.0  # percent of a scene's values that become black
Pixels = npt.NDArray[np.uint8]


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", required=True, help="folder of hazy images, SCENE_NUMBER.jpg")
    parser.add_argument("--output", required=True, help="folder to write val/A and val/B into")
    parser.add_argument("--scenes", type=int, default=0, help="the first so many; 0: all")
    parser.add_argument("--steps", type=int, default=STEPS, help="of the fit")
    options = parser.parse_args()
    scenes: dict[str, list[pathlib.Path]] = collections.defaultdict(list)
    for path in sorted(pathlib.Path(options.input).iterdir()):
        scenes[path.stem.rpartition("_")[0]].append(path)
    several = {name: paths for name, paths in scenes.items() if name and len(paths) > 1}
    if not several:
        parser.error(f"--input {options.input} has no two images that are called SCENE_NUMBER and share SCENE.")
    for name, paths in list(several.items())[: options.scenes or None]:
        images = np.stack([files.read(path) for path in paths])
        clear, error = restored(images, options.steps)
        for path, image in zip(paths, images):
            files.write(pathlib.Path(options.output, "val/A", f"{path.stem}.png"), image)
            files.write(pathlib.Path(options.output, "val/B", f"{path.stem}.png"), clear)
        print(f"{name}: {len(paths)} images, fitted to {error:.1f} of 255", flush=True)


def restored(images: Sequence[Pixels] | Pixels, steps: int = STEPS) -> tuple[Pixels, float]:
    """Returns the clear scene [H, W, 3] of hazy images [N, H, W, 3], and the root mean square residual."""
    seen = np.asarray(images, np.float32) / 255.0
    least_hazy = seen[np.argmin(seen.mean(axis=(1, 2, 3)))].clip(MARGIN, 1.0 - MARGIN)
    with tf.Graph().as_default(), tf.Session() as session:
        scene = tf.get_variable("scene", initializer=np.log(least_hazy / (1.0 - least_hazy)))
        depth = tf.nn.softplus(tf.get_variable("depth", [*seen.shape[1:3], 1], initializer=tf.zeros_initializer()))
        density = tf.get_variable("density", [len(seen), 1, 1, 1], initializer=tf.zeros_initializer())
        air = tf.sigmoid(tf.get_variable("air", [len(seen), 1, 1, 1], initializer=tf.constant_initializer(2.0)))
        transmission = tf.exp(-depth * tf.exp(density - tf.reduce_mean(density)))  # only ratios of densities show
        difference = tf.sigmoid(scene) * transmission + air * (1.0 - transmission) - seen
        rate = tf.placeholder(tf.float32, [])
        update = tf.train.AdamOptimizer(rate).minimize(tf.reduce_mean(tf.sqrt(tf.square(difference) + ROUNDING)))
        session.run(tf.global_variables_initializer())
        for step in range(steps):
            session.run(update, {rate: RATE if step < 0.7 * steps else LAST_RATE})
        square, *fitted = session.run([tf.reduce_mean(tf.square(difference)), tf.sigmoid(scene), depth, air])
    return np.rint(without_common_haze(*fitted) * 255.0).astype(np.uint8), 255.0 * math.sqrt(square)


def without_common_haze(
    scene: npt.NDArray[np.float32], depth: npt.NDArray[np.float32], air: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """A scene [H, W, 3] of depth [H, W, 1] without the haze that images in `air` share, by which it is not black."""
    brightness = float(np.mean(air))
    least, most = 0.0, 20.0 / float(depth.max())
    for _ in range(40):  # bisection: the darkest values go down with the density that is taken off
        density = (least + most) / 2.0
        clear = brightness + (scene - brightness) * np.exp(density * depth)
        least, most = (density, most) if np.percentile(clear, DARKEST) > 0.0 else (least, density)
    return np.clip(brightness + (scene - brightness) * np.exp(least * depth), 0.0, 1.0)


if __name__ == "__main__":
    main()
