"""Metrics of a pair of images [H, W, C], in float64; `span` is the width of the range of values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from common import ndimage

Image: TypeAlias = npt.NDArray[Any]  # [H, W, C]


def l1(image: Image, target: Image, span: float = 255.0) -> float:
    """Returns the mean absolute difference as a share of the range: 0 for equal images, 1 for black and white."""
    return float(np.mean(np.abs(_float(image) - _float(target))) / span)


def psnr(image: Image, target: Image, span: float = 255.0) -> float | None:
    """Returns the peak signal-to-noise ratio in dB, over all pixels and channels; None for equal images."""
    error = np.mean((_float(image) - _float(target)) ** 2)
    return None if error == 0 else float(10.0 * np.log10(span**2 / error))


def ssim(image: Image, target: Image, span: float = 255.0) -> float | None:
    """Returns structural similarity (Wang et al., 2004), mean over pixels and channels; None below 11 pixels a side.

    Equals scikit-image's structural_similarity with gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
    data_range=span, channel_axis=-1.
    """
    return _ssim(Target(target, span).similarities(image))


def ms_ssim(image: Image, target: Image, span: float = 255.0) -> float | None:
    """Returns SSIM at five scales, each half of the previous one (Wang et al., 2003); None below 176 pixels a side.

    The product of contrast and structure of the first four scales and the SSIM of the last, each with the exponent of
    the paper; negative means count as 0.
    """
    return _ms_ssim(Target(target, span).similarities(image))


class Similarity(NamedTuple):
    """SSIM's factors at each pixel with a complete window, [H - 10, W - 10, C]."""

    luminance: Image
    structure: Image  # contrast times structure


class Target:
    """An image that others are compared with: what SSIM needs of it is computed once, and shared by both its forms."""

    def __init__(self, image: Image, span: float = 255.0) -> None:
        self.image, self._span = image, span
        self._scales: list[tuple[Image, Image, Image]] = []  # image, its local mean, its local variance

    def paired(self, image: Image) -> dict[str, float | None]:
        """Returns the metrics of PAIRED for an image."""
        similarities = self.similarities(image)
        return {
            "l1": l1(image, self.image, self._span),
            "psnr": psnr(image, self.image, self._span),
            "ssim": _ssim(similarities),
            "ms_ssim": _ms_ssim(similarities),
        }

    def similarities(self, image: Image) -> list[Similarity]:
        """Returns the Similarity at each scale: at five, at one below 176 pixels a side, at none below 11."""
        scales, x = [], _float(image)
        side = min(image.shape[:2])
        count = len(SCALES) if side >= WINDOW * 2 ** (len(SCALES) - 1) else int(side >= WINDOW)
        for number in range(count):
            scales.append(_similarity(x, *self._scale(number), self._span))
            x = _halved(x) if number + 1 < count else x
        return scales

    def _scale(self, number: int) -> tuple[Image, Image, Image]:
        if number == len(self._scales):
            y = _halved(self._scales[-1][0]) if self._scales else _float(self.image)
            mean = _window(y)
            self._scales.append((y, mean, _window(y * y) - mean**2))
        return self._scales[number]


def _ssim(scales: Sequence[Similarity]) -> float | None:
    return float(np.mean(scales[0].luminance * scales[0].structure)) if scales else None


def _ms_ssim(scales: Sequence[Similarity]) -> float | None:
    if len(scales) < len(SCALES):
        return None
    product = np.ones(scales[0].structure.shape[-1])  # [C]
    for number, (scale, weight) in enumerate(zip(scales, SCALES)):
        last = number == len(SCALES) - 1
        factor = scale.luminance * scale.structure if last else scale.structure
        product = product * np.maximum(np.mean(factor, axis=(0, 1)), 0.0) ** weight
    return float(np.mean(product))


PAIRED: dict[str, Callable[..., float | None]] = {"l1": l1, "psnr": psnr, "ssim": ssim, "ms_ssim": ms_ssim}
BESIDE = ("input_", "prior_")  # prefixes of a metric: of the unchanged input, and of the output of a classical method
OF_LABELS = ("pixel_accuracy", "class_accuracy", "mean_iou")
OF_FEATURES = ("fid", "kid", "frechet_distance", "kernel_distance")
BETTER = {  # whether a higher value is better
    **dict.fromkeys(("psnr", "ssim", "ms_ssim", *OF_LABELS), True),
    **dict.fromkeys(("l1", "cycle_l1", "swd", *OF_FEATURES), False),
}
WINDOW = 11  # pixels along a side of SSIM's window
SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # weights of MS-SSIM


def _similarity(x: Image, y: Image, mean_y: Image, variance_y: Image, span: float) -> Similarity:
    """Returns the Similarity of `x` and `y`, of which local mean and variance are known."""
    mean_x = _window(x)
    variance_x = _window(x * x) - mean_x**2
    covariance = _window(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    structure = (2 * covariance + c2) / (variance_x + variance_y + c2)
    return Similarity(luminance[5:-5, 5:-5], structure[5:-5, 5:-5])


def _halved(x: Image) -> Image:
    """Returns the means of blocks of 2x2 pixels, without an odd edge."""
    height, width, channels = x.shape
    return x[: height // 2 * 2, : width // 2 * 2].reshape(height // 2, 2, width // 2, 2, channels).mean(axis=(1, 3))


def _window(x: Image) -> Image:
    """Returns each channel filtered by a Gaussian window of 11x11 pixels, sigma 1.5."""
    return ndimage.gaussian_filter(x, sigma=(1.5, 1.5, 0), truncate=3.5)


def _float(image: Image) -> npt.NDArray[np.float64]:
    return np.asarray(image, np.float64)
