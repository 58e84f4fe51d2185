"""The layers of the networks of CycleGAN, pix2pix and CUT, here and in PyTorch: one table to read and write files.

PyTorch's kernels are [out, in, h, w], those of transposed convolutions [in, out, h, w]. Here they are [h, w, in, out]
and [h, w, out, in], so that one order of axes converts both. Nothing is mirrored.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from common.weights.recognized import Foreign

RESNETS = {6: "resnet_6blocks", 9: "resnet_9blocks"}  # residual blocks -> --netG
UNETS = {6: "unet_64", 7: "unet_128", 8: "unet_256"}  # times that it halves its input -> --netG
NORMS = {  # (whether it has scales, whether convolutions before it have biases) -> name
    (False, True): "instance",
    (True, False): "batch",
    (True, True): "instance_affine",
    (False, False): "bare",
}
OUT = "out"  # scope of the last layer, which has a bias with every norm
BLUR = "_blur"  # the end of the name of a network that blurs maps to halve and double them, as CUT's do
FILTER = ".filt"  # the end of the name of a blur's filter, which CUT saves for each channel
FILTERS = {3: np.array([1, 2, 1]) / 4, 4: np.array([1, 3, 3, 1]) / 4}  # rows of filters to halve, and to double
KERNEL, MATRIX, VECTOR = (2, 3, 1, 0), (1, 0), (0,)


class Layer(NamedTuple):
    """A convolution and the norm after it: their scope here, and their names in PyTorch, without .weight and .bias."""

    scope: str
    convolution: str
    norm: str = ""


class Blur(NamedTuple):
    """A blur of CUT: its name in PyTorch, and how its filter follows from the convolution next to it."""

    name: str
    scope: str  # of the convolution here, whose output a halving blur filters, and whose input a doubling one
    side: int  # of its filter

    def filters(self, kernel: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Returns the filter for each channel, [C, 1, side, side]; `kernel` [h, w, in, out] of the convolution."""
        channels, row = kernel.shape[3 if self.side == 3 else 2], FILTERS[self.side]
        return np.tile(np.outer(row, row), [channels, 1, 1, 1]).astype(np.float32)


def resnet(blocks: int, *, dropout: bool, blurred: bool = False) -> list[Layer]:
    """Returns the layers of a ResNet; a `dropout` layer in each block, and blurs, shift the numbers of those after."""
    second, step = 6 if dropout else 5, 3 + blurred  # step: layers of a halving or doubling
    first_block = 10 + 2 * blurred
    up = first_block + blocks + blurred
    layers = [Layer("in", "model.1", "model.2")]
    layers += [_numbered(f"down_{level}", number) for level, number in ((1, 4), (2, 4 + step))]
    for block in range(blocks):
        inside = f"model.{first_block + block}.conv_block"
        layers.append(Layer(f"block_{block}/first", f"{inside}.1", f"{inside}.2"))
        layers.append(Layer(f"block_{block}/second", f"{inside}.{second}", f"{inside}.{second + 1}"))
    layers += [_numbered(f"up_{level}", number) for level, number in ((1, up), (0, up + step))]
    return [*layers, Layer(OUT, f"model.{up + step + 4}")]


def blurs(blocks: int) -> list[Blur]:
    """Returns the blurs of a blurred ResNet."""
    up = 12 + blocks
    numbers = {"down_1": (7, 3), "down_2": (11, 3), "up_1": (up, 4), "up_0": (up + 4, 4)}
    return [Blur(f"model.{number}", scope, side) for scope, (number, side) in numbers.items()]


def _numbered(scope: str, number: int) -> Layer:
    """Returns a convolution with a number, and the norm that follows it."""
    return Layer(scope, f"model.{number}", f"model.{number + 1}")


def unet(depth: int) -> list[Layer]:
    """Returns the layers of a U-Net that halves its input `depth` times.

    It consists of nested blocks: each is [.., down, norm, next block, .., up, norm]; the innermost has no next.
    """
    layers, inside = [Layer("down_0", "model.model.0")], inner("model.model", 1)
    for level in range(1, depth - 1):
        layers.append(Layer(f"down_{level}", f"{inside}.1", f"{inside}.2"))
        layers.append(Layer(f"up_{level - 1}", f"{inside}.5", f"{inside}.6"))
        inside = inner(inside, 3)
    layers += [Layer(f"down_{depth - 1}", f"{inside}.1"), Layer(f"up_{depth - 2}", f"{inside}.3", f"{inside}.4")]
    return [*layers, Layer(OUT, "model.model.3")]


def inner(block: str, number: int) -> str:
    """Returns the name of the block of a U-Net that is layer `number` of another `block`."""
    return f"{block}.{number}.model"


def patch_critic(n_layers: int, *, blurred: bool = False) -> list[Layer]:
    """Returns the layers of a patch critic."""
    step = 3 + blurred  # layers of a halving
    layers = [Layer("down_0", "model.0")]
    layers += [_numbered(f"down_{n}", step * n - 1) for n in range(1, n_layers + 1)]
    return [*layers, Layer(OUT, f"model.{step * n_layers + 2}")]


def pixel_critic() -> list[Layer]:
    """Returns the layers of a pixel critic."""
    return [Layer("first", "net.0"), Layer("second", "net.2", "net.3"), Layer(OUT, "net.5")]


def variables(layers: Iterable[Layer]) -> dict[str, Foreign]:
    """Returns {name here: Foreign} of all variables that layers may have, those of a layer in PyTorch's order."""
    own = {}
    for scope, convolution, norm in layers:
        own[f"{scope}/kernel"] = Foreign(f"{convolution}.weight", KERNEL)
        own[f"{scope}/bias"] = Foreign(f"{convolution}.bias", VECTOR)
        if norm:
            own[f"{scope}/scale"] = Foreign(f"{norm}.weight", VECTOR)
            own[f"{scope}/shift"] = Foreign(f"{norm}.bias", VECTOR)
            own[f"{scope}/running_mean"] = Foreign(f"{norm}.running_mean", VECTOR)
            own[f"{scope}/running_variance"] = Foreign(f"{norm}.running_var", VECTOR)
    return own


def heads(numbers: Iterable[int]) -> dict[str, Foreign]:
    """Returns {name here: Foreign} of CUT's network F: two fully connected layers for each numbered map."""
    own = {}
    for number in numbers:
        for scope, layer in (("hidden", 0), ("out", 2)):
            own[f"map_{number}/{scope}/kernel"] = Foreign(f"mlp_{number}.{layer}.weight", MATRIX)
            own[f"map_{number}/{scope}/bias"] = Foreign(f"mlp_{number}.{layer}.bias", VECTOR)
    return own
