"""No-reference measures of a photograph, in float64: haze, contrast, sharpness and colourfulness, not fidelity.

For none of them is higher or lower always better: haze lowers contrast and gradients, but rain, noise and artefacts
raise them.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from common import ndimage

Array: TypeAlias = npt.NDArray[Any]

NAMES = ("dark_channel", "contrast", "gradient", "colourfulness")
PATCH = 15  # side in pixels, as in He, Sun and Tang


def measures(image: Array, luminance: Array) -> dict[str, float | None]:
    """{name: value} of an RGB image [H, W, 3] with values from 0 to 1, and its `luminance` [H, W]."""
    values = (dark_channel(image), contrast(luminance), gradient(luminance), colourfulness(image))
    return dict(zip(NAMES, values))


def dark_channel(image: Array) -> float:
    """The mean dark channel, in [0, 1]: the minimum over all channels and the 15x15 pixels around each pixel.

    It is near 0 for clear outdoor scenes, and close to the share of airlight in haze (He, Sun and Tang, 2011,
    doi.org/10.1109/TPAMI.2010.168). Pixels beyond the edges are ignored.
    """
    return float(np.mean(ndimage.minimum_filter(image.min(axis=-1), PATCH, mode="nearest")))


def contrast(luminance: Array) -> float:
    """RMS contrast (Peli, 1990): the standard deviation of `luminance` [H, W] in [0, 1]."""
    return float(np.std(luminance, dtype=np.float64))


def gradient(luminance: Array) -> float | None:
    """The mean of sqrt((dx² + dy²) / 2), differences of neighbours in `luminance` [H, W]; None below 2 pixels."""
    if min(luminance.shape) < 2:
        return None
    across, down = np.diff(luminance, axis=1)[:-1], np.diff(luminance, axis=0)[:, :-1]
    return float(np.mean(np.sqrt((across**2 + down**2) / 2.0)))


def colourfulness(image: Array) -> float:
    """Colourfulness after Hasler and Süsstrunk (2003, doi.org/10.1117/12.477378), who fitted it to ratings by people.

    On their scale, with values from 0 to 255: 0 is gray, 33 moderately colourful, 82 highly colourful.
    """
    red, green, blue = np.moveaxis(image * 255.0, -1, 0)
    opponents = np.stack([red - green, (red + green) / 2.0 - blue])
    spread, shift = opponents.std(axis=(1, 2)), opponents.mean(axis=(1, 2))
    return float(np.hypot(*spread) + 0.3 * np.hypot(*shift))
