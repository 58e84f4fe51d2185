"""Distances of sets against SciPy and torchmetrics, and by hand."""

import tracemalloc

import numpy as np
import pytest
from scipy import linalg, stats

from common.metrics import distances

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=[60, 8]), RANDOM.normal(size=[50, 8]) @ RANDOM.normal(size=[8, 8]) + 0.5


def test_frechet_is_the_formula_with_scipys_square_root():
    covariances = [np.cov(features, rowvar=False) for features in (X, Y)]
    root = linalg.sqrtm(covariances[0] @ covariances[1]).real
    means = ((X.mean(axis=0) - Y.mean(axis=0)) ** 2).sum()
    expected = means + np.trace(covariances[0] + covariances[1] - 2 * root)
    assert distances.frechet(X, Y) == pytest.approx(expected, rel=1e-8)
    assert distances.frechet(X, X) == pytest.approx(0.0, abs=1e-8)


def test_frechet_of_one_feature_by_hand():
    """Means 0 and 3, standard deviations 1 and 2 (of samples): 3² + (2 - 1)²."""
    x = np.array([-1.0, 1.0]) / np.sqrt(2)
    assert distances.frechet(x[:, None], 3 + 2 * x[:, None]) == pytest.approx(10.0)


@pytest.mark.thorough
def test_frechet_is_that_of_torchmetrics():
    torch = pytest.importorskip("torch")
    torchmetrics = pytest.importorskip("torchmetrics")

    class Features(torch.nn.Module):
        num_features = 8

        def forward(self, images):
            return images

    reference = torchmetrics.image.fid.FrechetInceptionDistance(feature=Features(), normalize=False).set_dtype(
        torch.float64
    )
    reference.update(torch.tensor(X), real=True)
    reference.update(torch.tensor(Y), real=False)
    assert distances.frechet(X, Y) == pytest.approx(float(reference.compute()), rel=1e-5)


def test_discrepancy_by_its_definition():
    def kernel(x, y):
        return (x @ y / 8 + 1) ** 3

    within = sum(kernel(a, b) for i, a in enumerate(X) for j, b in enumerate(X) if i != j) / (60 * 59)
    within += sum(kernel(a, b) for i, a in enumerate(Y) for j, b in enumerate(Y) if i != j) / (50 * 49)
    across = sum(kernel(a, b) for a in X for b in Y) / (60 * 50)
    assert distances.discrepancy(X, Y) == pytest.approx(within - 2 * across, rel=1e-10)


@pytest.mark.thorough
def test_discrepancy_is_that_of_torchmetrics():
    torch = pytest.importorskip("torch")
    kid = pytest.importorskip("torchmetrics.image.kid")
    expected = float(kid.poly_mmd(torch.tensor(X[:50]), torch.tensor(Y)))
    assert distances.discrepancy(X[:50], Y) == pytest.approx(expected, rel=1e-5)


def test_the_kernel_distance_is_a_mean_over_subsets():
    mean, error = distances.kernel(X, Y, subsets=400)
    assert abs(mean - distances.discrepancy(X, Y)) < 5 * error  # it is unbiased
    alike, its_error = distances.kernel(X, RANDOM.normal(size=[60, 8]), subsets=400)
    assert abs(alike) < mean / 10 and its_error < error
    assert distances.kernel(X[:3], Y) == (None, None)
    assert None not in distances.kernel(X[:4], Y)  # subsets of two


def projected(image_set, shrink, directions, random):
    """Patches of 7x7 pixels of images in turn, shrunk by means of blocks, on directions."""
    n, height, width, channels = image_set.shape
    height, width = height // shrink, width // shrink
    blocks = image_set[:, : height * shrink, : width * shrink].reshape(n, height, shrink, width, shrink, channels)
    shrunk, count = blocks.mean(axis=(2, 4)), distances.PATCHES
    corners = enumerate(zip(random.integers(0, height - 6, count), random.integers(0, width - 6, count)))
    patches = [shrunk[i % n, top : top + 7, left : left + 7] for i, (top, left) in corners]
    return np.array([patch.transpose(2, 0, 1).ravel() for patch in patches]) @ directions  # channel by channel


