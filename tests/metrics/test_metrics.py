"""Metrics against scikit-image, TensorFlow and torchmetrics, and by hand."""

import numpy as np
import pytest
from skimage import metrics as reference

from common import tensorflow as tf
from common.metrics import metrics

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


LARGE = RANDOM.integers(0, 256, [23, 24, 3]).repeat(8, 0).repeat(8, 1)
LARGE = np.clip(LARGE + RANDOM.normal(0, 20, LARGE.shape), 0, 255).astype(np.uint8)
NEAR = np.clip(LARGE + RANDOM.normal(0, 30, LARGE.shape), 0, 255).astype(np.uint8)


def test_ms_ssim_is_that_of_tensorflow(session):
    """Which takes the mean over channels last, as we do; in float32."""
    x, y = (tf.constant(image[:176, :192].astype(np.float32)) for image in (NEAR, LARGE))
    expected = session.run(tf.image.ssim_multiscale(x, y, 255.0))
    assert metrics.ms_ssim(NEAR[:176, :192], LARGE[:176, :192]) == pytest.approx(expected, abs=1e-5)


@pytest.mark.thorough
def test_ms_ssim_of_gray_is_that_of_torchmetrics():
    torch = pytest.importorskip("torch")
    torchmetrics = pytest.importorskip("torchmetrics")
    x, y = (torch.tensor(image[None, None, :, :, 0].astype(np.float64)) for image in (NEAR, LARGE))  # odd sides, too
    reference = torchmetrics.image.MultiScaleStructuralSimilarityIndexMeasure(data_range=255.0)
    assert metrics.ms_ssim(NEAR[..., :1], LARGE[..., :1]) == pytest.approx(float(reference(x, y)), abs=1e-5)


def test_ms_ssim_needs_five_windows():
    assert metrics.ms_ssim(LARGE, LARGE) == pytest.approx(1.0)
    assert metrics.ms_ssim(LARGE[:160], LARGE[:160]) is None


def test_the_range_of_other_types():
    deep, target = IMAGE.astype(np.uint16) * 257, TARGET.astype(np.uint16) * 257
    for name, metric in metrics.PAIRED.items():
        if (expected := metric(IMAGE, TARGET)) is not None:
            assert metric(deep, target, 65535.0) == pytest.approx(expected), name


@pytest.mark.parametrize("side", [10, 11, 175, 176])
def test_a_target_compares_several_images_as_each_metric_does(side):
    """Exactly, in any order of the images. Each of five scales has half the size of the previous one, rounded down. The
    smallest must hold a window of 11 pixels, so MS-SSIM needs 11 x 2 x 2 x 2 x 2 = 176 pixels.
    """
    target, images = LARGE[:side, :180], (NEAR[:side, :180], LARGE[:side, 10:190], LARGE[:side, :180])
    compared = metrics.Target(target, 250.0)
    for image in images:
        paired = compared.paired(image)
        assert paired == {name: metric(image, target, 250.0) for name, metric in metrics.PAIRED.items()}
        assert (paired["ssim"] is None) == (side < 11) and (paired["ms_ssim"] is None) == (side < 176)


def test_the_default_range_is_that_of_bytes():
    for name, metric in metrics.PAIRED.items():
        assert metric(NEAR, LARGE) == metric(NEAR, LARGE, 255.0), name
    assert metrics.Target(LARGE).paired(NEAR) == {name: metric(NEAR, LARGE) for name, metric in metrics.PAIRED.items()}


@pytest.mark.parametrize(("difference", "expected"), [(1.0, 48.130804), (255.0, 0.0), (25.5, 20.0)])
def test_psnr_by_hand(difference, expected):
    """10 log10(255² / difference²): 20 dB for a tenth of the range."""
    target = np.zeros([2, 2, 1])
    assert metrics.psnr(target + difference, target) == pytest.approx(expected, abs=1e-6)


def test_ssim_of_flat_images_is_their_luminance():
    """Of 100 and 200: (2 x 20,000 + 2.55²) / (10,000 + 40,000 + 2.55²), as nothing varies."""
    x, y = np.full([11, 11, 1], 100.0), np.full([11, 11, 1], 200.0)
    assert metrics.ssim(x, y) == pytest.approx((40_000 + 6.5025) / (50_000 + 6.5025))


def test_ms_ssim_of_an_inverted_image_is_zero():
    """Its structure is the opposite; a power of a negative number would be none."""
    assert metrics.ms_ssim(255 - LARGE, LARGE) == 0.0


def test_which_metrics_are_better_if_they_are_higher():
    better = {name for name, is_higher in metrics.BETTER.items() if is_higher}
    assert better == {"psnr", "ssim", "ms_ssim", "pixel_accuracy", "class_accuracy", "mean_iou"}
    worse = {"l1", "cycle_l1", "swd", "fid", "kid", "frechet_distance", "kernel_distance"}
    assert metrics.BETTER.keys() - better == worse
