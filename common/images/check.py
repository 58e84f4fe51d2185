"""Checks a dataset before training: problems that stop training, and problems that it would not notice."""

from __future__ import annotations

import collections
import concurrent.futures
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from common import progress
from common.errors import UserError
from common.images import alignment, facts, files, folders, measure, ranges
from common.images.check_report import KINDS, Finding, Part, Read, Report, Source
from common.images.classes import Classes
from common.images.facts import Facts
from common.images.folders import Files
from common.images.image_settings import ImageSettings
from common.images.notices import of_scale
from common.images.pixels import EIGHT_BITS, Domain, Image, full

THREADS = 4  # decoding threads, each with one image at a time
SHOWN = 5  # values of a mixed folder that are listed one by one
Limits: TypeAlias = tuple[float, float] | None  # (low, high) from the settings


def check(
    sets: Mapping[str, Files],
    dual: ImageSettings,
    limits: Mapping[str, Limits],
    labelled: Mapping[str, Classes | UserError] | None = None,
    side_by_side: bool = False,
) -> Report:
    """Returns the Report on `sets`, {"train": Files, "val": Files}, for `dual`; decodes every image, keeps none.

    `limits` are the ranges of values from the settings, {"A": (low, high) or None, "B": ...}; `labelled` the classes of
    domains that are label maps, or why they have none.
    """
    sources = [
        Source(split, domain, path, domain if side_by_side else None)
        for split, files in sets.items()
        for domain, paths in zip("AB", files)
        for path in paths
    ]
    read, findings = _read(sources)
    parts: dict[tuple[str, str], Read] = {(split, domain): {} for split in sets for domain in "AB"}
    for source, image in read.items():
        parts[source.part][source] = image
    counts = {part: _count(part, sources, within) for part, within in parts.items()}
    for domain, channels in zip("AB", (dual.channels_A, dual.channels_B)):
        splits = {split: parts[split, domain] for split in sets}
        if coded := (labelled or {}).get(domain):
            findings += _mixed(splits, 0)
            findings += _labels(splits, coded)
            continue
        findings += _mixed(splits, channels)
        findings += _unfit(splits, channels, limits[domain])
        findings += _constant(splits, limits[domain])
        findings += _outliers(splits["train"], f"range_{domain}", limits[domain])
        findings += _scale(splits["train"], splits["val"])
    if dual.preprocess == "crop":
        findings += _small(read, *dual.image_sides)
    findings += _equal(read)
    findings += _notes(read)
    findings += _alike(sources)
    if not side_by_side:
        findings += _names(sets, dual.pairing)
        findings += _pair_sizes(sets, read, dual)
    pairs = {split: len(files.A if side_by_side else folders.pair(files)[0].A) for split, files in sets.items()}
    return Report(counts, pairs, sorted(findings, key=lambda finding: KINDS.index(finding.kind)))


def _read(sources: Sequence[Source]) -> tuple[Read, list[Finding]]:
    """Returns {source: Facts} of the images that can be read, and a Finding for each of the others."""
    read: Read = {}
    findings = []
    readers = concurrent.futures.ThreadPoolExecutor(THREADS)
    results = zip(sources, readers.map(_facts, sources))
    try:
        for source, result in progress.bar(results, total=len(sources), desc="check", unit="image"):
            if isinstance(result, UserError):
                findings.append(Finding("corrupt", True, (source,), str(result)))
            else:
                read[source] = result
    finally:
        readers.shutdown(cancel_futures=True)  # Ctrl-C does not wait for the rest
    return read, findings


def _facts(source: Source) -> Facts | UserError:
    try:
        return facts.read(source.path, source.half)
    except UserError as error:
        return error


def _count(part: tuple[str, str], sources: Iterable[Source], read: Read) -> Part:
    images = read.values()
    return Part(
        sum(source.part == part for source in sources),
        collections.Counter((image.height, image.width) for image in images),
        collections.Counter(image.channels for image in images),
        collections.Counter(image.dtype for image in images),
        (min(image.low for image in images), max(image.high for image in images)) if images else None,
    )


def _mixed(splits: Mapping[str, Read], channels: int) -> Iterator[Finding]:
    """Types, channels and sizes of images of one domain that differ from those of most images of the split."""
    for split, read in splits.items():
        train = split == "train"
        yield from _mix("types", train, read, lambda image: image.dtype)
        yield from _mix("channels", train and not _agreed(read, channels), read, _channels)
        yield from _mix("sizes", False, read, lambda image: f"{image.height}x{image.width}")


def _channels(image: Facts) -> str:
    return "1 channel" if image.channels == 1 else f"{image.channels} channels"


