"""Distances between two sets of images, or of their features, in float64."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
Images: TypeAlias = Array | Sequence[Array]  # [N, H, W, C]
Vectors: TypeAlias = Array | Sequence[Array]  # features, [N, D]

PATCH, PATCHES, PROJECTIONS = 7, 8192, 256  # sliced Wasserstein distance: side in pixels, numbers


def sliced_wasserstein(images: Images, others: Images, span: float = 255.0, seed: int = 0) -> float | None:
    """Returns the sliced Wasserstein distance of two sets of images [N, H, W, C], by their patches of 7x7 pixels.

    Mean over random directions of the one-dimensional Wasserstein distance of the projected patches, at full, half and
    quarter size (as in Karras et al., 2018, arxiv.org/abs/1710.10196, but of unnormalized pixels, so that wrong colours
    count), divided by the side of a patch, in units of 1/255 of the range `span`. Sizes too small for a patch are left
    out; None if all are.
    """
    *sides, channels = images[0].shape
    by_size = []
    for level in range(3):
        if min(sides) >> level < PATCH:
            break
        random = np.random.default_rng([seed, level])
        directions = random.normal(size=[PATCH * PATCH * channels, PROJECTIONS])
        directions /= np.linalg.norm(directions, axis=0)
        x, y = (np.sort(directions.T @ _patches(image_set, 2**level, random).T) for image_set in (images, others))
        by_size.append(np.abs(x - y).mean() / PATCH)
    return float(np.mean(by_size) * 255.0 / span) if by_size else None


def frechet(features: Vectors, others: Vectors) -> float:
    """Returns the Fréchet distance of the Gaussians with the means and covariances of two sets of features [N, D].

    With Inception features this is FID (Heusel et al., 2017, arxiv.org/abs/1706.08500). It is biased upwards, more so
    with fewer images.
    """
    (mean, covariance), (other_mean, other_covariance) = _moments(features), _moments(others)
    root = _square_root(covariance)
    product = np.linalg.eigvalsh(root @ other_covariance @ root)
    trace = np.trace(covariance) + np.trace(other_covariance) - 2.0 * np.sqrt(np.maximum(product, 0.0)).sum()
    return float(((mean - other_mean) ** 2).sum() + trace)


def kernel(
    features: Array, others: Array, subsets: int = 100, seed: int = 0
) -> tuple[float, float] | tuple[None, None]:
    """Returns mean and standard error over subsets of the squared maximum mean discrepancy of features [N, D].

    The kernel is (x·y / D + 1)³, the estimate unbiased: with Inception features this is KID (Bińkowski et al., 2018,
    arxiv.org/abs/1801.01401). A subset has 1000 images of each set, or half of the smaller set; both results are None
    if that is fewer than two.
    """
    size = min(1000, min(len(features), len(others)) // 2)
    if size < 2:
        return None, None
    random, discrepancies = np.random.default_rng(seed), []
    for _ in range(subsets):
        x, y = (vectors[random.choice(len(vectors), size, replace=False)] for vectors in (features, others))
        discrepancies.append(discrepancy(x, y))
    return float(np.mean(discrepancies)), float(np.std(discrepancies, ddof=1) / np.sqrt(subsets))


def discrepancy(x: Array, y: Array) -> float:
    """Returns the unbiased squared maximum mean discrepancy of x [N, D] and y [M, D], kernel (x·y / D + 1)³."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    n, m = len(x), len(y)
    xx, yy, xy = (((a @ b.T) / x.shape[1] + 1.0) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    within = (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1))
    return within - 2.0 * xy.mean()


def diversity(images: Images) -> float | None:
    """Returns the mean absolute difference between each image [N, H, W, C] and the next; None for fewer than two."""
    if len(images) < 2:
        return None
    pairs = zip(images, [*images[1:], images[0]])
    return float(np.mean([np.abs(np.subtract(one, other, dtype=np.float64)).mean() for one, other in pairs]))


def _patches(images: Images, shrink: int, random: np.random.Generator) -> npt.NDArray[np.float64]:
    """Returns patches [PATCHES, C * PATCH * PATCH] from all images in turn; shrinks one image at a time."""
    n, (height, width, channels) = len(images), images[0].shape
    height, width = height // shrink, width // shrink
    top, left = (random.integers(0, side - PATCH + 1, PATCHES) for side in (height, width))
    patches = np.empty([PATCHES, channels, PATCH, PATCH])
    for first, image in enumerate(images[:PATCHES]):
        blocks = image[: height * shrink, : width * shrink].reshape(height, shrink, width, shrink, channels)
        windows = np.lib.stride_tricks.sliding_window_view(blocks.mean(axis=(1, 3)), (PATCH, PATCH), axis=(0, 1))
        patches[first::n] = windows[top[first::n], left[first::n]]
    return patches.reshape(PATCHES, -1)


def _moments(features: Vectors) -> tuple[Array, Array]:
    """Returns mean [D] and covariance [D, D] of features [N, D]."""
    vectors = np.asarray(features, np.float64)
    return vectors.mean(axis=0), np.atleast_2d(np.cov(vectors, rowvar=False))


def _square_root(matrix: Array) -> Array:
    """Returns the square root of a symmetric matrix that is positive except for rounding."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
