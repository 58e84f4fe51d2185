"""Pixels: channels, type, and the range of values that is mapped to [-1, 1]."""

from __future__ import annotations

import dataclasses
import os
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from common.errors import ImageError
from common.images import bounds
from common.images.classes import Classes

Array: TypeAlias = npt.NDArray[Any]

LUMINANCE = np.array([0.299, 0.587, 0.114])  # of R, G, B: ITU-R BT.601


class Note(NamedTuple):
    """A note to the user on how a file was read."""

    kind: str  # pages, frames, profile, no data, scale
    text: str  # follows the name of the file in a sentence


ON_EARTH = "place on Earth"  # may be lost by a translation


class Place(NamedTuple):
    """The georeference and resolution of an image; valid while its size stays the same."""

    tags: tuple[tuple[int, int, int, Any], ...] = ()  # (code, type, count, value) of TIFF, of the place on Earth
    resolution: tuple[float, float] | None = None  # pixels per inch, along rows and along columns
    left: tuple[str, ...] = ()  # metadata of the file that are not carried over


class Image(NamedTuple):
    """An image as a file stores it."""

    pixels: Array  # [H, W, C], of any type of numbers
    alpha: Array | None = None  # [H, W, 1] of the same type: 0 is transparent
    place: Place = Place()
    notes: tuple[Note, ...] = ()


@dataclasses.dataclass(frozen=True)
class Domain:
    """The channels, type and range that all images of a domain share."""

    channels: int = 3
    dtype: str = "uint8"  # NumPy's name
    low: float = 0.0  # the value that is mapped to -1
    high: float = 255.0  # the value that is mapped to 1
    classes: Classes | None = None  # of label maps, whose values are not mapped to [-1, 1]

    @property
    def is_whole(self) -> bool:
        """Whether the range is the full range of its type."""
        if np.dtype(self.dtype).kind not in "iu":
            return False
        limits = np.iinfo(self.dtype)
        return self.low <= limits.min and self.high >= limits.max

    @property
    def span(self) -> float:
        """The distance from `low` to `high`."""
        return self.high - self.low

    @property
    def inner_channels(self) -> int:
        """The channels of tensors in [-1, 1], which networks see: those of the files, except for label maps."""
        return self.classes.channels if self.classes else self.channels

    def facts(self) -> dict[str, Any]:
        """The fields as JSON, for config.json; without classes if there are none."""
        fields = dataclasses.asdict(self)
        return fields if self.classes else {name: value for name, value in fields.items() if name != "classes"}

    def of(self, image: Image, name: str | os.PathLike[str]) -> Array:
        """Converts an Image to this domain: [H, W, channels] of its type.

        Transparency becomes white (`high`, in domains that are not of 8 bits), unless the domain has a channel for it.
        Gray becomes RGB by repetition, RGB becomes gray by luminance. For a domain of 8 bits, other types are scaled:
        unsigned integers by their maximum, floating point from [0, 1]. For another domain, types other than 8 bits hold
        the same quantity and are cast. Of label maps, transparency is ignored and values are kept. Raises ImageError,
        naming `name`, if the image cannot be converted.
        """
        if self.classes:
            return _label_map(image.pixels, self.channels, name)
        white = None if self.dtype == "uint8" else self.high
        return self._typed(_combined(image, self.channels, name, white), name)

    def describe(self) -> str:
        """The type and the range, or the classes, in words."""
        if self.classes:
            return self.classes.describe()
        return f"{self.dtype} from {self.low:,.9g} to {self.high:,.9g}"

    def _typed(self, pixels: Array, name: str | os.PathLike[str]) -> Array:
        if pixels.dtype.kind == "f":
            check_finite(pixels, name)
        if pixels.dtype == self.dtype:
            return pixels
        if self.dtype == "uint8":
            return _to_8_bits(pixels, name)
        if pixels.dtype == np.uint8:
            raise ImageError(
                f"{name} has 8 bits per channel, but the images of its domain are {self.describe()}.", "Convert it."
            )
        if np.dtype(self.dtype).kind == "f":
            return pixels.astype(self.dtype)
        limits = np.iinfo(self.dtype)

        def whole(part: Array) -> Array:
            return np.clip(np.rint(part.astype(np.float64)), limits.min, limits.max).astype(self.dtype)

        return bounds.in_parts(whole, pixels)


EIGHT_BITS = Domain()


def plausible(along_rows: float, along_columns: float) -> tuple[float, float] | None:
    """A resolution in pixels per inch, or None if some format cannot hold it."""
    return (along_rows, along_columns) if all(1 <= side < 2**16 for side in (along_rows, along_columns)) else None


def check_finite(values: npt.ArrayLike, name: str | os.PathLike[str]) -> None:
    """Raises ImageError, naming `name`, if a value is not a finite number."""
    if not np.isfinite(values).all():
        raise ImageError(f"{name} has values that are not finite.", "Replace them, or leave the image out.")


