"""Metrics of a pair of images [H, W, C], in float64; `span` is the width of the range of values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

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
    if min(image.shape[:2]) < 11:
        return None
    luminance, structure = _similarities(_float(image), _float(target), span)
    return float(np.mean(luminance * structure))


def ms_ssim(image: Image, target: Image, span: float = 255.0) -> float | None:
    """Returns SSIM at five scales, each half of the previous one (Wang et al., 2003); None below 161 pixels a side.

    The product of contrast and structure of the first four scales and the SSIM of the last, each with the exponent of
    the paper; negative means count as 0.
    """
    if min(image.shape[:2]) < 161:
        return None
    x, y = _float(image), _float(target)
    product = np.ones(x.shape[-1])  # [C]
    for number, weight in enumerate(SCALES):
        luminance, structure = _similarities(x, y, span)
        last = number == len(SCALES) - 1
        similarity = np.mean(luminance * structure if last else structure, axis=(0, 1))  # [C]
        product = product * np.maximum(similarity, 0.0) ** weight
        x, y = _halved(x), _halved(y)
    return float(np.mean(product))


PAIRED: dict[str, Callable[..., float | None]] = {"l1": l1, "psnr": psnr, "ssim": ssim, "ms_ssim": ms_ssim}
BESIDE = ("input_", "prior_")  # prefixes of a metric: of the unchanged input, and of the output of a classical method
OF_LABELS = ("pixel_accuracy", "class_accuracy", "mean_iou")
OF_FEATURES = ("fid", "kid", "frechet_distance", "kernel_distance")
BETTER = {  # whether a higher value is better
    **dict.fromkeys(("psnr", "ssim", "ms_ssim", *OF_LABELS), True),
    **dict.fromkeys(("l1", "cycle_l1", "swd", *OF_FEATURES), False),
}
SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # weights of MS-SSIM


def _similarities(x: Image, y: Image, span: float) -> tuple[Image, Image]:
    """Returns SSIM's factors at each pixel with a complete window: luminance, and contrast times structure."""
    mean_x, mean_y = _window(x), _window(y)
    variance_x, variance_y = _window(x * x) - mean_x**2, _window(y * y) - mean_y**2
    covariance = _window(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    structure = (2 * covariance + c2) / (variance_x + variance_y + c2)
    return luminance[5:-5, 5:-5], structure[5:-5, 5:-5]


def _halved(x: Image) -> Image:
    """Returns the means of blocks of 2x2 pixels, without an odd edge."""
    height, width, channels = x.shape
    return x[: height // 2 * 2, : width // 2 * 2].reshape(height // 2, 2, width // 2, 2, channels).mean(axis=(1, 3))


def _window(x: Image) -> Image:
    """Returns each channel filtered by a Gaussian window of 11x11 pixels, sigma 1.5."""
    return ndimage.gaussian_filter(x, sigma=(1.5, 1.5, 0), truncate=3.5)


def _float(image: Image) -> npt.NDArray[np.float64]:
    return np.asarray(image, np.float64)
