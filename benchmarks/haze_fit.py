"""The haze that several images of a scene show, and the clear scene under it.

Each image has its own density b and brightness a of the air, and all share the clear scene J and its depth d:
seen = J exp(-b d) + a (1 - exp(-b d)) (Koschmieder, 1924). If the air is equally bright in all of them, this cannot
tell how much haze they all share; enough is removed to make the darkest hundredth of the scene black, as in clear
photographs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage, optimize

SAMPLE = 400  # pixels of a scene that determine densities and air
LONGEST = 80  # iterations of that fit
FIRST_AIR, FIRST_DEPTH = 0.95, 0.6
DEPTHS = -np.log(np.linspace(0.99, 0.02, 48))  # the first to try; then halves of their distances
HALVINGS = 9
THIN = 1e-4  # squared error per depth: what is as bright as the air has any depth, and gets a small one
DARKEST = 1.0  # percent of a scene's values that become black
TOLERANCE = 1.02  # factor of the error up to which densities explain the images equally well
NOISE = 3e-3  # sum of squared transmissions below which neighbours count as much as the pixel itself
Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.floating]


class Haze(NamedTuple):
    """The haze of images of one scene."""

    density: Floats  # [N], of mean 1
    air: Floats  # brightness of the air, [N] in [0, 1]

    @property
    def ratio(self) -> float:
        """Returns how many times denser the densest is than the thinnest."""
        return float(self.density.max() / self.density.min())

    def thickened(self, shift: float) -> Haze:
        """Returns the haze with `shift` more in each image, in units in which the mean stays 1."""
        return self._replace(density=(self.density + shift) / (1.0 + shift))

    def of_ratio(self, ratio: float) -> Haze:
        """Returns the haze with as much more, or less, in each image as gives it the `ratio`, above 1."""
        return self.thickened((self.density.max() - ratio * self.density.min()) / (ratio - 1.0))


class Scene(NamedTuple):
    """A clear scene, and the haze of its images."""

    clear: Floats  # [H, W, 3] in [0, 1]
    depth: Floats  # [H, W], in units in which the densities have a mean of 1
    haze: Haze
    error: float  # root mean square of what the model leaves, in [0, 1]


def haze_over(images: Pixels, seed: int = 0) -> Haze:
    """Fits the haze over images of one scene [N, H, W, 3]. `seed` draws the pixels that determine it."""
    sample = np.random.default_rng(seed).permutation(_pixels(images))[:SAMPLE].astype(np.float64)
    haze = haze_of(sample)
    return without_common_haze(sample, haze)


def restored(images: Pixels, haze: Haze) -> Scene:
    """Fits the scene of the images [N, H, W, 3] under `haze`."""
    depth, clear, errors = scene_under(_pixels(images), haze)
    clear, depth = clear.reshape(images.shape[1:]), depth.reshape(images.shape[1:3])
    return Scene(steadied(clear, depth, haze.density), depth, haze, float(np.sqrt(np.mean(np.square(errors)))))


def _pixels(images: Pixels) -> Floats:
    """Returns the pixels [P, N, 3] of `images` [N, H, W, 3], in [0, 1]."""
    return (images.reshape(len(images), -1, images.shape[-1]).swapaxes(0, 1) / 255.0).astype(np.float32)


def haze_of(seen: Floats) -> Haze:
    """Returns the haze that explains the pixels `seen` [P, N, 3] best."""
    count = seen.shape[1]
    lost = -np.log(np.maximum(FIRST_AIR - seen, 0.02)).mean(axis=2)  # of contrast to the air, [P, N]
    lost -= lost[:, [seen.mean(axis=(0, 2)).argmin()]]
    first = np.clip(1.0 + np.median(lost, axis=0) / FIRST_DEPTH, 0.3, 3.0)

    def errors(parameters: Floats) -> Floats:
        air, density = np.split(parameters, 2)
        rest = scene_under(seen, Haze(density / density.mean(), air))[2]
        return np.append(rest.ravel() * 255.0, 10.0 * (density.mean() - 1.0))

    fitted = optimize.least_squares(
        errors,
        np.concatenate([np.full(count, FIRST_AIR), first / first.mean()]),
        bounds=([0.5] * count + [0.1] * count, [1.0] * count + [4.0] * count),
        x_scale=[0.05] * count + [0.1] * count,
        loss="soft_l1",
        diff_step=np.full(2 * count, 2e-3),
        max_nfev=LONGEST,
    )
    air, density = np.split(fitted.x, 2)
    return Haze(density / density.mean(), air)


def scene_under(seen: Floats, haze: Haze) -> tuple[Floats, Floats, Floats]:
    """Returns depths [P] and clear values [P, 3] of the pixels `seen` [P, N, 3], and what they leave [P, N, 3].

    The depth with the least squared error is searched; the best clear value at a depth has a formula.
    """
    density, air = haze.density.astype(seen.dtype), haze.air.astype(seen.dtype)

    def at(depth: Floats) -> tuple[Floats, Floats]:
        transmission = np.exp(-np.multiply.outer(depth.astype(seen.dtype), density))  # [P, N]
        light = seen - (air * (1.0 - transmission))[..., None]
        clear = np.einsum("pn,pnc->pc", transmission, light) / np.square(transmission).sum(axis=1)[:, None]
        clear = clear.clip(0.0, 1.0)
        return clear, light - transmission[..., None] * clear[:, None, :]

    least, depth = np.full(len(seen), np.inf), np.zeros(len(seen))

    def attempt(candidate: Floats) -> None:
        error = np.square(at(candidate)[1]).sum(axis=(1, 2)) + THIN * candidate
        is_better = error < least
        least[is_better], depth[is_better] = error[is_better], candidate[is_better]

    for start in DEPTHS:
        attempt(np.full(len(seen), start))
    distance = np.gradient(DEPTHS)[np.searchsorted(DEPTHS, depth)]
    for halving in range(1, HALVINGS + 1):
        for sign in (-1.0, 1.0):
            attempt(np.maximum(depth + sign * distance / 2.0**halving, 0.0))
    return depth, *at(depth)


def without_common_haze(seen: Floats, haze: Haze) -> Haze:
    """Returns the haze that leaves none that all images share in the scene of the pixels `seen` [P, N, 3].

    Under one air, densities b + c explain images as well as b do, and the greater c is, the darker is the scene. The c
    is taken at which the darkest hundredth becomes black, as far as the error hardly grows.
    """

    def fit(shift: float) -> tuple[float, float]:
        _, clear, errors = scene_under(seen, haze.thickened(shift))
        return float(np.percentile(clear, DARKEST)), float(np.sqrt(np.mean(np.square(errors))))

    darkest, error = fit(0.0)
    limit, is_light = error * TOLERANCE, darkest > 0.0
    near, far = 0.0, 3.0 if is_light else -0.9 * float(haze.density.min())
    for _ in range(12):  # bisection
        shift = (near + far) / 2.0
        darkest, error = fit(shift)
        near, far = (shift, far) if (darkest > 0.0) == is_light and error < limit else (near, shift)
    return haze.thickened(near)


def steadied(clear: Floats, depth: Floats, density: Floats) -> Floats:
    """Averages a scene [H, W, 3] with its neighbours where so little of it shows that noise would be amplified."""
    shown = np.square(np.exp(-np.multiply.outer(depth, density))).sum(axis=-1)[..., None]
    nearby = [ndimage.gaussian_filter(values, (1.0, 1.0, 0.0)) for values in (shown * clear, shown)]
    share = shown / (shown + NOISE)
    return share * clear + (1.0 - share) * nearby[0] / nearby[1]
