"""Checking a set of images before anything is trained on it: what training would refuse, and what it would not tell."""

from __future__ import annotations

import collections
import concurrent.futures
import pathlib
from typing import NamedTuple

import numpy as np
import tqdm

from common.errors import UserError
from common.images import facts, folders, measure
from common.images.pixels import EIGHT_BITS, Domain, Image, full

THREADS = 4  # that decode, each one image at a time
CONSTANT = 0.01  # of the range of the domain: images that spread less are near-constant
SHOWN = 5  # values of a mix that are counted one by one
HALVES = {None: "", "A": " (left)", "B": " (right)"}


class Source(NamedTuple):
    """A file, and what it is for."""

    split: str  # "train" or "val"
    domain: str  # "A" or "B"
    path: pathlib.Path
    half: str | None = None  # the part of it that is the image: "A" left, "B" right, None all

    @property
    def part(self):
        """The split and the domain."""
        return self.split, self.domain

    @property
    def name(self):
        """What to call the image: the path, and which half of it."""
        return f"{self.path}{HALVES[self.half]}"


class Finding(NamedTuple):
    """What is not as it should be."""

    kind: str  # one of KINDS
    error: bool  # whether training or evaluation would stumble on it, or its scores would not be true
    sources: tuple  # of Source
    about: str = ""  # in words, where the kind and the files do not say it


KINDS = (
    *("corrupt", "types", "channels", "sizes", "unfit", "small"),
    *("both domains", "both splits", "unmatched", "ambiguous", "duplicate", "constant"),
)


class Part(NamedTuple):
    """The images of one domain and split; what does not read is in none of the counts."""

    images: int  # files
    sizes: collections.Counter  # of (height, width)
    channels: collections.Counter
    types: collections.Counter


class Report(NamedTuple):
    """All that was found."""

    parts: dict  # Part by (split, domain)
    pairs: dict  # by split: how many images of A have one of B with their name
    findings: list  # of Finding, in the order of KINDS


def check(sets, dual, limits, side_by_side=False):
    """The Report on `sets`, {"train": Files, "val": Files}, for `dual`; every image is decoded, none is kept.

    `limits` are the ranges of values that are asked for, {"A": (low, high) or None, "B": ...}.
    """
    sources = [
        Source(split, domain, path, domain if side_by_side else None)
        for split, files in sets.items()
        for domain, paths in zip("AB", files)
        for path in paths
    ]
    read, findings = _read(sources)
    parts = {(split, domain): {} for split in sets for domain in "AB"}
    for source, found in read.items():
        parts[source.part][source] = found
    counts = {part: _count(part, sources, within) for part, within in parts.items()}
    for domain in "AB":
        channels, limit = getattr(dual, f"channels_{domain}"), limits[domain]
        within = {split: parts[split, domain] for split in sets}
        findings += _mixed(within, channels)
        findings += _unfit(within, channels, limit)
        findings += _constant(within, limit)
    if dual.preprocess == "crop":
        findings += _small(read, dual.image_size)
    findings += _equal(read)
    findings += [] if side_by_side else _names(sets, dual.pairing)
    pairs = {split: len(files.A if side_by_side else folders.pair(files)[0].A) for split, files in sets.items()}
    return Report(counts, pairs, sorted(findings, key=lambda finding: KINDS.index(finding.kind)))


def _read(sources):
    """({source: Facts} of those that read, a Finding for each other)."""
    read, findings = {}, []
    readers = concurrent.futures.ThreadPoolExecutor(THREADS)
    shown = {"total": len(sources), "desc": "check", "unit": "image", "disable": None}
    try:
        for source, found in tqdm.tqdm(zip(sources, readers.map(_facts, sources)), **shown):
            if isinstance(found, UserError):
                findings.append(Finding("corrupt", True, (source,), str(found)))
            else:
                read[source] = found
    finally:
        readers.shutdown(cancel_futures=True)  # Ctrl-C does not wait for the rest
    return read, findings


def _facts(source):
    try:
        return facts.read(source.path, source.half)
    except UserError as error:
        return error


def _count(part, sources, within):
    found = within.values()
    return Part(
        sum(source.part == part for source in sources),
        collections.Counter((each.height, each.width) for each in found),
        collections.Counter(each.channels for each in found),
        collections.Counter(each.dtype for each in found),
    )


def _mixed(within, channels):
    """Of one domain: types, channels and sizes that differ from those that most images of a split have."""
    for split, found in within.items():
        train = split == "train"
        yield from _mix("types", train, found, lambda each: each.dtype)
        yield from _mix("channels", train and not _agreed(found, channels), found, _channels)
        yield from _mix("sizes", False, found, lambda each: f"{each.height}x{each.width}")


def _channels(found):
    return "1 channel" if found.channels == 1 else f"{found.channels} channels"


