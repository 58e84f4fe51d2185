"""The networks of CycleGAN and pix2pix in PyTorch (github.com/junyanz/pytorch-CycleGAN-and-pix2pix), by name and shape.

PyTorch's kernels are [out, in, h, w], those of transposed convolutions [in, out, h, w]. Here they are [h, w, in, out]
and [h, w, out, in], so that one order of axes converts both. Nothing is mirrored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from common.errors import UserError
from common.weights.recognized import Arrays, Fields, Foreign, Recognized, shape_of, unknown

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
NORMS = {  # (whether it has scales, whether convolutions before it have biases) -> name
    (False, True): "instance",
    (True, False): "batch",
    (True, True): "instance_affine",
    (False, False): "bare",
}
KERNEL, VECTOR = (2, 3, 1, 0), (0,)


class Layer(NamedTuple):
    """A convolution and the norm after it: their scope here, and their names in PyTorch, without .weight and .bias."""

    scope: str
    convolution: str
    norm: str = ""


def recognize(file: str, arrays: Arrays, running_statistics: bool = False) -> Recognized:
    """Returns the network of a state_dict with the network's own names; running statistics only if requested.

    Raises UserError, naming `file`, if the network is unknown or lacks requested statistics.
    """
    weights = {name: array for name, array in arrays.items() if not STATISTICS.search(name)}
    _refuse_others(file, weights)
    network = _network(file, weights)
    if network.role != "generator" or not running_statistics:
        return network
    tracked = {name: array for name, array in arrays.items() if name.endswith(TRACKED)}
    if not tracked:
        raise UserError(
            f"{file} has no running statistics, which only batch norm saves. Leave out --running_statistics."
        )
    if negative := [name for name, array in tracked.items() if name.endswith("_var") and (array < 0).any()]:
        raise UserError(f"{file} has negative variances in {negative[0]}: the file is damaged.")
    note = "Its norms use their running statistics, as with test.py --eval; dropout is off without --test_dropout."
    return network._replace(arrays={**weights, **tracked}, note=note)


def _network(file: str, arrays: Arrays) -> Recognized:
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


def _refuse_others(file: str, arrays: Arrays) -> None:
    """Raises UserError for networks of CUT (Park et al., 2020), as no method here has them."""
    if any(re.match(r"mlp_\d+\.", name) for name in arrays):
        raise UserError(
            f"{file} is network F of CUT or FastCUT, which compares patches in training and does not translate. No"
            " method here uses one. Leave it out of --source."
        )
    if smoothed := next((name for name in arrays if name.endswith(".filt")), None):
        role = "generator" if any(".conv_block." in name for name in arrays) else "critic"
        raise UserError(
            f"{file} is a {role} of CUT or FastCUT with anti-aliased resampling ({smoothed}), which no"
            " method here has, so it cannot be imported. Translate with the authors' program, or import a"
            f" {role} of CycleGAN or pix2pix, or one of CUT that was trained with --no_antialias and --no_antialias_up."
        )


def _resnet(file: str, arrays: Arrays) -> Recognized:
    blocks = len({name.split(".")[1] for name in arrays if ".conv_block." in name})
    if blocks not in (6, 9):
        raise unknown(file, arrays, f"it has {blocks} residual blocks, but must have 6 or 9")
    dropout = "model.10.conv_block.5.weight" not in arrays  # a dropout layer shifts the numbers of those after it
    second, up = 6 if dropout else 5, 10 + blocks
    layers = [Layer("in", "model.1", "model.2")]
    layers += [Layer(f"down_{level}", f"model.{1 + 3 * level}", f"model.{2 + 3 * level}") for level in (1, 2)]
    for block in range(blocks):
        inside = f"model.{10 + block}.conv_block"
        layers.append(Layer(f"block_{block}/first", f"{inside}.1", f"{inside}.2"))
        layers.append(Layer(f"block_{block}/second", f"{inside}.{second}", f"{inside}.{second + 1}"))
    layers += [Layer("up_1", f"model.{up}", f"model.{up + 1}"), Layer("up_0", f"model.{up + 3}", f"model.{up + 4}")]
    layers.append(Layer("out", f"model.{up + 7}"))
    filters, inputs = shape_of(file, arrays, "model.1.weight", 4)[:2]
    outputs = shape_of(file, arrays, f"model.{up + 7}.weight", 4)[0]
    fields: Fields = {"netG": f"resnet_{blocks}blocks", "ngf": filters, "norm": _norm(arrays, layers[0])}
    assumed = {}
    if dropout:
        assumed["dropout"] = DROPOUT
    else:
        fields["dropout"] = 0.0
    return Recognized(file, "generator", None, fields, assumed, (inputs, outputs), _variables(layers), arrays)


def _unet(file: str, arrays: Arrays) -> Recognized:
    """Recognizes nested blocks: each is [.., down, norm, next block, .., up, norm]; the innermost has no next."""
    layers, inside, depth = [Layer("down_0", "model.model.0")], "model.model.1.model", 1
    while f"{inside}.3.weight" not in arrays and any(name.startswith(f"{inside}.3.") for name in arrays):
        layers.append(Layer(f"down_{depth}", f"{inside}.1", f"{inside}.2"))
        layers.append(Layer(f"up_{depth - 1}", f"{inside}.5", f"{inside}.6"))
        inside, depth = f"{inside}.3.model", depth + 1
    layers += [Layer(f"down_{depth}", f"{inside}.1"), Layer(f"up_{depth - 1}", f"{inside}.3", f"{inside}.4")]
    layers.append(Layer("out", "model.model.3"))
    depth += 1
    if depth not in (6, 7, 8):
        raise unknown(
            file, arrays, f"it is a U-Net that halves its input {depth} times, but must do so 6, 7 or 8 times"
        )
    filters, inputs = shape_of(file, arrays, "model.model.0.weight", 4)[:2]
    outputs = shape_of(file, arrays, "model.model.3.weight", 4)[1]
    fields = {"netG": f"unet_{2**depth}", "ngf": filters, "norm": _norm(arrays, layers[1])}
    assumed = {"image_size": 2**depth, "load_size": 2**depth * 286 // 256}
    return Recognized(file, "generator", None, fields, assumed, (inputs, outputs), _variables(layers), arrays)


def _patch_critic(file: str, arrays: Arrays) -> Recognized:
    kernels = [name for name, array in arrays.items() if array.ndim == 4 and re.fullmatch(r"model\.\d+\.weight", name)]
    n_layers = len(kernels) - 2
    if n_layers < 1:
        raise unknown(file, arrays, "it has no layers of a generator, and too few convolutions for a critic")
    layers = [Layer("down_0", "model.0")]
    layers += [Layer(f"down_{n}", f"model.{3 * n - 1}", f"model.{3 * n}") for n in range(1, n_layers + 1)]
    layers.append(Layer("out", f"model.{3 * n_layers + 2}"))
    filters, inputs = shape_of(file, arrays, "model.0.weight", 4)[:2]
    fields = {"netD": "patch", "ndf": filters, "n_layers": n_layers, "norm_D": _norm(arrays, layers[1])}
    return Recognized(file, "critic", None, fields, {}, (inputs, 1), _variables(layers), arrays)


def _pixel_critic(file: str, arrays: Arrays) -> Recognized:
    layers = [Layer("first", "net.0"), Layer("second", "net.2", "net.3"), Layer("out", "net.5")]
    filters, inputs = shape_of(file, arrays, "net.0.weight", 4)[:2]
    fields = {"netD": "pixel", "ndf": filters, "norm_D": _norm(arrays, layers[1])}
    return Recognized(file, "critic", None, fields, {}, (inputs, 1), _variables(layers), arrays)


def _norm(arrays: Arrays, layer: Layer) -> str:
    """Returns the name of a layer's norm."""
    return NORMS[f"{layer.norm}.weight" in arrays, f"{layer.convolution}.bias" in arrays]


def _variables(layers: Iterable[Layer]) -> dict[str, Foreign]:
    """Returns {name here: Foreign} of all variables that layers may have."""
    variables = {}
    for scope, convolution, norm in layers:
        variables[f"{scope}/kernel"] = Foreign(f"{convolution}.weight", KERNEL)
        variables[f"{scope}/bias"] = Foreign(f"{convolution}.bias", VECTOR)
        if norm:
            variables[f"{scope}/scale"] = Foreign(f"{norm}.weight", VECTOR)
            variables[f"{scope}/shift"] = Foreign(f"{norm}.bias", VECTOR)
            variables[f"{scope}/running_mean"] = Foreign(f"{norm}.running_mean", VECTOR)
            variables[f"{scope}/running_variance"] = Foreign(f"{norm}.running_var", VECTOR)
    return variables
