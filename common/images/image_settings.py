"""The settings of a method that its images depend on."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Protocol


class ImageSettings(Protocol):
    """What `common.images` needs to know of a method: a `common.dual.Dual` has all of it.

    Images and duals are on one level of the packages, so neither imports the other.
    """

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    @property
    def image_size(self) -> int:
        """Height and width of training images, in pixels."""

    @property
    def load_size(self) -> int:
        """Height and width in pixels to resize to before the crop; 0: image_size."""

    @property
    def preprocess(self) -> str:
        """How a file becomes an image: resize_and_crop, scale_shortest_and_crop or crop."""

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
        """Channels of images of A; 0: as the files have."""

    @property
    def channels_B(self) -> int:
        """Channels of images of B; 0: as the files have."""

    @property
    def pairing(self) -> str:
        """Which images of A come with their image of B: none, all, or some."""

    @property
    def multiple(self) -> int:
        """What must divide the height and width of a generator's images."""

    @property
    def smallest(self) -> int:
        """Minimum height and width of a generator's images."""
