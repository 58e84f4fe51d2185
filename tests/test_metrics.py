"""Metrics against scikit-image, and by hand."""

import numpy as np
import pytest
from skimage import metrics as reference

from common import metrics

RANDOM = np.random.default_rng(0)
TARGET = RANDOM.integers(0, 256, [40, 33, 3], np.uint8)
IMAGE = np.clip(TARGET + RANDOM.normal(0, 30, TARGET.shape), 0, 255).astype(np.uint8)


def test_l1_by_hand():
    assert metrics.l1(np.uint8([[[0, 255]]]), np.uint8([[[51, 255]]])) == pytest.approx(0.1)


def test_psnr_is_that_of_scikit_image():
    assert metrics.psnr(IMAGE, TARGET) == pytest.approx(reference.peak_signal_noise_ratio(TARGET, IMAGE), abs=1e-9)


def test_psnr_of_equal_images_is_none():
    assert metrics.psnr(TARGET, TARGET) is None


@pytest.mark.parametrize("channels", [1, 3])
def test_ssim_is_that_of_scikit_image(channels):
    x, y = IMAGE[..., :channels], TARGET[..., :channels]
    expected = reference.structural_similarity(
        x, y, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, channel_axis=-1
    )
    assert metrics.ssim(x, y) == pytest.approx(expected, abs=1e-9)
    assert metrics.ssim(x, x) == pytest.approx(1.0)


def test_ssim_needs_a_window():
    assert metrics.ssim(IMAGE[:10], TARGET[:10]) is None