def full(dtype: npt.DTypeLike) -> float:
    """The value of white, or of opaque, in images of a type: the largest integer, or 1.0."""
    return 1.0 if np.dtype(dtype).kind == "f" else np.iinfo(np.dtype(dtype)).max


def opaque(image: Image, white: float | None = None) -> Array:
    """The pixels [H, W, C] of an Image on a white background; `white` is by default that of its type."""
    if image.alpha is None:
        return image.pixels
    dtype = image.pixels.dtype
    background = full(dtype) if white is None else white

    def blended(pixels: Array, alpha: Array) -> Array:
        share = alpha / full(dtype)
        return _rounded(pixels * share + background * (1.0 - share), dtype)

    return bounds.in_parts(blended, image.pixels, image.alpha)


def cast_alpha(alpha: Array, dtype: npt.DTypeLike) -> Array:
    """Converts transparency [H, W, 1] to that of images of another type."""
    if alpha.dtype == dtype:
        return alpha
    return bounds.in_parts(lambda part: _rounded(part / full(alpha.dtype) * full(dtype), np.dtype(dtype)), alpha)


def with_channels(pixels: Array, channels: int) -> Array | None:
    """Converts [H, W, C] to `channels`: gray to RGB by repetition, RGB to gray by luminance.

    Returns None for any other change of channels.
    """
    count = pixels.shape[-1]
    if count == channels:
        return pixels
    if (count, channels) == (1, 3):
        return np.repeat(pixels, 3, axis=-1)
    if (count, channels) == (3, 1):
        return bounds.in_parts(lambda part: _rounded(part @ LUMINANCE, pixels.dtype)[..., None], pixels)
    return None


def to_look_at(images: Array, domain: Domain | None = None) -> Array:
    """Converts [..., C] to RGB for viewing: the first three channels, or if there are fewer the first one repeated.

    Label maps of a `domain`, if it is given, are shown in the colours of their classes.
    """
    if domain and domain.classes:
        return domain.classes.palette[domain.classes.numbers(images)]
    return images[..., :3] if images.shape[-1] >= 3 else np.repeat(images[..., :1], 3, axis=-1)


def _label_map(pixels: Array, channels: int, name: str | os.PathLike[str]) -> Array:
    """The pixels of a label map as uint8 with `channels`, 1 or 3; raises ImageError if they would lose their values."""
    if pixels.dtype != np.uint8:
        if pixels.dtype.kind not in "iub" or pixels.min() < 0 or pixels.max() > 255:
            raise ImageError(
                f"{name} has {pixels.dtype} values from {pixels.min():g} to {pixels.max():g}, but the values of a label"
                " map are whole numbers from 0 to 255.",
                "Convert it.",
            )
        pixels = pixels.astype(np.uint8)
    count = pixels.shape[-1]
    if count == channels:
        return pixels
    if (count, channels) == (1, 3):
        return np.repeat(pixels, 3, axis=-1)
    if (count, channels) == (3, 1) and (pixels == pixels[..., :1]).all():
        return pixels[..., :1]
    raise ImageError(
        f"{name} has {count} channels, but the label maps of its domain have {channels}.",
        "Convert it: classes are either numbers in one channel, or colours in three.",
    )


def _combined(image: Image, channels: int, name: str | os.PathLike[str], white: float | None) -> Array:
    """The pixels of an Image with `channels` channels, of which the last may be its alpha."""
    count = image.pixels.shape[-1]
    if image.alpha is not None and count + 1 == channels:
        return np.concatenate([image.pixels, image.alpha], axis=-1)
    pixels = with_channels(opaque(image, white), channels)
    if pixels is not None:
        return pixels
    raise ImageError(
        f"{name} has {count} channels, but {channels} are needed: only gray and RGB are converted to each other.",
        "Convert it, or train with other --channels_A or --channels_B (auto: the channels of the images).",
    )


def _to_8_bits(pixels: Array, name: str | os.PathLike[str]) -> Array:
    if pixels.dtype.kind == "f":
        if pixels.min() < 0.0 or pixels.max() > 1.0:
            raise ImageError(
                f"{name} has values from {pixels.min():.6g} to {pixels.max():.6g}, but networks for 8-bit images take"
                " floating point from 0 to 1.",
                "Rescale it.",
            )
    elif pixels.dtype.kind != "u":
        raise ImageError(f"{name} has {pixels.dtype} values, but the images of its domain have 8 bits.", "Convert it.")
    return bounds.in_parts(lambda part: _rounded(part / full(part.dtype) * 255.0, np.dtype(np.uint8)), pixels)


def _rounded(values: Array, dtype: np.dtype[Any]) -> Array:
    return values.astype(dtype) if dtype.kind == "f" else np.rint(values).astype(dtype)