def _mix(kind, error, found, value):
    counts = collections.Counter(map(value, found.values())).most_common()
    if len(counts) < 2:
        return
    about = ", ".join(f"{count:,} of {name}" for name, count in counts[:SHOWN])
    if rest := counts[SHOWN:]:
        about += f", {sum(count for _, count in rest):,} of {len(rest):,} other {kind}"
    odd = tuple(source for source, each in found.items() if value(each) != counts[0][0])
    yield Finding(kind, error, odd, about)


def _agreed(found, channels):
    """The channels that images become: those asked for, else those that they have; none if they do not agree."""
    if channels or not found:
        return channels
    try:
        return measure.agreed_channels({each.channels: source.path for source, each in found.items()})
    except UserError:
        return None


def _unfit(within, channels, limit):
    """Images of one domain that do not become images of its training."""
    train = within["train"]
    types, channels = {each.dtype for each in train.values()}, _agreed(train, channels)
    if len(types) != 1 or not channels:
        return
    (dtype,) = types
    domain = Domain(channels, dtype, *(limit or (0.0, 255.0)))
    for source, each in _all(within):
        try:
            domain.of(_smallest(each), source.name)
        except UserError as error:
            yield Finding("unfit", True, (source,), str(error))


def _smallest(found):
    """An Image of two pixels, of which the same can be said as of the one that was read."""
    values = (found.low, found.high) if np.dtype(found.dtype).kind == "f" else (0, 0)
    pixels = np.repeat(np.array(values, found.dtype)[None, :, None], found.channels, axis=-1)
    return Image(pixels, np.full([1, 2, 1], full(found.dtype), found.dtype) if found.alpha else None)


def _constant(within, limit):
    """Images of one domain that spread little, as shares of the range of its values."""
    ranges = _ranges(within, limit)
    for source, each in _all(within):
        low, high = ranges[each.dtype]
        if each.spread < CONSTANT * (high - low) or each.spread == 0.0:
            share = each.spread / (high - low) if low < high else 0.0
            about = f"{source.name} spreads by {100 * share:.2g}% of the range"
            yield Finding("constant", source.split == "train" and low == high, (source,), about)


def _ranges(within, limit):
    """{type: (low, high)}: as asked for; of 8 bits all; of others as training images, of that type if any, have it."""
    deep = [each for each in within["train"].values() if each.dtype != EIGHT_BITS.dtype]
    ranges = {}
    for dtype in {each.dtype for _, each in _all(within)}:
        alike = [each for each in deep if each.dtype == dtype] or deep
        if limit or not alike or dtype == EIGHT_BITS.dtype:
            ranges[dtype] = limit or (0.0, full(dtype))
        else:
            ranges[dtype] = min(each.low for each in alike), max(each.high for each in alike)
    return ranges


def _all(within):
    """(Source, Facts) of every image of a domain."""
    return ((source, each) for found in within.values() for source, each in found.items())


def _small(read, side):
    for source, found in read.items():
        if min(found.height, found.width) < side:
            about = f"{source.name} is {found.height}x{found.width}, smaller than the crop of {side}x{side}"
            yield Finding("small", True, (source,), about)


def _equal(read):
    """Images with equal pixels: within a domain and split, in both domains, in both splits of a domain.

    One that is of a single value in each channel, such as an empty mask, tells nothing about another image: it may be
    in several places, and is a duplicate at most.
    """
    groups = collections.defaultdict(list)
    for source, found in read.items():
        groups[found.digest].append(source)
    for equal in groups.values():
        for part in dict.fromkeys(source.part for source in equal):
            same = tuple(source for source in equal if source.part == part)
            if len(same) > 1:
                yield Finding("duplicate", False, same)
        if read[equal[0]].spread == 0.0:
            continue
        if len({source.domain for source in equal}) > 1:
            yield Finding("both domains", True, tuple(equal))
        for domain in "AB":
            same = tuple(source for source in equal if source.domain == domain)
            if len({source.split for source in same}) > 1:
                yield Finding("both splits", True, same)


def _names(sets, pairing):
    """Images without a partner, and those of one name but for the suffix, wherever images are paired by names."""
    for split, files in sets.items():
        pairs, alone = folders.pair(files)
        train = split == "train"
        if pairing == "none" and (train or not pairs.A):
            continue
        needed, alone = train and (pairing == "all" or not pairs.A), set(alone)
        for domain, paths in zip("AB", files):
            named = collections.defaultdict(list)
            for path in paths:
                named[path.stem].append(Source(split, domain, path))
                if path in alone and (needed or not train):
                    yield Finding("unmatched", needed, (Source(split, domain, path),))
            yield from (Finding("ambiguous", needed, tuple(same)) for same in named.values() if len(same) > 1)
