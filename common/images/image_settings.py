"""The settings of a method that determine how its images are read."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Protocol


class ImageSettings(Protocol):
    """The settings of a method that `common.images` needs; `common.dual.Dual` has all of them.

    Images and duals are on the same level of the packages, so neither imports the other.
    """

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    @property
    def image_sides(self) -> tuple[int, int]:
        """(Height, width) of training images, in pixels."""

    @property
    def load_sides(self) -> tuple[int, int]:
        """(Height, width) in pixels to resize to before the crop."""

    @property
    def preprocess(self) -> str:
        """How images are brought to their size: resize_and_crop, crop, or scale_shortest_ or scale_width_and_crop."""

    @property
    def interpolation(self) -> str:
        """How images are resized: bilinear, bicubic, area or nearest."""

    @property
    def antialias(self) -> bool:
        """Whether to smooth when resizing to fewer pixels."""

    @property
    def flip(self) -> bool:
        """Whether training images are mirrored at random."""

    @property
    def channels_A(self) -> int:
        """Channels of images of A; 0: those of the files."""

    @property
    def channels_B(self) -> int:
        """Channels of images of B; 0: those of the files."""

    @property
    def pairing(self) -> str:
        """Which images of A are batched with their partner in B: none, all, or some."""

    @property
    def domain_names(self) -> tuple[str, str] | None:
        """What the images of A and of B are, in the plural, if the method determines it."""

    @property
    def multiple(self) -> int:
        """The number that must divide the height and width of a generator's images."""

    @property
    def smallest(self) -> int:
        """Minimum height and width of a generator's images."""
