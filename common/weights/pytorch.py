"""Recognizes networks of CycleGAN, pix2pix and CUT in PyTorch by the names and the shapes of their arrays.

The networks are those of github.com/junyanz/pytorch-CycleGAN-and-pix2pix and of
github.com/taesungp/contrastive-unpaired-translation; layouts has their layers.
"""

from __future__ import annotations

import re

import numpy as np

from common.errors import UserError
from common.weights import layouts
from common.weights.layouts import FILTER, FILTERS, Layer
from common.weights.recognized import Arrays, Fields, Recognized, shape_of, unknown

STATISTICS = re.compile(r"(^|\.)(running_mean|running_var|num_batches_tracked)$")  # of many images
TRACKED = (".running_mean", ".running_var")
WRAPPERS = {  # parts of names added by wrapper modules: for several GPUs, torch.compile and averages
    "module",
    "_orig_mod",
    "_fsdp_wrapped_module",
    "_checkpoint_wrapped_module",
}
COUNTER = "n_averaged"  # of PyTorch's weight averages
DROPOUT = 0.5  # published rate
HEADS = re.compile(r"mlp_(\d+)\.0\.weight")  # the first layer of one of CUT's network F


def recognize(file: str, arrays: Arrays, running_statistics: bool = False) -> Recognized:
    """Returns the network of a state_dict with the network's own names; running statistics only if requested.

    Raises UserError, naming `file`, if the network is unknown or lacks requested statistics.
    """
    _refuse_other_filters(file, arrays)
    weights = {name: array for name, array in arrays.items() if not STATISTICS.search(name)}
    network = _network(file, weights)
    weights = network.arrays
    if network.role != "generator" or not running_statistics:
        return network
    tracked = {name: array for name, array in arrays.items() if name.endswith(TRACKED)}
    if not tracked:
        raise UserError(
            f"{file} has no running statistics, which only batch norm saves. Leave out --running_statistics."
        )
    if network.fields["norm"] == "batch" and all((tracked[name] == _initial(name)).all() for name in tracked):
        raise UserError(
            f"{file} has the running statistics of a network that was not trained: means of 0 and variances of 1, as"
            " --phase export writes them for runs that have none. Leave out --running_statistics."
        )
    if negative := [name for name, array in tracked.items() if name.endswith("_var") and (array < 0).any()]:
        raise UserError(f"{file} has negative variances in {negative[0]}: the file is damaged.")
    note = "Its norms use their running statistics, as with test.py --eval; dropout is off without --test_dropout."
    return network._replace(arrays={**weights, **tracked}, note=note)


def _initial(name: str) -> float:
    """Returns the value of a running statistic before training."""
    return 1.0 if name.endswith("_var") else 0.0


def _network(file: str, arrays: Arrays) -> Recognized:
    filters = {name for name in arrays if name.endswith(FILTER)}
    network = _by_name(file, arrays)
    return network._replace(arrays={name: array for name, array in arrays.items() if name not in filters})


def _by_name(file: str, arrays: Arrays) -> Recognized:
    if any(map(HEADS.match, arrays)):
        return _heads(file, arrays)
    if any(".conv_block." in name for name in arrays):
        return _resnet(file, arrays)
    if any(name.startswith("model.model.") for name in arrays):
        return _unet(file, arrays)
    if any(name.startswith("net.") for name in arrays):
        return _pixel_critic(file, arrays)
    return _patch_critic(file, arrays)


def unwrapped(file: str, arrays: Arrays) -> Arrays:
    """Returns the arrays without wrapper parts in their names; raises UserError if two then share a name."""
    names = {name: ".".join(part for part in name.split(".") if part not in WRAPPERS) for name in arrays}
    by_own_name: dict[str, str] = {}
    for name, own in names.items():
        if (other := by_own_name.setdefault(own, name)) != name:
            raise UserError(
                f"{file} has {other} and {name}, which are both {own} of a network. Save only one network's state_dict."
            )
    return {own: arrays[name] for own, name in by_own_name.items() if own != COUNTER}


def _refuse_other_filters(file: str, arrays: Arrays) -> None:
    """Raises UserError if a blur has another filter than the published ones."""
    for name in filter(lambda name: name.endswith(FILTER), arrays):
        array = arrays[name]
        row = FILTERS.get(array.shape[-1]) if array.ndim == 4 else None
        if row is None or array.shape[2:] != (len(row), len(row)) or not np.allclose(array, np.outer(row, row)):
            raise UserError(
                f"{file} has a blur {name} {list(array.shape)} that is not a published one: those have filters of 3x3,"
                " [1, 2, 1], to halve maps, and of 4x4, [1, 3, 3, 1], to double them. It cannot be imported."
            )