def _mix(kind: str, error: bool, read: Read, value: Callable[[Facts], str]) -> Iterator[Finding]:
    """A Finding about the images whose `value` is not the most frequent one, if there are any."""
    counts = collections.Counter(map(value, read.values())).most_common()
    if len(counts) < 2:
        return
    about = ", ".join(f"{count:,} of {name}" for name, count in counts[:SHOWN])
    if rest := counts[SHOWN:]:
        about += f", {sum(count for _, count in rest):,} of {len(rest):,} other {kind}"
    odd = tuple(source for source, image in read.items() if value(image) != counts[0][0])
    yield Finding(kind, error, odd, about)


def _agreed(read: Read, channels: int) -> int | None:
    """The channels of a domain: `channels`, or if that is 0 those of its images; None if the images disagree."""
    if channels or not read:
        return channels
    try:
        return measure.agreed_channels({image.channels: source.path for source, image in read.items()})
    except UserError:
        return None


def _unfit(splits: Mapping[str, Read], channels: int, limit: Limits) -> Iterator[Finding]:
    """Images of one domain that cannot be converted to the Domain of its training images."""
    train = splits["train"]
    types, agreed = {image.dtype for image in train.values()}, _agreed(train, channels)
    if len(types) != 1 or not agreed:
        return
    (dtype,) = types
    domain = Domain(agreed, dtype, *_ranges(splits, limit)[dtype])
    for source, image in _all(splits):
        try:
            domain.of(_smallest(image), source.name)
        except UserError as error:
            yield Finding("unfit", True, (source,), str(error))


def _labels(splits: Mapping[str, Read], coded: Classes | UserError) -> Iterator[Finding]:
    """Label maps of one domain that cannot be read as such, or whose values belong to no class."""
    sources = tuple(source for source, _ in _all(splits))
    if isinstance(coded, UserError):
        if sources:
            yield Finding("classes", True, sources, str(coded))
        return
    domain = Domain(coded.table.shape[1], classes=coded)
    for source in sources:
        try:
            stored = files.decode(source.path, source.half)
            domain.of(stored, source.name)
        except UserError as error:
            yield Finding("unfit", True, (source,), str(error))
        else:
            for note in of_scale(stored.pixels, domain):
                yield Finding("classes", False, (source,), f"{source.name} {note.text}")


def _smallest(image: Facts) -> Image:
    """An Image of two pixels that passes or fails the same checks as the one that was read."""
    values = (image.low, image.high) if np.dtype(image.dtype).kind == "f" else (0, 0)
    pixels = np.repeat(np.array(values, image.dtype)[None, :, None], image.channels, axis=-1)
    return Image(pixels, np.full([1, 2, 1], full(image.dtype), image.dtype) if image.alpha else None)


def _constant(splits: Mapping[str, Read], limit: Limits) -> Iterator[Finding]:
    """Images of one domain whose values vary little, compared with the range of the domain.

    If all images of a folder are like that, there is one Finding, which is an error in train.
    """
    ranges = _ranges(splits, limit)
    for read in splits.values():
        constant = {source: image for source, image in read.items() if image.is_near_constant(*ranges[image.dtype])}
        if constant and len(constant) == len(read):
            yield _all_alike("constant", tuple(constant), "hardly more than one colour")
            continue
        for source, image in constant.items():
            low, high = ranges[image.dtype]
            share = image.spread / (high - low) if low < high else 0.0
            about = f"{source.name} has a standard deviation of {100 * share:.2g}% of the range"
            yield Finding("constant", False, (source,), about)


def _all_alike(kind: str, sources: tuple[Source, ...], likeness: str) -> Finding:
    """A Finding about all images of a folder, from which nothing can be learned."""
    (split, domain), folder = sources[0].part, sources[0].path.parent
    train = split == "train"
    cure = f" A method learns no more from {domain} than that: put images that differ into {folder}." if train else ""
    count = f"all {len(sources):,} images" if len(sources) > 1 else "the only image"
    about = f"{count} of {domain} in {split}: {likeness}.{cure}"
    return Finding(kind, train, sources, about)


def _ranges(splits: Mapping[str, Read], limit: Limits) -> dict[str, tuple[float, float]]:
    """The range of values, (low, high), by type.

    `limit` if given; for 8 bits the range of the type; for other types that of the training images of that type, or of
    all types except 8 bits if there are none.
    """
    deep = [image for image in splits["train"].values() if image.dtype != EIGHT_BITS.dtype]
    ranges = {}
    for dtype in {image.dtype for _, image in _all(splits)}:
        alike = [image for image in deep if image.dtype == dtype] or deep
        if limit or not alike or dtype == EIGHT_BITS.dtype:
            ranges[dtype] = limit or (0.0, full(dtype))
        else:
            ranges[dtype] = min(image.low for image in alike), max(image.high for image in alike)
    return ranges


