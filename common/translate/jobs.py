"""Jobs: the files to translate and their outputs."""

from __future__ import annotations

import dataclasses
import functools
import glob
import itertools
import os
import pathlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import ClassVar, NamedTuple

from imageio.config.extensions import known_extensions

from common import settings
from common.errors import UserError
from common.images import files, folders, passed_over, shards
from common.images.pixels import EIGHT_BITS, Domain
from common.settings import FREE, setting

FORMATS = ("keep", *dict.fromkeys(suffix[1:] for suffix in files.SUFFIXES))


@dataclasses.dataclass(frozen=True)
class Translation:
    """Input and output of --phase translate."""

    input: str = setting("", "File, folder or quoted pattern such as 'photos/*.jpg'; or a video.", resume=FREE)
    output: str = setting("", "Folder to write to; for a single file, also a file name.", resume=FREE)
    recursive: bool = setting(False, "Whether to include subfolders.", resume=FREE)
    format: str = setting(
        "keep",
        "Format of the output. keep: that of the input if it can store the output, otherwise png, otherwise tif.",
        FORMATS,
        resume=FREE,
    )
    alpha: str = setting(
        "keep",
        "Transparency of the input, which networks see on white. keep: copy it to the output, if its format can"
        " store it; drop: write an opaque image.",
        ("keep", "drop"),
        resume=FREE,
    )
    quality: int = setting(95, "Quality of JPEG and WebP, from 1 to 100.", minimum=1, maximum=100, resume=FREE)
    suffix: str = setting("", "Text between name and extension, such as _fake.", resume=FREE)
    output_size: str = setting(
        "original",
        "Size of the output. original: that of the input; model: that of the network's output; or HEIGHTxWIDTH.",
        resume=FREE,
    )
    tile: int = setting(
        0,
        "Side in pixels of the tiles for images that do not fit in memory; 0: no tiles. Not for U-Nets.",
        minimum=0,
        resume=FREE,
    )
    tile_overlap: str = setting(
        "auto", "Overlap of tiles in pixels on each side; auto: from the receptive field.", resume=FREE
    )
    skip_existing: bool = setting(False, "Whether to skip files whose output exists.", resume=FREE)
    shard: str = shards.shard_setting()

    of_images: ClassVar[tuple[str, ...]] = (  # settings that do not apply to videos
        *("recursive", "format", "alpha", "quality", "suffix", "skip_existing", "shard"),
    )

    def __post_init__(self) -> None:
        settings.check(self)
        if self.output_size not in ("original", "model") and not re.fullmatch(r"[1-9]\d*x[1-9]\d*", self.output_size):
            raise UserError(
                f"--output_size {self.output_size} is not a valid size: must be original, model, or HEIGHTxWIDTH such"
                " as 480x640."
            )
        size = self.size
        if not isinstance(size, str) and size[0] * size[1] > files.MAX_PIXELS:
            raise UserError(
                f"--output_size {self.output_size} exceeds {files.MAX_PIXELS:,} pixels. Use a smaller size."
            )
        if set(self.suffix) & {"/", "\\", "\0"}:
            raise UserError(
                f"--suffix {self.suffix!r} is not valid in a file name: it is inserted before the extension, such as"
                " _B."
            )
        if self.tile_overlap != "auto" and not self.tile:
            raise UserError("--tile_overlap needs --tile.")
        if self.tile_overlap != "auto" and not self.tile_overlap.isdecimal():
            raise UserError(f"--tile_overlap {self.tile_overlap} is not valid: must be auto or a number of pixels.")
        shards.parse(self.shard)

    @property
    def folder(self) -> pathlib.Path:
        """The folder to write to; it need not exist."""
        return pathlib.Path(self.output).parent if self._to_a_file() else pathlib.Path(self.output)

    @property
    def size(self) -> str | tuple[int, int]:
        """`output_size` as a Translator takes it: "original", "model", or (height, width)."""
        if self.output_size in ("original", "model"):
            return self.output_size
        height, width = self.output_size.split("x")
        return int(height), int(width)

    def jobs(self, limit: int = 0, domain: Domain = EIGHT_BITS) -> Sequence[Job]:
        """Returns a Job for each of the files to translate to images of a Domain; at most `limit`, 0: all.

        Raises UserError if there are none, two would write the same file, or the chosen format cannot store such
        images.
        """
        paths, root = self._inputs()
        self._refuse_output(domain)
        if self._to_a_file():
            jobs = [Job(0, paths[0], pathlib.Path(self.output))]
        else:
            jobs = [self._job(number, source, root, domain) for number, source in enumerate(paths)]
        sources, targets = _locations(job.source for job in jobs), _locations(job.target for job in jobs)
        if self.skip_existing:  # leave out what an earlier run wrote among its inputs
            written = set(targets)
            kept = [source not in written or job.source == job.target for source, job in zip(sources, jobs)]
            jobs = list(itertools.compress(jobs, kept))
            sources, targets = (list(itertools.compress(locations, kept)) for locations in (sources, targets))
        _refuse_collisions(jobs, sources, targets)
        return shards.of(jobs[: limit or None], shards.parse(self.shard))

    def remaining(self, jobs: Iterable[Job]) -> list[Job]:
        """Returns the jobs without those that `skip_existing` leaves out."""
        return [job for job in jobs if not (self.skip_existing and job.target.is_file())]

    def refuse_unnamed(self) -> None:
        """Raises UserError if no input or no output is named."""
        for name in ("input", "output"):
            if not getattr(self, name):
                raise UserError(f"Missing --{name}.")

    def refuse_missing(self) -> None:
        """Raises UserError if no input or no output is named, or if there is no image to translate."""
        self._inputs()

    def _inputs(self) -> tuple[list[pathlib.Path], pathlib.Path]:
        """Returns (the files, frame2 before frame10; the folder to which their paths are relative)."""
        self.refuse_unnamed()
        path, output = pathlib.Path(self.input), pathlib.Path(self.output)
        if path.is_dir():
            if self.recursive and output.resolve().is_relative_to(path.resolve()):
                raise UserError(
                    f"--output {output} is inside --input {path}, so --recursive would translate its own output."
                    " Choose a different --output."
                )
            paths, root = folders.images_in(path, self.recursive), path
        elif path.is_file():
            paths, root = [path], path.parent
        else:
            paths = [match for match in self._matches() if match.is_file()]
            root = folders.on_disk(_fixed_part(path))
        if not paths:
            others = self.passed_over()
            raise UserError(
                f"No images in --input {self.input}: expected a file, a folder with images"
                f" ({' '.join(files.SUFFIXES)}; --recursive includes subfolders), or a pattern that matches files."
                f"{others and f' {others}'}"
            )
        return sorted(paths, key=natural), root

    def passed_over(self) -> str:
        """A sentence with counts of the entries of `input` that are not translated, by reason; "" if there are none."""
        path, cure = pathlib.Path(self.input), "--recursive looks into them"
        if path.is_file():
            return ""
        if path.is_dir():
            text = passed_over.in_folder(path, self.recursive, cure, without=pathlib.Path(self.output))
        else:
            below = "**" in self.input  # then folders that match are searched
            others = (match for match in self._matches() if not (match.is_file() or (below and match.is_dir())))
            text = passed_over.counted(others)
        return f"Passed over in {self.input}: {text}." if text else ""

    def _matches(self) -> list[pathlib.Path]:
        """The paths that match the pattern `input`, without those below `output`."""
        accents = [self.input, *(unicodedata.normalize(form, self.input) for form in ("NFC", "NFD"))]
        patterns = dict.fromkeys(accents)  # in the forms that names of files have on different systems
        matches = [pathlib.Path(path) for pattern in patterns for path in glob.glob(pattern, recursive=True)]
        below = pathlib.Path(self.output).resolve()
        return [match for match in matches if not match.resolve().is_relative_to(below)]

    def _refuse_output(self, domain: Domain) -> None:
        """Raises UserError if `output` cannot be the file or the folder that the settings need."""
        if pathlib.Path(self.output).is_file() and not pathlib.Path(self.input).is_file():
            raise UserError(f"--output {self.output} is a file, but several images need a folder. Use a folder.")
        suffix = pathlib.Path(self.output).suffix.lower()
        if suffix in known_extensions and suffix not in files.SUFFIXES and not pathlib.Path(self.output).is_dir():
            formats = " ".join(files.SUFFIXES)
            raise UserError(
                f"--output {self.output} has a format that cannot be written. Use a folder, or one of {formats}."
            )
        if self._to_a_file() and (self.suffix or self.format != "keep"):
            raise UserError(f"--output {self.output} is a file name: leave out --suffix and --format.")
        written = pathlib.Path(self.output).suffix if self._to_a_file() else f".{self.format}"
        if written != ".keep" and not files.holds_domain(written.lower(), domain):
            kind = "label maps" if domain.classes else f"{domain.dtype} with {domain.channels} channels"
            raise UserError(
                f"{written} cannot store the output, which is {kind}, without loss. Use {files.suffix_for(domain)}."
                if domain.classes
                else f"{written} cannot store the output, which is {kind}. Use {files.suffix_for(domain)}."
            )

    def _to_a_file(self) -> bool:
        """Whether a single file is translated to a file, not into a folder."""
        output = pathlib.Path(self.output)
        return pathlib.Path(self.input).is_file() and output.suffix.lower() in files.SUFFIXES and not output.is_dir()

    def _job(self, number: int, source: pathlib.Path, root: pathlib.Path, domain: Domain) -> Job:
        """Returns the job of a file that is translated into a folder."""
        asked = source.suffix if self.format == "keep" else f".{self.format}"
        suffix = files.suffix_for(domain, asked if asked.lower() in files.SUFFIXES else ".png")
        target = pathlib.Path(self.output, source.relative_to(root).with_name(f"{source.stem}{self.suffix}{suffix}"))
        return Job(number, source, target, self.format == "keep" and asked.lower() != suffix.lower())


