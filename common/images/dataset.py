"""The dataset that a run is trained and tested on."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from absl import logging

from common import progress, settings
from common.errors import UserError
from common.images import check, classes, folders, measure, palettes, toy
from common.images.check_report import Report
from common.images.classes import Classes
from common.images.data import TrainingData
from common.images.folders import Files
from common.images.image_settings import ImageSettings
from common.images.pipeline import Loader
from common.images.pixels import Domain
from common.settings import FREE, PLACE, setting

NONE = "none"  # of label_encoding: label maps are like other images
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
        "If images of A are label maps: a palette file with one line R G B for each class, or auto: the colours of the"
        " training images. They are then resized without mixing colours, and translations to A have only these colours."
        " Evaluation reports accuracy and IoU of the classes.",
        resume=FREE,
    )
    labels_B: str = setting("", "If images of B are label maps: a palette file, or auto; see --labels_A.", resume=FREE)
    label_encoding: str = setting(
        classes.PALETTE,
        "What networks see of the label maps of --labels_A and --labels_B. palette: the colour of each class, three"
        " channels; one-hot: a channel for each class, 1 where it is and -1 elsewhere, which suits inputs better than"
        " outputs; none: the images as they are: labels are only used to score them.",
        (*classes.ENCODINGS, NONE),
        earlier=NONE,
    )
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
        for name in "AB":
            if self._limits(name) and self._are_labels(name):
                raise UserError(
                    f"--range_{name} has no meaning for label maps, which --labels_{name} makes of images of {name}."
                    " Use one of them, or --label_encoding none."
                )
        if not self.dataset and not self.dir_A:
            raise UserError(
                "Missing --dataset. Use --dataset NAME, a folder below --data_root, or --dir_A and --dir_B, or"
                " --dataset toy, which needs no files."
            )

    @property
    def name(self) -> str:
        """The name of the dataset."""
        return folders.dataset_name(self.dataset, self.dir_A, self.dir_B)

    def refuse_missing(self, dual: ImageSettings) -> None:
        """Raises UserError if there are no images to train on; draws the toy dataset if needed."""
        self._all_training_files(dual)

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
        training = dict(zip("AB", sets["train"])) if "train" in sets else {}
        labelled = {
            name: palettes.attempted(paths, *self._of_labels(name))
            for name, paths in training.items()
            if self._are_labels(name)
        }
        return check.check(sets, dual, limits, labelled, self.side_by_side)

    def fitted(self, dual: Settings, files: Files, domains: Mapping[str, Domain] | None = None) -> Settings:
        """Returns `dual` with the channels of `files` where its own are auto, and with those of label maps.

        `domains`: of the run, if there is one. Raises UserError if `dual` cannot have these channels.
        """
        channels = {}
        for name, paths in zip("AB", files):
            field, given = f"channels_{name}", getattr(dual, f"channels_{name}")
            if coded := domains[name].classes if domains else self.classes_of(name, paths):
                channels[field] = palettes.channels_for(coded, name, given)
            elif not given:
                channels[field] = measure.channels(paths, self._skip)
        try:
            return dataclasses.replace(dual, **channels)
        except UserError as error:
            if self.label_encoding == classes.ONE_HOT and (self.labels_A or self.labels_B):
                raise UserError(f"{error} Or use --label_encoding palette, which has three channels.") from error
            raise

    def classes_of(self, name: str, paths: Sequence[pathlib.Path]) -> Classes | None:
        """The Classes of domain `name`, whose training files are `paths`; None if these are no label maps."""
        if not self._are_labels(name):
            return None
        return palettes.measured(paths, *self._of_labels(name), skip=self._skip)

    def with_classes(self, domains: Mapping[str, Domain]) -> dict[str, Domain]:
        """Returns `domains`, of networks without images, with the classes of palette files.

        Raises UserError for auto, as there are no images, and if networks have other channels than the classes.
        """
        return {
            name: palettes.of_network(name, domain, self._labels(name), self.label_encoding)
            if self._are_labels(name)
            else domain
            for name, domain in domains.items()
        }

    def domains(self, dual: ImageSettings, files: Files) -> dict[str, Domain]:
        """{"A": Domain, "B": Domain} of the training files; decodes them unless they have 8 bits."""
        domains = {}
        for name, paths, count in zip("AB", files, (dual.channels_A, dual.channels_B)):
            if coded := self.classes_of(name, paths):
                domains[name] = Domain(coded.table.shape[1], classes=coded)
            else:
                domains[name] = measure.domain(paths, count, self._limits(name), self._half(name), self._skip)
        return domains

    def loaders(self, dual: ImageSettings, files: Files, domains: Mapping[str, Domain]) -> list[Loader]:
        """A Loader for each domain of `files`."""
        room = int(self.cache_gb * 2**30) // 2
        return [
            Loader(paths, domains[name], room, dual=dual, half=self._half(name), skip=self._skip)
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

    def palettes(self, dual: ImageSettings, domains: Mapping[str, Domain]) -> dict[str, npt.NDArray[np.uint8]]:
        """{domain: colours of its classes, uint8 [K, 3]} of the domains that are label maps, to score images with.

        Where those of a run, `domains`, have classes, theirs; the settings may name palettes for others.
        """
        scored = {name: domain.classes.palette for name, domain in domains.items() if domain.classes}
        for name in "AB":
            if (source := self._labels(name)) and name not in scored:
                paths = dict(zip("AB", self.training_files(dual)))[name] if source == palettes.AUTO else []
                scored[name] = palettes.to_score_with(paths, source, self._half(name), self._skip)
        return scored

    def refuse_other_classes(self, before: Images, domains: Mapping[str, Domain], files: Files) -> None:
        """Raises UserError if these settings name other classes than those of `domains`, of a run with `before`."""
        for name, domain in domains.items():
            if domain.classes and self._labels(name) not in ("", before._labels(name)):
                source, _, half = self._of_labels(name)
                palettes.refuse_others(name, domain.classes, files._asdict()[name], source, half=half, skip=self._skip)

    def _labels(self, name: str) -> str:
        return {"A": self.labels_A, "B": self.labels_B}[name]

    def _of_labels(self, name: str) -> tuple[str, str, str | None]:
        """The palette, the encoding and the half of files, for palettes.measured."""
        return self._labels(name), self.label_encoding, self._half(name)

    def _are_labels(self, name: str) -> bool:
        """Whether the images of a domain are label maps to the networks."""
        return bool(self._labels(name)) and self.label_encoding != NONE

    @property
    def _skip(self) -> bool:
        return self.on_bad_image == "skip"

    def _limits(self, name: str) -> tuple[float, float] | None:
        """(low, high) from --range_A or --range_B; None if it is empty."""
        return measure.limits_in(f"range_{name}", getattr(self, f"range_{name}"))

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
    for path in progress.bar(loader.paths, desc="readable images", unit="image", leave=False):
        try:
            loader.read(path)
            readable.append(path)
        except UserError as error:
            logging.warning(f"warning: {error} It is left out (--on_bad_image skip).")
    return readable
