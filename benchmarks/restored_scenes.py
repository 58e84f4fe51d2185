"""Makes pairs from hazy images alone: several images of a scene, each with its own haze, determine the clear scene.

python -m benchmarks.restored_scenes --input datasets/dehaze/train/A --output datasets/dehaze-pairs

Images of one scene are named SCENE_NUMBER.jpg and have one size. They are written to train/A and their restored scenes,
under the same names, to train/B; those of every --held_out-th scene go to val/A and val/B instead. haze_fit.py says how
scenes are restored. A scene without dark things does not show how much haze its images share. If the images of all
scenes have the same series of densities, as in generated sets, --same_series uses the typical one for all.

Clear images of other scenes give more pairs. With --clear, they and the restored scenes are also written to both
train/A and train/B, as pairs without haze, which teach a network to leave clear images as they are. With --veiled N,
each clear image is also written N times under the haze of a restored scene, whose depth is fitted to the edges of the
image. No clear image of a hazy one is read: training with these pairs, or tuning on them, uses no true pair.

Prints how well the haze of each scene was fitted. Takes five CPU minutes for 20 scenes of ten images of 256 pixels.
"""

from __future__ import annotations

import collections
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import ndimage

from benchmarks import arguments
from benchmarks.haze_fit import Floats, Pixels, Scene, haze_over, restored
from common import tensorflow as tf
from common.images import files
from common.ops.guided_filter import guided_filter

SMOOTHED = 4.0  # pixels: standard deviation of the blur of a depth before it follows the edges of another image
RADIUS, EPSILON = 12, 1e-3  # of the guided filter


def main() -> None:
    """Runs the command line."""
    parser = arguments.parser_in_process("restored_scenes", __doc__)
    parser.add_argument("--input", required=True, help="folder of hazy images, SCENE_NUMBER.jpg")
    parser.add_argument("--output", required=True, help="folder of the new dataset")
    parser.add_argument("--clear", default="", help="folder of clear images, of other scenes")
    parser.add_argument("--veiled", type=int, default=0, metavar="N", help="hazy images to make of each clear image")
    parser.add_argument("--held_out", type=int, default=0, help="1 of so many scenes goes to val; 0: none")
    parser.add_argument("--same_series", action="store_true", help="all scenes have the same series of densities")
    parser.add_argument("--seed", type=int, default=0, help="of the haze over clear images")
    options = parser.parse_args()
    if options.veiled and not options.clear:
        parser.error("--veiled is for clear images: name their folder with --clear.")
    several = scenes_in(pathlib.Path(options.input))
    if not several:
        parser.error(f"--input {options.input} has no two images that are called SCENE_NUMBER and share SCENE.")
    output = pathlib.Path(options.output)
    scenes = write_scenes(several, output, options.held_out, options.same_series, bool(options.clear))
    if options.clear:
        write_clear(pathlib.Path(options.clear), output / "train", scenes, options.veiled, options.seed)


def scenes_in(folder: pathlib.Path) -> dict[str, list[pathlib.Path]]:
    """Returns {scene: its images} of the scenes in `folder` that have at least two images."""
    scenes: dict[str, list[pathlib.Path]] = collections.defaultdict(list)
    for path in sorted(folder.iterdir()):
        scenes[path.stem.rpartition("_")[0]].append(path)
    return {name: paths for name, paths in scenes.items() if name and len(paths) > 1}


def write_scenes(
    several: Mapping[str, Sequence[pathlib.Path]],
    output: pathlib.Path,
    held_out: int,
    is_same_series: bool,
    is_clear_written: bool,
) -> list[Scene]:
    """Writes pairs of the images of `several` scenes; returns the restored scenes that are not held out."""
    hazes = {name: haze_over(_read(paths)) for name, paths in several.items()}
    if is_same_series:
        ratio = float(np.median([haze.ratio for haze in hazes.values()]))
        hazes = {name: haze.of_ratio(ratio) for name, haze in hazes.items()}
    scenes = []
    for number, (name, paths) in enumerate(several.items(), 1):
        images = _read(paths)
        scene = restored(images, hazes[name])
        is_held_out = held_out > 0 and number % held_out == 0
        clear = np.rint(scene.clear * 255.0).astype(np.uint8)
        for path, image in zip(paths, images):
            _write_pair(output / ("val" if is_held_out else "train"), path.stem, image, clear)
        if not is_held_out:
            scenes.append(scene)
            if is_clear_written:
                _write_pair(output / "train", f"clear-{name}", clear, clear)
        fit = f"{len(paths)} images, fitted to {scene.error * 255.0:.1f} of 255"
        print(f"{name}: {fit}; densities from 1 to {scene.haze.ratio:.2f}", flush=True)
    return scenes


def write_clear(folder: pathlib.Path, output: pathlib.Path, scenes: Sequence[Scene], count: int, seed: int) -> None:
    """Writes the images in `folder` as pairs without haze, and `count` times under the haze of one of `scenes`."""
    generator = np.random.default_rng(seed)
    for path in sorted(folder.iterdir()):
        image = files.read(path)
        _write_pair(output, f"clear-{path.stem}", image, image)
        for number in range(count):
            scene = scenes[int(generator.integers(len(scenes)))]
            _write_pair(output, f"veiled-{path.stem}-{number}", veiled(image, scene, generator), image)


def veiled(clear: Pixels, scene: Scene, generator: np.random.Generator) -> Pixels:
    """Returns a `clear` image [H, W, 3] in haze of a density of `scene` and of its depth, as it is or mirrored."""
    depth = scene.depth[:, :: generator.choice([-1, 1])]
    depth = ndimage.zoom(depth, np.divide(clear.shape[:2], depth.shape), order=1)
    depth = along_edges(ndimage.gaussian_filter(depth, SMOOTHED), clear / 255.0)
    number = int(generator.integers(len(scene.haze.density)))
    transmission = np.exp(-scene.haze.density[number] * depth)[..., None]
    seen = clear / 255.0 * transmission + scene.haze.air[number] * (1.0 - transmission)
    return np.rint(seen * 255.0).astype(np.uint8)


def along_edges(depth: Floats, image: Floats) -> Floats:
    """Returns `depth` [H, W] fitted to the edges of `image` [H, W, 3] in [0, 1]; at least 0."""
    with tf.Graph().as_default(), tf.Session() as session:
        guide, x = (tf.constant(values[None, ..., None], tf.float32) for values in (image.mean(axis=-1), depth))
        filtered = session.run(guided_filter(guide, x, RADIUS, EPSILON))
    return np.maximum(filtered[0, ..., 0], 0.0)


def _read(paths: Sequence[pathlib.Path]) -> Pixels:
    return np.stack([files.read(path) for path in paths])


def _write_pair(folder: pathlib.Path, name: str, image: Pixels, target: Pixels) -> None:
    files.write(folder / "A" / f"{name}.png", image)
    files.write(folder / "B" / f"{name}.png", target)


if __name__ == "__main__":
    main()
