"""The generators of a run as state_dicts of CycleGAN and pix2pix in PyTorch.

Published networks are loaded strictly: each array must be there. Batch norms of most runs have no running statistics,
so those that PyTorch starts with are added.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from common.dual import CyclicDual, Dual, PublishedNetworks
from common.errors import UserError
from common.weights import layouts
from common.weights.layouts import Layer
from common.weights.prefixed import DIRECTIONS
from common.weights.recognized import Arrays

NETWORK = "latest_net_G"  # name of a published file, before _A or _B and its suffix
BATCHES = "num_batches_tracked"  # counter of a batch norm
INITIAL = {"running_mean": np.zeros, "running_variance": np.ones}
BIASED = {norm for (_, biased), norm in layouts.NORMS.items() if biased}
GENERATORS = (*layouts.RESNETS.values(), *layouts.UNETS.values())


def published(dual: Dual) -> PublishedNetworks:
    """Returns `dual` if the published programs have its generators; raises UserError if they do not."""
    kind = type(dual)
    if not isinstance(dual, PublishedNetworks) or kind.generator is not PublishedNetworks.generator:
        problem = f"{kind.__name__} has generators of its own"
    elif dual.netG not in GENERATORS:
        problem = f"This run has --netG {dual.netG}"
    elif dual.norm not in layouts.NORMS.values():
        problem = f"This run has --norm {dual.norm}"
    elif dual.norm in BIASED and not dual.norm_bias:
        problem = "This run has --nonorm_bias"
    else:
        return dual
    raise UserError(
        f"{problem}, for which the published PyTorch programs have no layout. They have CycleGAN's and pix2pix's --netG"
        f" {', '.join(GENERATORS)}, with biases and --norm {', '.join(layouts.NORMS.values())}. Use --format npz, or"
        " savedmodel or onnx to run it elsewhere."
    )


def file_name(dual: Dual, direction: str) -> str:
    """Returns the published name of a generator's file, without suffix: CycleGAN's show the direction."""
    letters = {way: letter for letter, way in DIRECTIONS.items()}
    return f"{NETWORK}_{letters[direction]}" if isinstance(dual, CyclicDual) else NETWORK


def has_dropout(dual: PublishedNetworks) -> bool:
    """Whether the published network is built with dropout, which changes the names of a ResNet's arrays."""
    return dual.dropout > 0


def state_dict_of(dual: PublishedNetworks, values: Mapping[str, npt.NDArray[Any]]) -> Arrays:
    """Returns {PyTorch's name: array} of a generator, in PyTorch's order, from {name below its scope here: array}.

    Raises ValueError if `values` has others than the variables of such a generator.
    """
    arrays: Arrays = {}
    remaining = {**values}
    for layer in sorted(_layers(dual), key=_position):
        for name, foreign in layouts.variables([layer]).items():
            kind = name.rpartition("/")[2]
            if name in remaining:
                arrays[foreign.name] = foreign.stored(remaining.pop(name))
            elif kind in INITIAL and dual.norm == "batch":
                arrays[foreign.name] = INITIAL[kind](values[f"{layer.scope}/scale"].shape, np.float32)
        if layer.norm and dual.norm == "batch":
            arrays[f"{layer.norm}.{BATCHES}"] = np.array(0, np.int64)
    if remaining:
        raise ValueError(f"{', '.join(remaining)} are not variables of a published generator")
    return arrays


def _layers(dual: PublishedNetworks) -> list[Layer]:
    depths = {name: depth for depth, name in layouts.UNETS.items()}
    if dual.netG in depths:
        return layouts.unet(depths[dual.netG])
    (blocks,) = (count for count, name in layouts.RESNETS.items() if name == dual.netG)
    return layouts.resnet(blocks, dropout=has_dropout(dual))


def _position(layer: Layer) -> list[tuple[int, str]]:
    """Returns a key by which layers are sorted as PyTorch numbers them."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in layer.convolution.split(".")]
