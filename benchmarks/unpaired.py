"""Makes an unpaired dataset, split by scene, from a paired one.

python -m benchmarks.unpaired --input datasets/rain100 --output datasets/derain

Pairs in `train` have the same name in A and B. Pairs whose clear images are alike count as one scene. train/A gets the
degraded images of one half of the scenes, train/B the clear images of the other half; val is copied. With --held_out, a
share of the training scenes and their pairs becomes val instead, so that settings can be chosen without looking at val.
The same seed makes the same split. Prints the number of images in each folder.
"""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks import arguments
from common.errors import UserError

THUMBNAIL = 16  # pixels along a side
ALIKE = 4.0  # mean difference of the thumbnails of two images, of 255, up to which they show one scene


def main() -> None:
    """Runs the command line."""
    parser = arguments.parser("unpaired", __doc__)
    parser.add_argument("--input", required=True, help="folder with train/A, train/B, val/A and val/B")
    parser.add_argument("--output", required=True, help="new folder for the dataset without pairs")
    parser.add_argument("--held_out", type=float, default=0.0, help="share of the training scenes that becomes val")
    parser.add_argument("--seed", type=int, default=0, help="seed of the split")
    options = parser.parse_args()
    try:
        write(pathlib.Path(options.input), pathlib.Path(options.output), options.held_out, options.seed)
    except UserError as error:
        parser.error(str(error))


def write(source: pathlib.Path, output: pathlib.Path, held_out: float = 0.0, seed: int = 0) -> None:
    """Writes the dataset `output` from the pairs in `source`; raises UserError without pairs or if it has files."""
    if output.exists() and any(output.iterdir()):
        raise UserError(f"--output {output} is not empty. Use a new folder.")
    names = {domain: {path.name for path in (source / "train" / domain).glob("*")} for domain in "AB"}
    if not (pairs := sorted(names["A"] & names["B"])):
        raise UserError(f"--input {source} has no pairs: images in train/A and train/B need equal names.")
    held, first, second = part(scenes(source / "train" / "B", pairs), held_out, seed)
    _copy(source / "train", output / "train", A=first, B=second)
    if held:
        _copy(source / "train", output / "val", A=held, B=held)
    else:
        of_val = {domain: sorted(path.name for path in (source / "val" / domain).glob("*")) for domain in "AB"}
        _copy(source / "val", output / "val", **of_val)
    print(f"{output}: {len(first)} in train/A, {len(second)} in train/B, {len(held) or 'as before'} in val")


def scenes(folder: pathlib.Path, names: Sequence[str]) -> list[list[str]]:
    """Groups `names` of images in `folder` by scene, in the order of `names`."""
    thumbnails = [_thumbnail(folder / name) for name in names]
    groups: list[list[int]] = []
    for number, thumbnail in enumerate(thumbnails):
        alike = (group for group in groups if np.abs(thumbnails[group[0]] - thumbnail).mean() <= ALIKE)
        group = next(alike, None)
        if group is None:
            groups.append([number])
        else:
            group.append(number)
    return [[names[number] for number in group] for group in groups]


def part(groups: Sequence[list[str]], held_out: float, seed: int) -> tuple[list[str], list[str], list[str]]:
    """Splits the names in `groups` into (held out, first half, second half) without splitting a group."""
    order = np.random.default_rng(seed).permutation(len(groups))
    held = int(held_out * len(groups))
    middle = held + (len(groups) - held) // 2
    bounds = ((0, held), (held, middle), (middle, len(groups)))
    held_names, first, second = (
        sorted(name for number in order[start:end] for name in groups[number]) for start, end in bounds
    )
    return held_names, first, second


def _thumbnail(path: pathlib.Path) -> npt.NDArray[Any]:
    image = Image.open(path).convert("L").resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
    return np.asarray(image, np.float64)


def _copy(source: pathlib.Path, target: pathlib.Path, **names: Sequence[str]) -> None:
    for domain, of_domain in names.items():
        (target / domain).mkdir(parents=True, exist_ok=True)
        for name in of_domain:
            shutil.copyfile(source / domain / name, target / domain / name)


if __name__ == "__main__":
    main()
