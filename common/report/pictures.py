"""Compresses pictures as WebP to fit into a page, with the first of several sizes and qualities for which all fit."""

from __future__ import annotations

import base64
import concurrent.futures
import functools
import io
import os
import pathlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import PIL.Image

from common import atomic
from common.errors import UserError
from common.images import files, pixels
from common.images.classes import COLOURS, PALETTE, Classes
from common.report.reading import Config, part

SAMPLED = 24  # pictures from which the total size is estimated
MARGIN = 1.1  # factor on that estimate


class Size(NamedTuple):
    """The size and quality of pictures."""

    side: int  # maximum of the longer side, in pixels
    quality: int | None  # of WebP, from 0 to 100; None: lossless
    budget: int  # maximum characters of all pictures together


EXACT, MOST = 6_000_000, 17_000_000
SIZES = (
    Size(256, None, EXACT),
    *(Size(256, quality, MOST) for quality in (85, 70, 55, 40)),
    *(Size(side, 40, MOST) for side in (224, 192, 160)),
)
STRIP = Size(1024, 65, MOST)


class Source(NamedTuple):
    """The file of a picture, the values shown as black and white (None: those of its type), and those of classes."""

    path: pathlib.Path
    span: tuple[float, float] | None = None
    classes: Classes | None = None  # of label maps


class Picture(NamedTuple):
    """A picture in the page."""

    width: int
    height: int
    webp: str  # base64


def span(config: Config, domain: str) -> tuple[float, float] | None:
    """Returns (low, high) of a domain, from config.json; None if missing there, or if the images have 8 bits."""
    facts = part(config, "domains", domain)
    if facts.get("dtype", "uint8") == "uint8":
        return None
    low, high = facts.get("low"), facts.get("high")
    return (float(low), float(high)) if isinstance(low, (int, float)) and isinstance(high, (int, float)) else None


def classes(config: Config, domain: str) -> Classes | None:
    """Returns the Classes of a domain, from config.json; None if it has none, or they are not valid."""
    facts = part(config, "domains", domain, "classes")
    texts = [facts.get(name) for name in ("values", "colours")]
    if all(isinstance(text, str) and re.fullmatch(COLOURS, text) for text in texts):
        of_palette = Classes(PALETTE, *map(str, texts))
        return of_palette if of_palette.palette.shape[1] == 3 else None  # people see three channels
    return None


def picture(source: Source, size: Size) -> Picture | None:
    """Returns the Picture of a Source; None if it cannot be read. Results are cached in memory."""
    return _from_file(_picture, source, size)


def strip(path: pathlib.Path) -> Picture | None:
    """Returns the Picture of a sample strip; None if it cannot be read.

    Only a few are cached, as a training writes thousands.
    """
    return _from_file(_strip, Source(path), STRIP)


def size(path: pathlib.Path) -> tuple[int, int] | None:
    """Returns (width, height) of a picture file; None if it cannot be read."""
    try:
        with open(path, "rb", opener=atomic.regular) as file, PIL.Image.open(file) as image:
            return image.size
    except (OSError, ValueError, PIL.Image.DecompressionBombError):
        return None


def fitting(groups: Sequence[Sequence[Source]]) -> tuple[Size, dict[Source, Picture]]:
    """Returns (Size, {Source: Picture}) for groups of Sources, the most important first.

    Later groups get no pictures if not all of them fit at the smallest size. Unreadable files are left out.
    """
    sources = list(dict.fromkeys(source for group in groups for source in group))
    if not sources:
        return SIZES[0], {}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as workers:
        size, share = _size(sources, workers)
        wanted = sources[: max(1, int(len(sources) * min(1.0, share)))]
        shown = list(workers.map(lambda source: picture(source, size), wanted))
    return size, _within(dict(zip(wanted, shown)), size.budget)


def _size(sources: Sequence[Source], workers: concurrent.futures.Executor) -> tuple[Size, float]:
    """The first Size for which all fit, estimated from a few of them, or the last; and the share that fits."""
    few = [sources[i] for i in np.unique(np.linspace(0, len(sources) - 1, SAMPLED).astype(int))]
    for size in SIZES:
        shown = [image for image in workers.map(picture, few, [size] * len(few)) if image]
        needed = sum(len(image.webp) for image in shown) / len(few) * len(sources) * MARGIN
        if needed <= size.budget:
            break
    return size, size.budget / max(1.0, needed)


def _within(shown: Mapping[Source, Picture | None], budget: int) -> dict[Source, Picture]:
    """The first pictures, as many as fit in the budget."""
    kept: dict[Source, Picture] = {}
    used = 0
    for source, image in shown.items():
        used += len(image.webp) if image else 0
        if image and used <= budget:
            kept[source] = image
    return kept


def _from_file(make: Callable[[Source, Size, int, int], Picture], source: Source, size: Size) -> Picture | None:
    """The Picture of a file, cached by modification time and size; None if it cannot be read."""
    try:
        status = os.stat(source.path)
        return make(source, size, status.st_mtime_ns, status.st_size)
    except (OSError, UserError):
        return None


def _smaller(source: Source, size: Size, changed: int, bytes_of_file: int) -> Picture:
    """The Picture of a file; `changed` and `bytes_of_file` are only keys of the cache."""
    image = PIL.Image.fromarray(_eight_bits(pixels.opaque(files.decode(source.path)), source))
    scale = min(1.0, size.side / max(image.size))
    if scale < 1.0:
        width, height = (max(1, round(side * scale)) for side in image.size)
        image = (
            image.resize((width, height), PIL.Image.Resampling.NEAREST)
            if source.classes
            else image.resize((width, height), PIL.Image.Resampling.LANCZOS, reducing_gap=3.0)
        )
    written = io.BytesIO()
    options: dict[str, Any] = (
        {"lossless": True, "method": 0} if size.quality is None else {"quality": size.quality, "method": 1}
    )
    image.save(written, "WEBP", **options)
    return Picture(*image.size, base64.b64encode(written.getvalue()).decode("ascii"))


_picture, _strip = functools.lru_cache(8192)(_smaller), functools.lru_cache(32)(_smaller)


def _eight_bits(image: npt.NDArray[Any], source: Source) -> npt.NDArray[np.uint8]:
    """[H, W, C] of any type, of a Source, as RGB of 8 bits, [H, W, 3]."""
    span, classes = source.span, source.classes
    if classes and classes.table.shape[1] == image.shape[-1] and len(classes.table) == len(classes.palette):
        return classes.palette[classes.numbers(image)]
    shown = pixels.to_look_at(image)
    if shown.dtype == np.uint8 and span is None:
        return np.ascontiguousarray(shown)
    low, high = span or (0.0, pixels.full(shown.dtype))
    share = np.nan_to_num((shown.astype(np.float64) - low) / ((high - low) or 1.0))
    return np.rint(np.clip(share, 0.0, 1.0) * 255.0).astype(np.uint8)