def natural(path: str | pathlib.Path) -> tuple[str, str]:
    """Returns a natural sort key: frame2 comes before frame10; the text breaks ties."""
    text = str(path)
    return re.sub("0*([0-9]+)", lambda digits: f"{len(digits[1]):04}{digits[1]}", text), text


class Job(NamedTuple):
    """One file to translate."""

    number: int  # among all files of all shards; keys the noise
    source: pathlib.Path
    target: pathlib.Path
    changed: bool = False  # whether the format changes although the settings keep it


def _locations(paths: Iterable[pathlib.Path]) -> list[str]:
    """Returns where files are once all links are followed; looks at each folder once, as there may be many files."""
    folder_at = functools.cache(os.path.realpath)
    locations = [os.path.join(folder_at(path.parent), path.name) for path in paths]
    return [os.path.realpath(location) if os.path.islink(location) else location for location in locations]


def _refuse_collisions(jobs: Sequence[Job], sources: Iterable[str], targets: Iterable[str]) -> None:
    """Raises UserError if two jobs write the same file, or one overwrites the source of another."""
    first: dict[str, Job] = {}
    sources = set(sources)
    for job, target in zip(jobs, targets):
        if (other := first.setdefault(target, job)) is not job:
            raise UserError(
                f"{job.target} would be written twice, from {other.source} and from {job.source}."
                " Rename one of them, or translate them to separate folders."
            )
        if target in sources:
            raise UserError(
                f"{job.target} is one of the input images, and would be overwritten by the translation of"
                f" {job.source}. Choose a different --output."
            )


def _fixed_part(pattern: pathlib.Path) -> pathlib.Path:
    """Returns the part of a path before its first wildcard."""
    fixed = itertools.takewhile(lambda part: not glob.has_magic(part), pattern.parts)
    return pathlib.Path(*fixed)