@pytest.mark.parametrize(
    ("sides", "levels"), [((7, 20), 1), ((13, 17), 1), ((14, 17), 2), ((27, 30), 2), ((28, 29), 3), ((70, 60), 3)]
)
def test_sliced_wasserstein_is_scipys_of_each_projection(monkeypatch, sides, levels):
    """At full, half and quarter size, if a patch of 7 pixels fits."""
    monkeypatch.setattr(distances, "PATCHES", 300)
    monkeypatch.setattr(distances, "PROJECTIONS", 5)
    images = RANDOM.integers(0, 256, [4, *sides, 2]).astype(float)
    others = RANDOM.integers(0, 128, [6, *sides, 2]).astype(float)
    by_level = []
    for level in range(levels):
        random = np.random.default_rng([3, level])
        directions = random.normal(size=[98, 5])
        directions /= np.linalg.norm(directions, axis=0)
        x, y = (projected(image_set, 2**level, directions, random) for image_set in (images, others))
        by_level.append(np.mean([stats.wasserstein_distance(*pair) for pair in zip(x.T, y.T)]) / 7)
    expected = np.mean(by_level)
    assert distances.sliced_wasserstein(images, others, seed=3) == pytest.approx(expected, rel=1e-10)
    assert distances.sliced_wasserstein(images * 10, others * 10, 2550.0, 3) == pytest.approx(expected, rel=1e-10)


def test_sliced_wasserstein_is_the_same_each_time_unless_the_seed_differs(monkeypatch):
    monkeypatch.setattr(distances, "PATCHES", 300)
    images, others = RANDOM.normal(100, 30, [2, 9, 9, 1]), RANDOM.normal(120, 30, [2, 9, 9, 1])
    first = distances.sliced_wasserstein(images, others)
    assert first == distances.sliced_wasserstein(images, others, 255.0, 0)
    assert first != distances.sliced_wasserstein(images, others, 255.0, 1)


def test_sliced_wasserstein_tells_sets_apart(monkeypatch):
    monkeypatch.setattr(distances, "PATCHES", 1000)
    monkeypatch.setattr(distances, "PROJECTIONS", 32)
    dark, bright = (RANDOM.normal(mean, 10, [8, 32, 32, 3]) for mean in (60, 160))
    same = RANDOM.normal(60, 10, [8, 32, 32, 3])
    assert distances.sliced_wasserstein(dark, same) < distances.sliced_wasserstein(dark, bright) / 10
    assert distances.sliced_wasserstein(dark[:, :6], bright[:, :6]) is None


def test_sliced_wasserstein_holds_one_image_at_a_time(monkeypatch):
    monkeypatch.setattr(distances, "PATCHES", 500)
    monkeypatch.setattr(distances, "PROJECTIONS", 5)
    images = [np.full([64, 64, 3], 9, np.uint8)] * 1000
    tracemalloc.start()
    assert distances.sliced_wasserstein(images, images[:1]) == 0.0
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20e6  # all of them in floating point would be 98 MB


def test_the_kernel_distance_of_constant_features_by_hand():
    """Of 1 and 2 in one dimension: (1 + 1)^3 + (4 + 1)^3 - 2 (2 + 1)^3 = 79; in four, 8 + 125 - 54 as well."""
    for width in (1, 4):
        mean, error = distances.kernel(np.full([9, width], 1.0), np.full([4, width], 2.0))
        assert mean == pytest.approx(79.0) and error == pytest.approx(0.0, abs=1e-12)
    assert distances.discrepancy(np.ones([2, 1]), np.full([2, 1], 2.0)) == pytest.approx(79.0)


@pytest.mark.parametrize(("counts", "size"), [((4, 9), 2), ((9, 5), 2), ((1998, 2500), 999), ((2000, 2500), 1000)])
def test_the_kernel_distance_is_of_subsets_of_half_of_the_smaller_set(monkeypatch, counts, size):
    seen, values = [], iter((1.0, 3.0, 5.0, 7.0))  # their mean is 4, and 20 / 3 their variance as of a sample

    def discrepancy(x, y):
        seen.append([len(x), len(y), len(np.unique(x)), len(np.unique(y))])
        return next(values)

    monkeypatch.setattr(distances, "discrepancy", discrepancy)
    features, others = (np.arange(count, dtype=float)[:, None] for count in counts)
    assert distances.kernel(features, others, subsets=4) == pytest.approx((4.0, np.sqrt(20 / 3 / 4)))
    assert seen == [[size] * 4] * 4


def test_the_kernel_distance_has_a_hundred_subsets_and_the_same_each_time():
    first = distances.kernel(X, Y)
    assert first == distances.kernel(X, Y, 100, 0) and first != distances.kernel(X, Y, 100, 1)


def test_diversity_by_hand():
    images = np.stack([np.full([2, 2, 1], value) for value in (0.0, 10.0, 40.0)])
    assert distances.diversity(images) == pytest.approx((10 + 30 + 40) / 3)
    assert distances.diversity(images[:2]) == pytest.approx(10.0)
    assert distances.diversity(images[:1]) is None
