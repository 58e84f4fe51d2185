"""The sets of images that a run is trained and tested on."""

import dataclasses
import functools
import math
import pathlib
import sys

import numpy as np
import tqdm

from common import settings
from common.errors import UserError
from common.images import check, files, folders, labels, measure, toy
from common.images.data import TrainingData
from common.images.folders import Files
from common.images.pipeline import Loader
from common.settings import FREE, setting

SEEN = 200  # label maps that the classes are found in
NAMED = 10  # files without a partner that are named


@dataclasses.dataclass(frozen=True)
class Images:
    """Where images lie, and how many of them are used."""

    dataset: str = setting("", "Set of images: the folder of this name below --data_root; toy is drawn by the program.")
    data_root: str = setting("datasets", "Folder of the sets of images.", resume=FREE)
    dir_A: str = setting("", "Folder of the training images of A, wherever it is, in place of a set's; with --dir_B.")
    dir_B: str = setting("", "Folder of those of B; there are then no validation images.")
    side_by_side: bool = setting(
        False, "Whether A and B are the left and the right half of each file of NAME/train and NAME/val."
    )
    limit: int = setting(
        0,
        "Use the first so many images (of each domain); 0: all. Of test and translate, an input of their own.",
        minimum=0,
    )
    epoch_size: str = setting(
        "max", "Images in an epoch: as many as the larger domain has, or the smaller.", ("max", "min")
    )
    range_A: str = setting(
        "",
        "LOW,HIGH: values of A that become -1 and 1. Unless given: of 8 bits 0,255, of other types the least and the"
        " greatest of the training images.",
    )
    range_B: str = setting("", "LOW,HIGH of B.")
    labels_A: str = setting(
        "",
        "If images of A are label maps: their palette, a file with a line R G B for each class, or auto: the colours of"
        " the training images. Evaluation then measures how well classes are met.",
        resume=FREE,
    )
    labels_B: str = setting("", "Of B.", resume=FREE)
    on_bad_image: str = setting(
        "stop",
        "What to do with an image that does not read: stop, naming it, with what was learnt saved; or skip: say so, and"
        " train on the next that reads in its place, or leave it out of a test.",
        ("stop", "skip"),
        resume=FREE,
    )
    cache_gb: float = setting(
        4.0, "Memory for decoded images, in GiB; those beyond are decoded again.", minimum=0.0, resume=FREE
    )

    def __post_init__(self):
        settings.check(self)
        if bool(self.dir_A) != bool(self.dir_B):
            given, missing = ("A", "B") if self.dir_A else ("B", "A")
            raise UserError(f"--dir_{given} needs --dir_{missing}: a folder for each domain.")
        if self.dir_A and (self.dataset or self.side_by_side):
            raise UserError(
                "--dir_A and --dir_B take the place of --dataset and --side_by_side. Give the one or the other."
            )
        for name in ("range_A", "range_B"):
            _limits(name, getattr(self, name))
        if not self.dataset and not self.dir_A:
            raise UserError(
                "Which images? Say --dataset NAME, a folder below --data_root, or --dir_A and --dir_B, or"
                " --dataset toy, which needs no files."
            )

    @property
    def name(self):
        """What to call the set."""
        return self.dataset or f"{pathlib.Path(self.dir_A).name}-{pathlib.Path(self.dir_B).name}"

    def training_files(self, dual):
        """The files to train `dual` on; the toy set is drawn if need be. Raises UserError if there are none."""
        files = self._found(dual)
        return self._limited(self._paired(files) if dual.pairing == "all" and not self.side_by_side else files)

    def validation_files(self, dual, domains=None):
        """The files to test `dual` on; a domain may have none.

        Where images are passed over, those that do not become images of `domains`, if these are given, are left out.
        """
        found = self._validation(dual)
        if not (self._skip and domains):
            return found
        return Files(*map(_that_read, self.loaders(dual, found, domains)))

    def all_files(self, dual):
        """{"train": Files, "val": Files}, with those that have no partner, unless --limit picks the first pairs."""
        found = self._found(dual)
        if dual.pairing == "all" and self.limit and not self.side_by_side:
            pairs, _ = folders.pair(found)
            found = pairs if pairs.A else found
        return {"train": self._limited(found), "val": self._validation(dual)}

    def check(self, dual, sets):
        """The check.Report on `sets`, all_files or some of them, before `dual` is trained; writes nothing."""
        limits = {name: self._limits(name) for name in "AB"}
        return check.check(sets, dual, limits, self.side_by_side)

    def fitted(self, dual, files):
        """`dual` with the channels that `files` have, wherever they are auto."""
        found = {
            field: measure.channels(paths, self._skip)
            for field, paths in zip(("channels_A", "channels_B"), files)
            if not getattr(dual, field)
        }
        return dataclasses.replace(dual, **found)

    def domains(self, dual, files):
        """{"A": Domain, "B": Domain} of the training files; where they are not of 8 bits, all are read."""
        channels = dual.channels_A, dual.channels_B
        return {
            name: measure.domain(paths, count, self._limits(name), self._half(name), self._skip)
            for name, paths, count in zip("AB", files, channels)
        }

    def loaders(self, dual, files, domains):
        """A Loader for each domain of `files`."""
        room = int(self.cache_gb * 2**30) // 2
        smallest = dual.image_size if dual.preprocess == "crop" else 0
        return [
            Loader(paths, domains[name], room, smallest, self._half(name), self._skip)
            for name, paths in zip("AB", files)
        ]

    def training_data(self, dual, files, domains):
        """The TrainingData of `files`, of training_files, whose images are of `domains`, for `dual`.

        Raises UserError if `dual` needs pairs and there are none.
        """
        loaders, partners = self.loaders(dual, files, domains), self.partners(dual, files)
        return TrainingData(files, domains, loaders, partners, self.images_in_epoch(files))

    def partners(self, dual, files):
        """The position in B of each image of A's partner, int64 [|A|]; -1: it comes without one."""
        if dual.pairing == "all" or (dual.pairing == "some" and self.side_by_side):
            return np.arange(len(files.A))  # files are in the order of the pairs
        found = {path.stem: number for number, path in enumerate(files.B)} if dual.pairing == "some" else {}
        partners = np.array([found.get(path.stem, -1) for path in files.A], np.int64)
        if dual.pairing == "some":
            if (partners < 0).all():
                raise UserError(
                    "No image of A has a partner in B: names, but for the suffix, must be equal. The first of A is"
                    f" {files.A[0]}, the first of B {files.B[0]}. Without pairs, use --phase train of cyclegan.main."
                )
            print(f"{(partners >= 0).sum():,} of {len(files.A):,} images of A have a partner in B.")
        return partners

    def images_in_epoch(self, files):
        """How many images of each domain an epoch reads."""
        return {"max": max, "min": min}[self.epoch_size](len(files.A), len(files.B))

    def palettes(self, dual):
        """{domain: colours of its classes, uint8 [K, 3]} of the domains that are label maps."""
        asked = {"A": self.labels_A, "B": self.labels_B}
        found = {name: labels.read_palette(path) for name, path in asked.items() if path not in ("", "auto")}
        if "auto" in asked.values():
            paths = dict(zip("AB", self.training_files(dual)))
            auto = [name for name, path in asked.items() if path == "auto"]
            read = {name: functools.partial(files.read, half=self._half(name)) for name in auto}
            found |= {
                name: labels.find_palette(
                    image for _, image in measure.each(read[name], paths[name][:SEEN], self._skip)
                )
                for name in auto
            }
        return found

    @property
    def _skip(self):
        return self.on_bad_image == "skip"

    def _limits(self, name):
        return _limits(f"range_{name}", getattr(self, f"range_{name}"))

    def _validation(self, dual):
        if self.dir_A:
            return Files([], [])
        find = folders.find_side_by_side if self.side_by_side else folders.find
        return self._limited(find(self._root(dual), "val"))

    def _found(self, dual):
        """The files of training, all of them; raises UserError if a domain has none."""
        if self.dir_A:
            return folders.find_anywhere(self.dir_A, self.dir_B)
        find = folders.find_side_by_side if self.side_by_side else folders.find_all
        return find(self._root(dual), "train")

    def _half(self, name):
        return name if self.side_by_side else None

    def _root(self, dual):
        if self.dataset == "toy":
            return toy.draw_once(self.data_root, dual.load_size or dual.image_size)
        return pathlib.Path(self.data_root, self.dataset)

    def _paired(self, files):
        """The files that have a partner; raises UserError if none has, and says how many have not."""
        pairs, alone = folders.pair(files)
        if not pairs.A:
            raise UserError(
                f"No image of A has a partner in B: names, but for the suffix, must be equal. The first of A is"
                f" {files.A[0]}, the first of B {files.B[0]}. If each file holds both, say --side_by_side."
            )
        if alone:
            named = ", ".join(map(str, alone[:NAMED])) + (f" and {len(alone) - NAMED:,} more" * (len(alone) > NAMED))
            print(f"{len(pairs.A):,} pairs; {len(alone):,} images have no partner and are left out: {named}.")
        return pairs

    def _limited(self, files):
        return Files(*(paths[: self.limit or None] for paths in files))


def _that_read(loader):
    """Those of a Loader's paths that read as images of its domain; says which do not."""
    found = []
    for path in tqdm.tqdm(loader.paths, desc="images that read", unit="image", disable=None, leave=False):
        try:
            loader.read(path)
            found.append(path)
        except UserError as error:
            print(f"warning: {error} It is left out (--on_bad_image skip).", file=sys.stderr, flush=True)
    return found


def _limits(name, text):
    """(low, high) of what a person wrote, LOW,HIGH; None if they wrote nothing."""
    try:
        low, high = (float(part) for part in text.split(",")) if text else (0.0, 1.0)
    except ValueError:
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UserError(f"--{name} {text} is no range: it is LOW,HIGH, two numbers such as 0,3600.")
    return (low, high) if text else None
