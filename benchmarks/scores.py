"""Scores translated images of any program against the validation images of a run.

python -m benchmarks.scores --run_dir runs/cyclegan-apple2orange64 --output runs/cyclegan-apple2orange64/test

Prints a line for each direction: the sliced Wasserstein distance (SWD) of the translations to the images of the other
domain, that of the untouched input, that of two halves of the real images (the least to expect), and, for pairs, the
mean of PSNR, SSIM and so on.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks import arguments
from common.dual import Dual
from common.images import Images
from common.metrics import metrics
from common.metrics.distances import sliced_wasserstein
from common.run.folder import load_run


def read(path: str | os.PathLike[str], sides: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Returns an image file as RGB, [*sides, 3], resized by Pillow's smoothed bicubic filter if necessary."""
    image = Image.open(path).convert("RGB")
    size = sides[::-1]  # Pillow's order
    return np.array(image if image.size == size else image.resize(size, Image.Resampling.BICUBIC))


def table(output: str | os.PathLike[str], dual: Dual, images: Images) -> str:
    """Returns a line for each direction below the folder `output`."""
    files = dict(zip("AB", images.validation_files(dual)))
    lines = []
    for name in dual.directions:
        written = {path.stem: path for path in sorted(pathlib.Path(output, name).glob("*.png"))}
        sources = {path.stem: path for path in files[name[0]]}
        targets = {path.stem: path for path in files[name[-1]]}
        scores = {
            **_of_sets(written, sources, targets, dual.image_sides),
            **_of_pairs(written, targets, dual.image_sides),
        }
        lines.append(f"{name}: " + ", ".join(f"{metric} {value:.4g}" for metric, value in scores.items()))
    return "\n".join(lines)


def _of_sets(
    written: Mapping[str, pathlib.Path],
    sources: Mapping[str, pathlib.Path],
    targets: Mapping[str, pathlib.Path],
    sides: tuple[int, int],
) -> dict[str, float]:
    """Returns {metric: value} of the translations as a set, if measurable; the arguments are {stem: path}."""
    fakes = np.stack([read(path, sides) for path in written.values()])
    source = np.stack([read(sources[stem], sides) for stem in written])
    real = np.stack([read(path, sides) for path in targets.values()])
    distances = {
        "SWD": sliced_wasserstein(fakes, real),
        "SWD of the input": sliced_wasserstein(source, real),
        "SWD of two halves of real images": sliced_wasserstein(real[::2], real[1::2]),
    }
    return {name: value for name, value in distances.items() if value is not None}


def _of_pairs(
    written: Mapping[str, pathlib.Path], targets: Mapping[str, pathlib.Path], sides: tuple[int, int]
) -> dict[str, float]:
    """Returns {metric: mean} over the translations with a target, without metrics that need larger images."""
    pairs = [(read(path, sides), read(targets[stem], sides)) for stem, path in written.items() if stem in targets]
    if not pairs:
        return {}
    means = {}
    for metric, function in metrics.PAIRED.items():
        values = [value for pair in pairs if (value := function(*pair)) is not None]
        if len(values) == len(pairs):
            means[metric] = float(np.mean(values))
    return means


def main() -> None:
    """Runs the command line."""
    parser = arguments.parser("scores", __doc__)
    parser.add_argument("--run_dir", required=True, help="folder of a run of the same method and images")
    parser.add_argument("--output", required=True, help="folder with the subfolders A2B or B2A, or both, of PNG files")
    args = parser.parse_args()
    saved = load_run(args.run_dir)
    print(table(args.output, saved.dual, saved.images))


if __name__ == "__main__":
    main()
