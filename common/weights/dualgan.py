"""The networks of DualGAN in TensorFlow 1 (github.com/duxingren14/DualGAN), by the names in its checkpoints.

A_g_ is the generator from A to B, A_d_ the critic of what it makes, B_g_ and B_d_ are those of the other way. Kernels
are laid out as here. Those of 2020, with inner kernels of 3, were trained on images in the order blue, green, red.
"""

from __future__ import annotations

import pathlib
import re

import numpy as np

from common import tensorflow as tf
from common.errors import UserError, reason
from common.weights.recognized import Network, There, shape_of, unknown

DIRECTIONS = {"A": "A2B", "B": "B2A"}
OWN = re.compile(r"([AB])_([gd])_([a-z0-9_]+)/(w|biases|scale|center)|[AB]_d_(d_)?h3_lin/\w+")
FILE = re.compile(r"\.(index|meta|data-\d{5}-of-\d{5})$")  # what follows the name of a checkpoint
KERNEL, VECTOR, MATRIX = (0, 1, 2, 3), (0,), (0, 1)
OF_2017, OF_2020 = 5, 3  # inner kernels; in 2017 half of three decoders was always dropped, in 2020 nothing


def prefix_of(path):
    """What TensorFlow calls the checkpoint that a file is of, or the newest of a folder; None if it is none."""
    path = pathlib.Path(path)
    found = [path.with_name(FILE.sub("", path.name) + ".index")]
    if path.is_dir():
        found = sorted(path.glob("*.index"), key=lambda each: [int(n) for n in re.findall(r"\d+", each.stem)[-1:]])
    return str(found[-1].with_suffix("")) if found and found[-1].is_file() else None


def recognize(prefix, order="auto"):
    """The Networks in a checkpoint; `order` of the channels of their images: rgb, bgr, or auto.

    Raises UserError if it does not read, or has none.
    """
    found = _read(prefix)
    networks = []
    for domain, direction in DIRECTIONS.items():
        for kind, known in (("g", _generator), ("d", _critic)):
            own = f"{domain}_{kind}_"
            if arrays := {name: array for name, array in found.items() if name.startswith(own)}:
                networks.append(known(prefix, own, arrays, order)._replace(direction=direction))
    if not networks:
        raise UserError(f"The checkpoint {prefix} has no variable of DualGAN's, such as A_g_e1_conv/w.")
    return networks


def _read(prefix):
    """{name: array} of the variables of DualGAN's networks, and of no others."""
    try:
        reader = tf.train.load_checkpoint(prefix)
        shapes = {name: shape for name, shape in reader.get_variable_to_shape_map().items() if OWN.fullmatch(name)}
        folder, name = pathlib.Path(prefix).parent, pathlib.Path(prefix).name
        there = sum(file.stat().st_size for file in folder.iterdir() if file.name.startswith(f"{name}."))
        if sum(int(np.prod(shape, dtype=object)) for shape in shapes.values()) > there:
            raise UserError(f"The checkpoint {prefix} says that it has more numbers than its files have bytes.")
        return {name: reader.get_tensor(name) for name in sorted(shapes)}
    except (tf.errors.OpError, ValueError, IndexError) as error:
        raise UserError(f"The checkpoint {prefix} does not read ({reason(error)}).") from error


def _generator(file, own, arrays, order):
    depth = sum(re.fullmatch(rf"{own}e\d+_conv/w", name) is not None for name in arrays)
    outer, _, inputs, filters = shape_of(file, arrays, f"{own}e1_conv/w", 4)
    inner = shape_of(file, arrays, f"{own}e2_conv/w", 4)[0]
    outputs = shape_of(file, arrays, f"{own}d{depth}/w", 4)[2]
    theirs = {}
    for level in range(depth):
        theirs |= _layer(f"down_{level}", f"{own}e{level + 1}_conv", f"{own}bn_e{level + 1}")
        scope = f"up_{depth - 2 - level}" if level < depth - 1 else "out"
        theirs |= _layer(scope, f"{own}d{level + 1}", f"{own}bn_d{level + 1}")
    fields = {
        **{"depth": depth, "ngf": filters, "kernel": inner, "kernel_outer": outer},
        "norm_bottleneck": f"{own}bn_e{depth}/scale" in arrays,
    }
    assumed = {"dropout": 0.5 if inner == OF_2017 else 0.0}
    turned = _turned(order, inner)
    if turned:
        arrays = _turn(arrays, f"{own}e1_conv/w", 2)
        arrays = _turn(_turn(arrays, f"{own}d{depth}/w", 2), f"{own}d{depth}/biases", 0)
    note = f"Its images were taken to be {'blue, green, red' if turned else 'red, green, blue'} (--channel_order)."
    return Network(file, "generator", None, fields, assumed, (inputs, outputs), theirs, arrays, note)


def _critic(file, own, arrays, order):
    outer, _, inputs, filters = shape_of(file, arrays, f"{own}h0_conv/w", 4)
    inner = shape_of(file, arrays, f"{own}h1_conv/w", 4)[0]
    scores = {name.split("/")[0] for name in arrays if re.fullmatch(rf"{own}(d_)?h3_lin/.*", name)}
    late = f"{own}h3_1_conv/w" in arrays
    theirs = {}
    for level, name in enumerate(["0", "1", "2", "3", *["3_1"] * late]):
        theirs |= _layer(f"down_{level}", f"{own}h{name}_conv", f"{own}bn{name}")
    fields = {"netD": f"{'global' if scores else 'patch'}{'' if late else '_2017'}", "ndf": filters}
    fields |= {"kernel": inner, "kernel_outer": outer, "norm_D": "instance"}
    if scores:
        (linear,) = scores
        matrix, bias = _linear(file, arrays, linear)
        theirs |= {"out/kernel": There(matrix, MATRIX), "out/bias": There(bias, VECTOR)}
        rows = shape_of(file, arrays, matrix, 2)[0]
        last = shape_of(file, arrays, f"{own}h3_conv/w", 4)[3]
        fields["image_size"] = round((rows / last) ** 0.5) * (32 if late else 8)
    else:
        theirs |= _layer("out", f"{own}h4", "")
    if _turned(order, inner):
        arrays = _turn(arrays, f"{own}h0_conv/w", 2)
    return Network(file, "critic", None, fields, {}, (inputs, 1), theirs, arrays)


def _linear(file, arrays, scope):
    """The names of a linear layer's matrix and bias, which versions call otherwise: by the number of their sides."""
    found = {
        sides: [name for name in arrays if name.startswith(f"{scope}/") and arrays[name].ndim == sides]
        for sides in (2, 1)
    }
    if any(len(names) != 1 for names in found.values()):
        raise unknown(file, arrays, f"{scope} is no linear layer, with a matrix and a bias")
    return found[2][0], found[1][0]


def _layer(scope, convolution, norm):
    found = {
        f"{scope}/kernel": There(f"{convolution}/w", KERNEL),
        f"{scope}/bias": There(f"{convolution}/biases", VECTOR),
    }
    if norm:
        found |= {f"{scope}/scale": There(f"{norm}/scale", VECTOR), f"{scope}/shift": There(f"{norm}/center", VECTOR)}
    return found


def _turned(order, inner):
    """Whether images were in the order blue, green, red."""
    return order == "bgr" or (order == "auto" and inner == OF_2020)


def _turn(arrays, name, axis):
    """`arrays` with the three channels of one of them the other way round."""
    array = arrays.get(name)
    return {**arrays, name: np.flip(array, axis)} if array is not None and array.shape[axis] == 3 else arrays
