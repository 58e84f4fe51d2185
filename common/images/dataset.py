"""The dataset that a run is trained and tested on."""

from __future__ import annotations

import dataclasses
import functools
import math
import pathlib
from collections.abc import Mapping
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import tqdm
from absl import logging

from common import settings
from common.errors import UserError
from common.images import alignment, check, files, folders, labels, measure, toy
from common.images.check_report import Report
from common.images.data import TrainingData
from common.images.folders import Files
from common.images.image_settings import ImageSettings
from common.images.pipeline import Loader
from common.images.pixels import Domain
from common.settings import FREE, PLACE, setting

SEEN = 200  # label maps read to find the classes
NAMED = 10  # files without a partner named in the log

Settings = TypeVar("Settings", bound=ImageSettings)


@dataclasses.dataclass(frozen=True)
class Images:
    """The dataset, and which of its images are used."""

    dataset: str = setting(
        "",
        "Folder of the dataset below --data_root, which has the folders train/A, train/B, val/A and val/B. toy is"
        " generated.",
        resume=PLACE,
    )
    data_root: str = setting("datasets", "Folder of the datasets.", resume=FREE)
    dir_A: str = setting(
        "",
        "Folder of the training images of A, instead of --dataset; with --dir_B. There are then no validation images.",
        resume=PLACE,
    )
    dir_B: str = setting("", "Folder of the training images of B, with --dir_A.", resume=PLACE)
    side_by_side: bool = setting(
        False, "Whether each file of NAME/train and NAME/val holds A in its left half and B in its right half."
    )
    limit: int = setting(
        0,
        "Number of images of each domain to use, the first ones; 0: all.",
        minimum=0,
    )
    epoch_size: str = setting(
        "max", "Images in an epoch: as many as the larger (max) or the smaller (min) domain has.", ("max", "min")
    )
    shuffle: bool = setting(
        True,
        "Whether training reads images in a random order, another one in each epoch. Otherwise the order is that of"
        " their names, in both domains and every epoch (--serial_batches of the authors' PyTorch code); crops and flips"
        " stay random.",
    )
    range_A: str = setting(
        "",
        "LOW,HIGH: values of A that become -1 and 1. Default: 0,255 for 8 bits, otherwise the smallest and"
        " largest value of the training images.",
    )
    range_B: str = setting("", "LOW,HIGH: values of B that become -1 and 1. Default: as for A.")
    labels_A: str = setting(
        "",
        "If images of A are label maps: a palette file with one line R G B for each class, or auto: the colours"
        " of the training images. Evaluation then reports accuracy and IoU of the classes.",
        resume=FREE,
    )
    labels_B: str = setting("", "If images of B are label maps: a palette file, or auto; see --labels_A.", resume=FREE)
    on_bad_image: str = setting(
        "stop",
        "What to do if an image cannot be read. stop: save the training and name the file; skip: log a warning"
        " and train on the next image instead, or leave the image out of a test.",
        ("stop", "skip"),
        resume=FREE,
    )
    cache_gb: float = setting(
        4.0, "Memory for decoded images, in GiB; images that do not fit are decoded again.", minimum=0.0, resume=FREE
    )

    def __post_init__(self) -> None:
        settings.check(self)
        if bool(self.dir_A) != bool(self.dir_B):
            present, missing = ("A", "B") if self.dir_A else ("B", "A")
            raise UserError(f"--dir_{present} needs --dir_{missing}, the folder of the other domain.")
        if self.dir_A and (self.dataset or self.side_by_side):
            raise UserError(
                "--dir_A and --dir_B replace --dataset and --side_by_side. Use either the former or the latter."
            )
        for name in ("range_A", "range_B"):
            _parse_limits(name, getattr(self, name))
        if not self.dataset and not self.dir_A:
            raise UserError(
                "Missing --dataset. Use --dataset NAME, a folder below --data_root, or --dir_A and --dir_B, or"
                " --dataset toy, which needs no files."
            )

    @property
    def name(self) -> str:
        """The name of the dataset."""
        return folders.dataset_name(self.dataset, self.dir_A, self.dir_B)

    def training_files(self, dual: ImageSettings) -> Files:
        """The files to train `dual` on; draws the toy dataset if needed. Raises UserError if there are none."""
        files = folders.refuse_alike(self._all_training_files(dual))
        return self._limited(self._paired(files) if dual.pairing == "all" and not self.side_by_side else files)

    def validation_files(self, dual: ImageSettings, domains: Mapping[str, Domain] | None = None) -> Files:
        """The files to test `dual` on; a domain may have none.

        If bad images are skipped, files that cannot be converted to `domains`, if given, are left out.
        """
        files = folders.refuse_alike(self._validation(dual))
        if not (self._skip and domains):
            return files
        A, B = map(_readable_paths, self.loaders(dual, files, domains))
        return Files(A, B)

    def all_files(self, dual: ImageSettings) -> dict[str, Files]:
        """{"train": Files, "val": Files}, including files without a partner, unless --limit picks the first pairs."""
        files = self._all_training_files(dual)
        if dual.pairing == "all" and self.limit and not self.side_by_side:
            pairs, _ = folders.pair(files)
            files = pairs if pairs.A else files
        return {"train": self._limited(files), "val": self._validation(dual)}

    def passed_over(self, dual: ImageSettings) -> list[str]:
        """A sentence for each folder of the dataset with entries that are not read, counted by reason."""
        if self.dir_A:
            return [
                sentence for folder in (self.dir_A, self.dir_B) for sentence in folders.passed_over_in(folder, [""])
            ]
        layouts = [*folders.SIDE_BY_SIDE.values()]
        if not self.side_by_side:
            names = folders.LAYOUTS.values()
            layouts = [tuple(layout.format(domain) for layout in split) for split in names for domain in "AB"]
        root = self._root(dual)
        return [sentence for split in layouts for sentence in folders.passed_over_in(root, split)]

    def check(self, dual: ImageSettings, sets: Mapping[str, Files]) -> Report:
        """The Report on `sets`, all_files or some of them, before `dual` is trained; writes nothing."""
        limits = {name: self._limits(name) for name in "AB"}
        return check.check(sets, dual, limits, self.side_by_side)

    def fitted(self, dual: Settings, files: Files) -> Settings:
        """Returns `dual` with the channels of `files` where its own are auto."""
        channels = {
            field: measure.channels(paths, self._skip)
            for field, paths in zip(("channels_A", "channels_B"), files)
            if not getattr(dual, field)
        }
        return dataclasses.replace(dual, **channels)

    def domains(self, dual: ImageSettings, files: Files) -> dict[str, Domain]:
        """{"A": Domain, "B": Domain} of the training files; decodes them unless they have 8 bits."""
        channels = dual.channels_A, dual.channels_B
        return {
            name: measure.domain(paths, count, self._limits(name), self._half(name), self._skip)
            for name, paths, count in zip("AB", files, channels)
        }

    def loaders(self, dual: ImageSettings, files: Files, domains: Mapping[str, Domain]) -> list[Loader]:
        """A Loader for each domain of `files`."""
        room = int(self.cache_gb * 2**30) // 2
        crop = dual.image_sides if dual.preprocess == "crop" else (1, 1)
        loaded = functools.partial(alignment.loaded_size, dual=dual) if dual.preprocess.startswith("scale") else None
        return [
            Loader(
                paths,
                domains[name],
                room,
                crop=crop,
                loaded=loaded,
                half=self._half(name),
                skip=self._skip,
            )
            for name, paths in zip("AB", files)
        ]

    def training_data(self, dual: ImageSettings, files: Files, domains: Mapping[str, Domain]) -> TrainingData:
        """The TrainingData of `files` (see training_files), with images of `domains`, for `dual`.

        Raises UserError if `dual` needs pairs and there are none.
        """
        loaders, partners = self.loaders(dual, files, domains), self.partners(dual, files)
        return TrainingData(files, dict(domains), loaders, partners, self.images_in_epoch(files), self.shuffle)

    def partners(self, dual: ImageSettings, files: Files) -> npt.NDArray[np.int64]:
        """The position in B of the partner of each image of A, int64 [|A|]; -1: no partner."""
        if dual.pairing == "all" or (dual.pairing == "some" and self.side_by_side):
            return np.arange(len(files.A))  # files are in the order of the pairs
        numbers = {folders.stem(path): number for number, path in enumerate(files.B)} if dual.pairing == "some" else {}
        partners = np.array([numbers.get(folders.stem(path), -1) for path in files.A], np.int64)
        if dual.pairing == "some":
            if (partners < 0).all():
                raise UserError(
                    "No image in A matches one in B: paired files must have the same name, ignoring the extension. The"
                    f" first file of A is {files.A[0]}, of B {files.B[0]}. To train without pairs, use cyclegan.main."
                )
            logging.info(f"{(partners >= 0).sum():,} of {len(files.A):,} images of A have a partner in B.")
        return partners

    def images_in_epoch(self, files: Files) -> int:
        """The number of images of each domain in an epoch."""
        return {"max": max, "min": min}[self.epoch_size](len(files.A), len(files.B))

    def palettes(self, dual: ImageSettings) -> dict[str, npt.NDArray[np.uint8]]:
        """{domain: colours of its classes, uint8 [K, 3]} of the domains that are label maps."""
        sources = {"A": self.labels_A, "B": self.labels_B}
        palettes = {name: labels.read_palette(path) for name, path in sources.items() if path not in ("", "auto")}
        if "auto" in sources.values():
            training = dict(zip("AB", self.training_files(dual)))
            for name in (name for name, path in sources.items() if path == "auto"):
                read = functools.partial(files.read, half=self._half(name))
                images = (image for _, image in measure.readable(read, training[name][:SEEN], self._skip))
                palettes[name] = labels.find_palette(images)
        return palettes

    @property
    def _skip(self) -> bool:
        return self.on_bad_image == "skip"

    def _limits(self, name: str) -> tuple[float, float] | None:
        """(low, high) from --range_A or --range_B; None if it is empty."""
        return _parse_limits(f"range_{name}", getattr(self, f"range_{name}"))

    def _validation(self, dual: ImageSettings) -> Files:
        if self.dir_A:
            return Files([], [])
        find = folders.find_side_by_side if self.side_by_side else folders.find
        return self._limited(find(self._root(dual), "val"))

    def _all_training_files(self, dual: ImageSettings) -> Files:
        """All files to train on; raises UserError if a domain has none."""
        if self.dir_A:
            return folders.find_anywhere(*map(folders.on_disk, (self.dir_A, self.dir_B)))
        find = folders.find_side_by_side if self.side_by_side else folders.find_all
        return find(self._root(dual), "train")

    def _half(self, name: str) -> str | None:
        return name if self.side_by_side else None

    def _root(self, dual: ImageSettings) -> pathlib.Path:
        if self.dataset == "toy":
            return toy.draw_once(self.data_root, toy.size_for(dual, self.data_root))
        return folders.on_disk(pathlib.Path(self.data_root, self.dataset))

    def _paired(self, files: Files) -> Files:
        """The files that have a partner; logs those that have none, and raises UserError if no file has one."""
        pairs, alone = folders.pair(files)
        if not pairs.A:
            raise UserError(
                "No image in A matches one in B: paired files must have the same name, ignoring the extension. The"
                f" first file of A is {files.A[0]}, of B {files.B[0]}. If each file holds both images, use"
                " --side_by_side."
            )
        if alone:
            named = ", ".join(map(str, alone[:NAMED]))
            if len(alone) > NAMED:
                named += f" and {len(alone) - NAMED:,} more"
            logging.info(f"{len(pairs.A):,} pairs; {len(alone):,} images have no partner and are left out: {named}.")
        return pairs

    def _limited(self, files: Files) -> Files:
        """The first --limit files of each domain."""
        return Files(*(paths[: self.limit or None] for paths in files))


def _readable_paths(loader: Loader) -> list[pathlib.Path]:
    """The paths of a Loader that can be read as images of its domain; logs the others."""
    readable = []
    for path in tqdm.tqdm(loader.paths, desc="readable images", unit="image", disable=None, leave=False):
        try:
            loader.read(path)
            readable.append(path)
        except UserError as error:
            logging.warning(f"warning: {error} It is left out (--on_bad_image skip).")
    return readable


def _parse_limits(name: str, text: str) -> tuple[float, float] | None:
    """Parses LOW,HIGH, the value of setting `name`: (low, high), or None if empty; raises UserError if invalid."""
    try:
        low, high = (float(part) for part in text.split(",")) if text else (0.0, 1.0)
    except ValueError:
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UserError(f"--{name} {text} is not a valid range: use LOW,HIGH, two numbers such as 0,3600.")
    return (low, high) if text else None
