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


def test_sliced_wasserstein_is_scipys_of_each_projection(monkeypatch):
    monkeypatch.setattr(distances, "PATCHES", 300)
    monkeypatch.setattr(distances, "PROJECTIONS", 5)
    images = RANDOM.integers(0, 256, [4, 13, 17, 2]).astype(float)
    others = RANDOM.integers(0, 128, [6, 13, 17, 2]).astype(float)
    random = np.random.default_rng([0, 0])
    directions = random.normal(size=[98, 5])
    directions /= np.linalg.norm(directions, axis=0)
    projected = []
    for image_set in (images, others):
        tops, lefts = random.integers(0, 7, 300), random.integers(0, 11, 300)
        corners = enumerate(zip(tops, lefts))
        patches = [image_set[n % len(image_set), top : top + 7, left : left + 7] for n, (top, left) in corners]
        patches = [patch.transpose(2, 0, 1).ravel() for patch in patches]  # channel by channel
        projected.append(np.array(patches) @ directions)
    expected = np.mean([stats.wasserstein_distance(x, y) for x, y in zip(projected[0].T, projected[1].T)]) / 7
    assert distances.sliced_wasserstein(images, others) == pytest.approx(expected, rel=1e-10)
    assert distances.sliced_wasserstein(images * 10, others * 10, span=2550.0) == pytest.approx(expected, rel=1e-10)


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


def test_diversity_by_hand():
    images = np.stack([np.full([2, 2, 1], value) for value in (0.0, 10.0, 40.0)])
    assert distances.diversity(images) == pytest.approx((10 + 30 + 40) / 3)
    assert distances.diversity(images[:1]) is None
