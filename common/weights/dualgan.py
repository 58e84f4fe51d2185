"""The networks of DualGAN in TensorFlow 1 (github.com/duxingren14/DualGAN), by the names in its checkpoints.

A_g_ is the generator from A to B and A_d_ the critic of its output; B_g_ and B_d_ are those of the other direction.
Kernels have the layout of this toolkit. The networks of 2020, with inner kernels of size 3, were trained on images with
channel order blue, green, red.
"""

from __future__ import annotations

import os
import pathlib
import re

import numpy as np

from common.errors import UserError
from common.run import checkpoint_files
from common.weights.recognized import Arrays, Fields, Foreign, Recognized, shape_of, unknown

DIRECTIONS = {"A": "A2B", "B": "B2A"}
OWN = re.compile(r"([AB])_([gd])_([a-z0-9_]+)/(w|biases|scale|center)|[AB]_d_(d_)?h3_lin/\w+")
FILE = re.compile(r"\.(index|meta|data-\d{5}-of-\d{5})$")  # suffixes of a checkpoint's files
KERNEL, VECTOR, MATRIX = (0, 1, 2, 3), (0,), (0, 1)
OF_2017, OF_2020 = 5, 3  # inner kernel sizes. Dropout: 0.5 in three decoders in 2017, none in 2020


def prefix_of(path: str | os.PathLike[str]) -> str | None:
    """Returns TensorFlow's name of the checkpoint of a file, or of the newest in a folder; None if there is none."""
    place = pathlib.Path(path)
    if not place.is_dir():
        indices = [place.with_name(FILE.sub("", place.name) + ".index")]
    else:
        indices = sorted(place.glob("*.index"), key=lambda index: [int(n) for n in re.findall(r"\d+", index.stem)[-1:]])
    return str(indices[-1].with_suffix("")) if indices and indices[-1].is_file() else None


def recognize(prefix: str, order: str = "auto") -> list[Recognized]:
    """Returns the networks in a checkpoint; `order`: the channel order of their images, rgb, bgr or auto.

    Raises UserError if the checkpoint cannot be read or has no network.
    """
    stored = _read(prefix)
    networks = []
    for domain, direction in DIRECTIONS.items():
        for kind, recognize_one in (("g", _generator), ("d", _critic)):
            own = f"{domain}_{kind}_"
            if arrays := {name: array for name, array in stored.items() if name.startswith(own)}:
                networks.append(recognize_one(prefix, own, arrays, order)._replace(direction=direction))
    if not networks:
        raise UserError(f"The checkpoint {prefix} has no variables of DualGAN, such as A_g_e1_conv/w.")
    return networks


def _read(prefix: str) -> Arrays:
    """Reads the variables of DualGAN's networks from a checkpoint."""
    with checkpoint_files.reading(prefix) as reader:
        shapes = {name: shape for name, shape in reader.shapes.items() if OWN.fullmatch(name)}
        folder, name = pathlib.Path(prefix).parent, pathlib.Path(prefix).name
        size = sum(file.stat().st_size for file in folder.iterdir() if file.name.startswith(f"{name}."))
        if sum(int(np.prod(shape, dtype=object)) for shape in shapes.values()) > size:
            raise UserError(f"The checkpoint {prefix} is damaged: its index claims more numbers than its files hold.")
        return {name: reader.value(name) for name in sorted(shapes)}