def _outliers(train: Read, flag: str, limit: Limits) -> Iterator[Finding]:
    """Training images of one domain, not of 8 bits, whose outliers determine the range mapped to [-1, 1]."""
    deep = {source: image for source, image in train.items() if image.dtype != EIGHT_BITS.dtype}
    if limit or not deep:
        return
    values = ranges.combined([image.values for image in deep.values()])
    if values.is_ruled_by_outliers:
        span = values.inner_high - values.inner_low
        low, high = values.inner_low - span, values.inner_high + span
        odd = tuple(source for source, image in deep.items() if image.low < low or image.high > high)
        yield Finding("outliers", False, odd, ranges.advice(values, flag))


def _scale(train: Read, val: Read) -> Iterator[Finding]:
    """Validation images of one domain that, taken together, have another scale than its training images."""
    types = {image.dtype for image in train.values()}
    if len(types) == 1 and val:
        seen = [[image.values_in(*types) for image in read.values()] for read in (val, train)]
        if words := ranges.mismatch(*map(ranges.combined, seen)):
            yield Finding("scale", False, tuple(val), f"val {next(iter(val)).domain}: {words}")


def _notes(read: Read) -> Iterator[Finding]:
    """Notes on how images are read."""
    for source, image in read.items():
        yield from (Finding("notes", False, (source,), f"{source.name} {note.text}") for note in image.notes)


def _pair_sizes(sets: Mapping[str, Files], read: Read, dual: ImageSettings) -> Iterator[Finding]:
    """Pairs whose crops, in training or in the scores of val, would not show the same parts."""
    for split, both in sets.items():
        if split == "train" and dual.pairing == "none":
            continue
        for paths in zip(*folders.pair(both)[0]):
            sources = tuple(Source(split, domain, path) for domain, path in zip("AB", paths))
            if all(source in read for source in sources):
                why = alignment.misfit((read[source].size for source in sources), dual)
                if why:
                    yield Finding("pair sizes", split == "train", sources, f"{paths[0]} and {paths[1]} {why}")


def _all(splits: Mapping[str, Read]) -> Iterator[tuple[Source, Facts]]:
    """(Source, Facts) of every image of a domain."""
    return (item for read in splits.values() for item in read.items())


def _small(read: Read, height: int, width: int) -> Iterator[Finding]:
    """Images that are smaller than the crop of `height` x `width` pixels."""
    for source, image in read.items():
        if image.height < height or image.width < width:
            about = f"{source.name} is {image.height}x{image.width}, smaller than the crop of {height}x{width}"
            yield Finding("small", True, (source,), about)


def _equal(read: Read) -> Iterator[Finding]:
    """Images with equal pixels: within a domain and split, in both domains, or in both splits of a domain.

    An image with a single value in each channel, such as an empty mask, may be in several places: it is reported only
    as a duplicate within a domain and split.
    """
    groups: dict[str, list[Source]] = collections.defaultdict(list)
    for source, image in read.items():
        groups[image.digest].append(source)
    sizes = collections.Counter(source.part for source in read)
    for equal in groups.values():
        for part in dict.fromkeys(source.part for source in equal):
            same = tuple(source for source in equal if source.part == part)
            if len(same) == sizes[part] > 1:
                yield _all_alike("duplicate", same, "the same picture")
            elif len(same) > 1:
                yield Finding("duplicate", False, same)
        if read[equal[0]].spread == 0.0:
            continue
        if len({source.domain for source in equal}) > 1:
            yield Finding("both domains", True, tuple(equal))
        for domain in "AB":
            same = tuple(source for source in equal if source.domain == domain)
            if len({source.split for source in same}) > 1:
                yield Finding("both splits", True, same)


def _alike(sources: Sequence[Source]) -> Iterator[Finding]:
    """Files of one folder whose names differ only in how accents are written, which training refuses."""
    of_path = {source.path: source for source in reversed(sources)}  # of two halves of a file, the left one
    folder_of = {part: [source.path for source in sources if source.part == part] for part in {s.part for s in sources}}
    pairs = dict.fromkeys(pair for paths in folder_of.values() for pair in folders.alike(paths))
    for one, other in pairs:
        yield Finding("ambiguous", True, (of_path[one], of_path[other]), folders.sentence_on_alike(one, other))


def _names(sets: Mapping[str, Files], pairing: str) -> Iterator[Finding]:
    """Images without a partner, and images whose names differ only in the extension, where names define the pairs."""
    for split, both in sets.items():
        pairs, alone = folders.pair(both)
        train = split == "train"
        if pairing == "none" and (train or not pairs.A):
            continue
        needed, unmatched = train and (pairing == "all" or not pairs.A), set(alone)
        for domain, paths in zip("AB", both):
            by_stem: dict[str, list[Source]] = collections.defaultdict(list)
            for path in paths:
                by_stem[path.stem].append(Source(split, domain, path))
                if path in unmatched and (needed or not train):
                    yield Finding("unmatched", needed, (Source(split, domain, path),))
            yield from (Finding("ambiguous", needed, tuple(same)) for same in by_stem.values() if len(same) > 1)
