"""Jobs: which files are translated, and where to."""

from __future__ import annotations

import dataclasses
import glob
import itertools
import pathlib
import re
from typing import NamedTuple

from imageio.config.extensions import known_extensions

from common import settings
from common.errors import UserError
from common.images import files, folders, shards
from common.images.pixels import EIGHT_BITS
from common.settings import FREE, setting

FORMATS = ("keep", *dict.fromkeys(suffix[1:] for suffix in files.SUFFIXES))


@dataclasses.dataclass(frozen=True)
class Translation:
    """Which files are translated, and where to."""

    input: str = setting("", "A file, a folder, or a pattern such as 'photos/*.jpg'; or a video.", resume=FREE)
    output: str = setting("", "Folder to write to; for one file, also the file to write.", resume=FREE)
    recursive: bool = setting(False, "Whether to go through the folders below, too.", resume=FREE)
    format: str = setting(
        "keep",
        "Format of what is written; keep: that of the input where it holds the type and the channels of the images,"
        " else png, else tif.",
        FORMATS,
        resume=FREE,
    )
    alpha: str = setting(
        "keep",
        "Transparency of an input, of which networks see the image on white: keep: what is written has it, too, where"
        " its format can; drop: what is written is opaque.",
        ("keep", "drop"),
        resume=FREE,
    )
    quality: int = setting(95, "Of JPEG and WebP, from 1 to 100.", minimum=1, resume=FREE)
    suffix: str = setting("", "What comes between the name and the format, like _fake.", resume=FREE)
    output_size: str = setting(
        "original",
        "Size of what is written: original, as the input; model, as the networks give it; or HEIGHTxWIDTH.",
        resume=FREE,
    )
    tile: int = setting(
        0,
        "Pixels of the sides of tiles that images too large for memory are taken apart into; 0: none. For ResNets.",
        minimum=0,
        resume=FREE,
    )
    tile_overlap: str = setting(
        "auto", "Pixels by which tiles overlap on each side; auto: as far as one pixel sees.", resume=FREE
    )
    skip_existing: bool = setting(False, "Whether files that are there already are left as they are.", resume=FREE)
    shard: str = shards.shard_setting()

    def __post_init__(self):
        settings.check(self)
        if self.output_size not in ("original", "model") and not re.fullmatch(r"[1-9]\d*x[1-9]\d*", self.output_size):
            raise UserError(f"--output_size {self.output_size} is none of: original, model, HEIGHTxWIDTH like 480x640.")
        if self.quality > 100:
            raise UserError(f"--quality {self.quality} is too much: it goes from 1 to 100.")
        if self.size not in ("original", "model") and self.size[0] * self.size[1] > files.MAX_PIXELS:
            raise UserError(
                f"--output_size {self.output_size} is more than {files.MAX_PIXELS:,} pixels. Say a smaller one."
            )
        if set(self.suffix) & {"/", "\\", "\0"}:
            raise UserError(
                f"--suffix {self.suffix!r} is no part of a name: it comes between name and format, like _B."
            )
        if self.tile_overlap != "auto" and not self.tile:
            raise UserError("--tile_overlap is for tiles: say --tile, too.")
        if self.tile_overlap != "auto" and not self.tile_overlap.isdecimal():
            raise UserError(f"--tile_overlap {self.tile_overlap} is neither auto nor a number of pixels.")
        shards.parse(self.shard)

    @property
    def size(self):
        """`output_size` as a Translator takes it: "original", "model", or (height, width)."""
        named = self.output_size in ("original", "model")
        return self.output_size if named else tuple(map(int, self.output_size.split("x")))

    def jobs(self, limit=0, domain=EIGHT_BITS):
        """The files to translate to images of a Domain, each a Job.

        Raises UserError if there are none, two would write one file, or the format that is asked for does
        not hold such images.
        """
        for name in ("input", "output"):
            if not getattr(self, name):
                raise UserError(f"Translate what, and where to? Say --{name}.")
        paths, root = self._inputs()
        self._refuse_output(domain)
        targets = [self._target(path, root, domain) for path in paths]
        jobs = [Job(number, *ends, self._changes(*ends)) for number, ends in enumerate(zip(paths, targets))]
        if self.skip_existing:  # what an earlier run wrote among its inputs
            targets = {job.target.resolve() for job in jobs}
            jobs = [job for job in jobs if job.source.resolve() not in targets or job.source == job.target]
        _refuse_collisions(jobs)
        return shards.of(jobs[: limit or None], shards.parse(self.shard))

    def _inputs(self):
        """(the files, frame2 before frame10; the folder that their places are kept below)."""
        path, output = pathlib.Path(self.input), pathlib.Path(self.output)
        if path.is_dir():
            if self.recursive and output.resolve().is_relative_to(path.resolve()):
                raise UserError(
                    f"--output {output} lies in --input {path}, and --recursive would translate what is written there."
                    " Give another folder."
                )
            found, root = folders.images_in(path, self.recursive), path
        elif path.is_file():
            found, root = [path], path.parent
        else:
            found = list(map(pathlib.Path, glob.glob(self.input, recursive=True)))
            below = output.resolve()  # what is written there is no input
            found = [each for each in found if each.is_file() and not each.resolve().is_relative_to(below)]
            root = _fixed_part(path)
        if not found:
            raise UserError(
                f"No images in --input {self.input}: it is no file, no folder with images ({' '.join(files.SUFFIXES)};"
                " --recursive looks below), and no pattern that fits any file."
            )
        return sorted(found, key=natural), root

    def _refuse_output(self, domain):
        """Raises UserError if `output` cannot be what it would have to be."""
        if pathlib.Path(self.output).is_file() and not pathlib.Path(self.input).is_file():
            raise UserError(f"--output {self.output} is a file, and several images need a folder.")
        suffix = pathlib.Path(self.output).suffix.lower()
        if suffix in known_extensions and suffix not in files.SUFFIXES and not pathlib.Path(self.output).is_dir():
            written = " ".join(files.SUFFIXES)
            raise UserError(
                f"--output {self.output} is of a format that is not written. Say a folder, or one of {written}."
            )
        if self._to_a_file() and (self.suffix or self.format != "keep"):
            raise UserError(f"--output {self.output} is the name of a file: leave out --suffix and --format.")
        asked = pathlib.Path(self.output).suffix if self._to_a_file() else f".{self.format}"
        if asked != ".keep" and not files.holds(asked.lower(), domain.dtype, domain.channels):
            raise UserError(
                f"{asked} does not hold what is made, {domain.dtype} of {domain.channels} channels. Say"
                f" {files.suffix_for(domain)}."
            )

    def _changes(self, source, target):
        return self.format == "keep" and not self._to_a_file() and source.suffix.lower() != target.suffix.lower()

    def _to_a_file(self):
        """Whether one file is translated to another, and not into a folder."""
        output = pathlib.Path(self.output)
        return pathlib.Path(self.input).is_file() and output.suffix.lower() in files.SUFFIXES and not output.is_dir()

    def _target(self, path, root, domain):
        output = pathlib.Path(self.output)
        if self._to_a_file():
            return output
        suffix = path.suffix if self.format == "keep" else f".{self.format}"
        suffix = files.suffix_for(domain, suffix if suffix.lower() in files.SUFFIXES else ".png")
        return output / path.relative_to(root).with_name(f"{path.stem}{self.suffix}{suffix}")


def natural(path):
    """A sort key by which frame2 comes before frame10: digits are numbers, ties are broken by the text."""
    text = str(path)
    return re.sub("0*([0-9]+)", lambda digits: f"{len(digits[1]):04}{digits[1]}", text), text


class Job(NamedTuple):
    """One file to translate."""

    number: int  # among all files, whatever the shard: noise goes by it
    source: pathlib.Path
    target: pathlib.Path
    changed: bool = False  # whether the format is another, and nobody asked for that


def _refuse_collisions(jobs):
    first, sources = {}, {job.source.resolve() for job in jobs}
    for job in jobs:
        target = job.target.resolve()
        if (other := first.setdefault(target, job)) is not job:
            raise UserError(
                f"{job.target} would be written twice, from {other.source} and from {job.source}."
                " Rename one of them, or translate them to folders of their own."
            )
        if target in sources:
            raise UserError(
                f"{job.target} is one of the images to translate, and would be written over by the translation of"
                f" {job.source}. Give another --output."
            )


def _fixed_part(pattern):
    """The folder above the first part of a path that is a pattern."""
    fixed = itertools.takewhile(lambda part: not glob.has_magic(part), pattern.parts)
    return pathlib.Path(*fixed)