def _generator(file: str, own: str, arrays: Arrays, order: str) -> Recognized:
    depth = sum(re.fullmatch(rf"{own}e\d+_conv/w", name) is not None for name in arrays)
    outer, _, inputs, filters = shape_of(file, arrays, f"{own}e1_conv/w", 4)
    inner = shape_of(file, arrays, f"{own}e2_conv/w", 4)[0]
    outputs = shape_of(file, arrays, f"{own}d{depth}/w", 4)[2]
    variables: dict[str, Foreign] = {}
    for level in range(depth):
        variables |= _layer(f"down_{level}", f"{own}e{level + 1}_conv", f"{own}bn_e{level + 1}")
        scope = f"up_{depth - 2 - level}" if level < depth - 1 else "out"
        variables |= _layer(scope, f"{own}d{level + 1}", f"{own}bn_d{level + 1}")
    fields: Fields = {"depth": depth, "ngf": filters, "kernel": inner, "kernel_outer": outer}
    fields["norm_bottleneck"] = f"{own}bn_e{depth}/scale" in arrays
    assumed: Fields = {"dropout": 0.5 if inner == OF_2017 else 0.0, "halve_odd": True}
    bgr = _is_bgr(order, inner)
    if bgr:
        arrays = _with_reversed_channels(arrays, f"{own}e1_conv/w", 2)
        arrays = _with_reversed_channels(arrays, f"{own}d{depth}/w", 2)
        arrays = _with_reversed_channels(arrays, f"{own}d{depth}/biases", 0)
    note = (
        f"Assumed channel order of its images: {'blue, green, red' if bgr else 'red, green, blue'} (--channel_order)."
    )
    return Recognized(file, "generator", None, fields, assumed, (inputs, outputs), variables, arrays, note)


def _critic(file: str, own: str, arrays: Arrays, order: str) -> Recognized:
    outer, _, inputs, filters = shape_of(file, arrays, f"{own}h0_conv/w", 4)
    inner = shape_of(file, arrays, f"{own}h1_conv/w", 4)[0]
    scores = {name.split("/")[0] for name in arrays if re.fullmatch(rf"{own}(d_)?h3_lin/.*", name)}
    late = f"{own}h3_1_conv/w" in arrays
    variables: dict[str, Foreign] = {}
    for level, name in enumerate(["0", "1", "2", "3", "3_1"] if late else ["0", "1", "2", "3"]):
        variables |= _layer(f"down_{level}", f"{own}h{name}_conv", f"{own}bn{name}")
    fields: Fields = {"netD": f"{'global' if scores else 'patch'}{'' if late else '_2017'}", "ndf": filters}
    fields |= {"kernel": inner, "kernel_outer": outer, "norm_D": "instance"}
    if scores:
        (linear,) = scores
        matrix, bias = _linear(file, arrays, linear)
        variables |= {"out/kernel": Foreign(matrix, MATRIX), "out/bias": Foreign(bias, VECTOR)}
        rows = shape_of(file, arrays, matrix, 2)[0]
        last = shape_of(file, arrays, f"{own}h3_conv/w", 4)[3]
        fields["image_size"] = round((rows / last) ** 0.5) * (32 if late else 8)
    else:
        variables |= _layer("out", f"{own}h4", "")
    if _is_bgr(order, inner):
        arrays = _with_reversed_channels(arrays, f"{own}h0_conv/w", 2)
    return Recognized(file, "critic", None, fields, {}, (inputs, 1), variables, arrays)


def _linear(file: str, arrays: Arrays, scope: str) -> tuple[str, str]:
    """Returns the names of a linear layer's matrix and bias by their dimensions, as names differ between versions."""
    names = [name for name in arrays if name.startswith(f"{scope}/")]
    matrices, biases = ([name for name in names if arrays[name].ndim == sides] for sides in (2, 1))
    if len(matrices) != 1 or len(biases) != 1:
        raise unknown(file, arrays, f"{scope} is not a linear layer with a matrix and a bias")
    return matrices[0], biases[0]


def _layer(scope: str, convolution: str, norm: str) -> dict[str, Foreign]:
    """Returns {name here: Foreign} of a convolution's variables and of the norm after it, unless that is ""."""
    variables = {
        f"{scope}/kernel": Foreign(f"{convolution}/w", KERNEL),
        f"{scope}/bias": Foreign(f"{convolution}/biases", VECTOR),
    }
    if norm:
        variables[f"{scope}/scale"] = Foreign(f"{norm}/scale", VECTOR)
        variables[f"{scope}/shift"] = Foreign(f"{norm}/center", VECTOR)
    return variables


def _is_bgr(order: str, inner: int) -> bool:
    """Whether the channel order of images was blue, green, red."""
    return order == "bgr" or (order == "auto" and inner == OF_2020)


def _with_reversed_channels(arrays: Arrays, name: str, axis: int) -> Arrays:
    """Returns `arrays` with one of them reversed along an axis, if it has three channels there."""
    array = arrays.get(name)
    if array is None or array.shape[axis] != 3:
        return arrays
    return {**arrays, name: np.flip(array, axis)}
