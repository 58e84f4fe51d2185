"""Metrics of a pair of images, in float64; `span` is from the least to the greatest value that they may have."""

import numpy as np
from scipy import ndimage


def l1(image, target, span=255.0):
    """Mean absolute difference as a share of the range: 0 for equal images, 1 for black and white."""
    return float(np.mean(np.abs(_float(image) - _float(target))) / span)


def psnr(image, target, span=255.0):
    """Peak signal-to-noise ratio in dB, over all pixels and channels; None for equal images."""
    error = np.mean((_float(image) - _float(target)) ** 2)
    return None if error == 0 else float(10.0 * np.log10(span**2 / error))


def ssim(image, target, span=255.0):
    """Structural similarity (Wang et al., 2004), mean over pixels and channels; None under 11 pixels.

    As scikit-image's structural_similarity with gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False, data_range=span, channel_axis=-1.
    """
    if min(image.shape[:2]) < 11:
        return None
    x, y = _float(image), _float(target)
    mean_x, mean_y = _window(x), _window(y)
    variance_x, variance_y = _window(x * x) - mean_x**2, _window(y * y) - mean_y**2
    covariance = _window(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
    similarity = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    similarity /= (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
    return float(np.mean(similarity[5:-5, 5:-5]))


PAIRED = {"l1": l1, "psnr": psnr, "ssim": ssim}


def _window(x):
    """Means under a Gaussian window of 11x11 pixels, sigma 1.5, in each channel."""
    return ndimage.gaussian_filter(x, sigma=(1.5, 1.5, 0), truncate=3.5)


def _float(image):
    return np.asarray(image, np.float64)
