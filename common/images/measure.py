"""Measures the channels, type and range of the images of a domain, from the files."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from absl import logging

from common import progress
from common.errors import UserError
from common.images import files, ranges
from common.images.pixels import EIGHT_BITS, Domain, check_finite
from common.images.ranges import Values

INSTEAD = "To skip such images, use --on_bad_image skip."

Content = TypeVar("Content")


def channels(paths: Iterable[pathlib.Path], skip: bool = False) -> int:
    """Returns the channels of the images of a domain, by their headers: 3 if gray and RGB are mixed.

    `skip`: whether to skip files that cannot be read. Raises UserError, naming two files, if other numbers of channels
    are mixed.
    """
    first: dict[int, pathlib.Path] = {}
    for path, header in readable(files.header, paths, skip):
        first.setdefault(header.channels, path)
    return agreed_channels(first)


def agreed_channels(first: Mapping[int, pathlib.Path]) -> int:
    """Does the same, given {channels: the first file with that number}."""
    if first.keys() == {1, 3}:
        return 3
    if len(first) > 1:
        (one, path), (other, another), *_ = first.items()
        raise UserError(
            f"{path} has {one} channels and {another} has {other}, but all images of a domain must have the same"
            " number; only gray and RGB are converted. Convert the files, or use --channels_A or --channels_B."
        )
    return next(iter(first))


def domain(
    paths: Sequence[pathlib.Path],
    channels: int,
    limits: tuple[float, float] | None = None,
    half: str | None = None,
    skip: bool = False,
) -> Domain:
    """Returns the Domain of images with `channels` and the type of the files.

    Its range is `limits`, (low, high), if given; else for 8 bits that of the type, and for other types from the
    smallest to the largest value of all images. Raises UserError if an image cannot be read (with `skip`: if none
    can), if the types differ, or if all images hold a single value.
    """
    dtype = _dtype(paths, skip)
    if limits is None and dtype == EIGHT_BITS.dtype:
        return Domain(channels)
    low, high = limits or _limits(paths, half, skip)
    return Domain(channels, dtype, low, high)


def limits_in(name: str, text: str) -> tuple[float, float] | None:
    """Parses LOW,HIGH, the value of setting `name`: (low, high), or None if empty; raises UserError if invalid."""
    try:
        low, high = (float(part) for part in text.split(",")) if text else (0.0, 1.0)
    except ValueError:
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UserError(f"--{name} {text} is not a valid range: use LOW,HIGH, two numbers such as 0,3600.")
    return (low, high) if text else None


def readable(
    read: Callable[[pathlib.Path], Content], paths: Iterable[pathlib.Path], skip: bool = False
) -> Iterator[tuple[pathlib.Path, Content]]:
    """Yields (path, read(path)) for each of `paths`; with `skip`, only for those that can be read.

    Raises UserError if one cannot be read; with `skip`, if none can.
    """
    count, failure = 0, None
    for path in paths:
        try:
            content = read(path)
        except UserError as error:
            if not skip:
                raise UserError(f"{error} {INSTEAD}") from error
            failure = error
        else:
            count += 1
            yield path, content
    if failure and not count:
        raise failure


def _dtype(paths: Iterable[pathlib.Path], skip: bool) -> str:
    """The type of all images; raises UserError, naming two files, if there are several."""
    first: dict[str, pathlib.Path] = {}
    for path, header in readable(files.header, paths, skip):
        first.setdefault(header.dtype, path)
    if len(first) > 1:
        (one, path), (other, another), *_ = first.items()
        raise UserError(
            f"{path} has {one} values and {another} has {other}, but all images of a domain must have the same type."
            " Convert them."
        )
    return next(iter(first))


def _limits(paths: Sequence[pathlib.Path], half: str | None, skip: bool) -> tuple[float, float]:
    """The smallest and the largest value of all images; raises UserError if they are equal or not finite."""

    def read(path: pathlib.Path) -> Values:
        pixels = files.decode(path, half).pixels
        check_finite([pixels.min(), pixels.max()], path)
        return ranges.measure(pixels)

    shown = progress.bar(paths, desc="range of values", unit="image", leave=False)
    values = ranges.combined([values for _, values in readable(read, shown, skip)])
    if values.low == values.high:
        raise UserError(
            f"All images of {paths[0].parent} hold the single value {values.low:g}: there is nothing to learn from"
            " them. If later images will differ, use --range_A or --range_B LOW,HIGH."
        )
    if values.is_ruled_by_outliers:
        logging.warning(f"warning: in {paths[0].parent}, {ranges.advice(values, 'range_A (or --range_B)')}.")
    return values.low, values.high