def _resnet(file: str, arrays: Arrays) -> Recognized:
    numbers = {int(name.split(".")[1]) for name in arrays if re.match(r"model\.\d+\.conv_block\.", name)}
    if len(numbers) not in layouts.RESNETS:
        raise unknown(file, arrays, f"it has {len(numbers)} residual blocks, but must have 6 or 9")
    blocks, start = len(numbers), min(numbers)
    blurred = _is_blurred(file, arrays, start + blocks)
    dropout = f"model.{start}.conv_block.5.weight" not in arrays
    layers = layouts.resnet(blocks, dropout=dropout, blurred=blurred)
    filters, inputs = shape_of(file, arrays, f"{layers[0].convolution}.weight", 4)[:2]
    outputs = shape_of(file, arrays, f"{layers[-1].convolution}.weight", 4)[0]
    name = layouts.RESNETS[blocks] + (layouts.BLUR if blurred else "")
    fields: Fields = {"netG": name, "ngf": filters, "norm": _norm(arrays, layers[0])}
    assumed = {}
    if dropout:
        assumed["dropout"] = DROPOUT
    else:
        fields["dropout"] = 0.0
    return Recognized(file, "generator", None, fields, assumed, (inputs, outputs), layouts.variables(layers), arrays)


def _is_blurred(file: str, arrays: Arrays, decoder: int) -> bool:
    """Whether a ResNet blurs to halve and to double; raises UserError if it only does one. `decoder`: its number."""
    numbers = [int(name.split(".")[1]) for name in arrays if re.fullmatch(r"model\.\d+\.filt", name)]
    halves, doubles = any(number < decoder for number in numbers), any(number >= decoder for number in numbers)
    if halves != doubles:
        raise UserError(
            f"{file} is a generator of CUT that was trained with {'--no_antialias_up' if halves else '--no_antialias'}"
            " alone: it blurs to halve maps or to double them. Only generators that do both or neither are supported."
        )
    return halves


def _unet(file: str, arrays: Arrays) -> Recognized:
    inside, depth = layouts.inner("model.model", 1), 2
    while f"{inside}.3.weight" not in arrays and any(name.startswith(f"{inside}.3.") for name in arrays):
        inside, depth = layouts.inner(inside, 3), depth + 1
    if depth not in layouts.UNETS:
        raise unknown(
            file, arrays, f"it is a U-Net that halves its input {depth} times, but must do so 6, 7 or 8 times"
        )
    layers = layouts.unet(depth)
    filters, inputs = shape_of(file, arrays, f"{layers[0].convolution}.weight", 4)[:2]
    outputs = shape_of(file, arrays, f"{layers[-1].convolution}.weight", 4)[1]
    fields = {"netG": layouts.UNETS[depth], "ngf": filters, "norm": _norm(arrays, layers[1])}
    assumed = {"image_size": 2**depth, "load_size": 2**depth * 286 // 256}
    return Recognized(file, "generator", None, fields, assumed, (inputs, outputs), layouts.variables(layers), arrays)


def _patch_critic(file: str, arrays: Arrays) -> Recognized:
    kernels = [name for name, array in arrays.items() if array.ndim == 4 and re.fullmatch(r"model\.\d+\.weight", name)]
    n_layers = len(kernels) - 2
    if n_layers < 1:
        raise unknown(file, arrays, "it has no layers of a generator, and too few convolutions for a critic")
    blurred = any(name.endswith(FILTER) for name in arrays)
    layers = layouts.patch_critic(n_layers, blurred=blurred)
    filters, inputs = shape_of(file, arrays, f"{layers[0].convolution}.weight", 4)[:2]
    name = "patch" + (layouts.BLUR if blurred else "")
    fields = {"netD": name, "ndf": filters, "n_layers": n_layers, "norm_D": _norm(arrays, layers[1])}
    return Recognized(file, "critic", None, fields, {}, (inputs, 1), layouts.variables(layers), arrays)


def _pixel_critic(file: str, arrays: Arrays) -> Recognized:
    layers = layouts.pixel_critic()
    filters, inputs = shape_of(file, arrays, f"{layers[0].convolution}.weight", 4)[:2]
    fields = {"netD": "pixel", "ndf": filters, "norm_D": _norm(arrays, layers[1])}
    return Recognized(file, "critic", None, fields, {}, (inputs, 1), layouts.variables(layers), arrays)


def _heads(file: str, arrays: Arrays) -> Recognized:
    """Recognizes CUT's network F: two fully connected layers for each map."""
    variables = layouts.heads(sorted(int(match[1]) for match in map(HEADS.match, arrays) if match))
    fields = {"nce_filters": shape_of(file, arrays, "mlp_0.0.weight", 2)[0]}
    return Recognized(file, "heads", None, fields, {}, (), variables, arrays)


def _norm(arrays: Arrays, layer: Layer) -> str:
    """Returns the name of a layer's norm."""
    return layouts.NORMS[f"{layer.norm}.weight" in arrays, f"{layer.convolution}.bias" in arrays]
