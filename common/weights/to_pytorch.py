"""The generators of a run as state_dicts of CycleGAN, pix2pix and CUT in PyTorch.

Published networks are loaded strictly: each array must be there. So those are added that a run does not have: filters
of blurs, biases of zero before norms with --nonorm_bias, and the running statistics that PyTorch starts with.
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
BLOCKS = {name + blur: count for count, name in layouts.RESNETS.items() for blur in ("", layouts.BLUR)}
DEPTHS = {name: depth for depth, name in layouts.UNETS.items()}
GENERATORS = (*BLOCKS, *DEPTHS)


def published(dual: Dual) -> PublishedNetworks:
    """Returns `dual` if the published programs have its generators; raises UserError if they do not."""
    kind = type(dual)
    if not isinstance(dual, PublishedNetworks) or kind.generator is not PublishedNetworks.generator:
        problem = f"{kind.__name__} has generators of its own"
    elif dual.netG not in GENERATORS:
        problem = f"This run has --netG {dual.netG}"
    elif dual.norm not in layouts.NORMS.values():
        problem = f"This run has --norm {dual.norm}"
    else:
        return dual
    raise UserError(
        f"{problem}, for which the published PyTorch programs have no layout. Those of CycleGAN, pix2pix and CUT have"
        f" --netG {', '.join(GENERATORS)}, with --norm {', '.join(layouts.NORMS.values())}. Use --format npz, or"
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
    if is_blurred(dual):
        blurs = layouts.blurs(BLOCKS[dual.netG])
        arrays |= {blur.name + layouts.FILTER: blur.filters(values[f"{blur.scope}/kernel"]) for blur in blurs}
    for layer in _layers(dual):
        for name, foreign in layouts.variables([layer]).items():
            kind = name.rpartition("/")[2]
            if name in remaining:
                arrays[foreign.name] = foreign.stored(remaining.pop(name))
            elif kind == "bias" and dual.norm in BIASED:
                arrays[foreign.name] = np.zeros(_outputs(dual, layer.scope, values), np.float32)
            elif kind in INITIAL and dual.norm == "batch":
                arrays[foreign.name] = INITIAL[kind](values[f"{layer.scope}/scale"].shape, np.float32)
        if layer.norm and dual.norm == "batch":
            arrays[f"{layer.norm}.{BATCHES}"] = np.array(0, np.int64)
    if remaining:
        raise ValueError(f"{', '.join(remaining)} are not variables of a published generator")
    return dict(sorted(arrays.items(), key=_position))


def is_blurred(dual: PublishedNetworks) -> bool:
    """Whether a generator blurs maps to halve and to double them, which the program of CUT alone does."""
    return dual.netG.endswith(layouts.BLUR)


def _outputs(dual: PublishedNetworks, scope: str, values: Mapping[str, npt.NDArray[Any]]) -> int:
    """Returns the output channels of the convolution in a scope."""
    is_transposed = scope.startswith("up_") and not is_blurred(dual)
    return values[f"{scope}/kernel"].shape[2 if is_transposed else 3]


def _layers(dual: PublishedNetworks) -> list[Layer]:
    if dual.netG in DEPTHS:
        return layouts.unet(DEPTHS[dual.netG])
    return layouts.resnet(BLOCKS[dual.netG], dropout=has_dropout(dual), blurred=is_blurred(dual))


def _position(item: tuple[str, npt.NDArray[Any]]) -> list[tuple[int, str]]:
    """Returns a key by which arrays are sorted as PyTorch numbers their layers; those of a layer keep their order."""
    layer = item[0].rpartition(".")[0]
    return [(int(part), "") if part.isdigit() else (0, part) for part in layer.split(".")]
