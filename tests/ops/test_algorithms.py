"""Algorithms of convolutions: which are possible, that all compute the same, and that measured ones are selected."""

import itertools

import numpy as np
import pytest

from common import tensorflow as tf
from common.ops import algorithms, convolution, placement
from common.ops.algorithms import OPERATIONS, Convolution
from common.ops.dispatch import Dispatch, dispatching

SHAPES = [  # size, stride, padding, inputs, filters, outputs
    (3, 1, "VALID", 5, 6, (2, 7, 4)),
    (4, 1, "VALID", 3, 2, (1, 3, 5)),
    (5, 1, "VALID", 4, 3, (2, 2, 3)),
    (3, 2, "SAME", 3, 5, (2, 4, 3)),
    (4, 2, "SAME", 6, 3, (1, 5, 4)),
    (4, 2, "VALID", 3, 4, (2, 3, 5)),
    (3, 1, "SAME", 4, 4, (1, 6, 5)),
]


def convolution_of(size, stride, padding, inputs, filters, outputs, kind="float32"):
    return Convolution(kind, size, stride, padding, inputs, filters, outputs)


def values(shape):
    return tf.constant(np.random.default_rng(len(shape)).normal(size=shape), tf.float32)


@pytest.mark.parametrize(("operation", "shapes"), list(itertools.product(OPERATIONS, SHAPES)))
def test_all_possible_algorithms_compute_the_same(session, operation, shapes):
    size, stride, padding, inputs, filters, outputs = shapes
    one = convolution_of(*shapes)
    sides = [(count - 1) * stride + size if padding == "VALID" else count * stride for count in outputs[1:]]
    x, y = values([outputs[0], *sides, inputs]), values([*outputs, filters])
    weights = values([size, size, inputs, filters])
    arguments = {"conv": (x, weights), "transpose": (y, weights, sides), "kernel_gradient": (x, y, size)}[operation]
    names = algorithms.possible(operation, one)
    assert names[:2] == ["library", "matrices"]
    expected, *actual = session.run([getattr(algorithms.algorithm(name, one), operation)(*arguments) for name in names])
    for name, values_of in zip(names[1:], actual, strict=True):
        np.testing.assert_allclose(values_of, expected, rtol=0, atol=1e-5 * np.abs(expected).max(), err_msg=name)


@pytest.mark.parametrize(
    ("shapes", "operation", "names"),
    [
        ((3, 1, "VALID", 64, 64, (1, 8, 8)), "conv", {"library", "matrices", "winograd"}),
        ((4, 1, "VALID", 64, 1, (1, 8, 8)), "transpose", {"library", "matrices", "winograd", "taps"}),
        ((7, 1, "VALID", 64, 3, (1, 8, 8)), "conv", {"library", "matrices", "columns"}),
        ((4, 2, "SAME", 64, 64, (1, 8, 8)), "kernel_gradient", {"library", "matrices", "phases"}),
        ((4, 2, "SAME", 64, 64, (1, 8, 8)), "conv", {"library", "matrices"}),
        ((7, 1, "VALID", 64, 64, (1, 256, 256)), "conv", {"library"}),  # 205 million values
        ((3, 1, "VALID", 64, 64, None), "conv", {"library"}),
    ],
)
def test_the_possible_algorithms(shapes, operation, names):
    assert set(algorithms.possible(operation, convolution_of(*shapes))) == names
    assert algorithms.possible(operation, convolution_of(*shapes, kind="float64")) == ["library"]
    of_bfloat16 = names - ({"columns", "taps"} if operation == "conv" else set())  # which would add rounded parts
    assert set(algorithms.possible(operation, convolution_of(*shapes, kind="bfloat16"))) == of_bfloat16


def test_keys_are_shared_by_similar_numbers_of_places():
    """At 23 x 23 = 529 and 16 x 45 = 720 places 512 is the nearest power of two; 27 x 27 = 729 is past the middle."""
    keys = {
        outputs: convolution_of(3, 1, "VALID", 8, 16, outputs).key("conv")
        for outputs in ((1, 23, 23), (1, 16, 45), (1, 27, 27), None)
    }
    assert keys[1, 23, 23] == keys[1, 16, 45] == "conv float32 3x3/1 VALID 8-16 at 512"
    assert keys[1, 27, 27].endswith("at 1024") and keys[None].endswith("at any")


def types_of(session, dispatch):
    """The types of the operations of a convolution 3 x 3 of 8 to 16 channels, 20 x 20, and of its gradients."""
    before = len(tf.get_default_graph().get_operations())
    with dispatching(dispatch):
        x, weights = values([1, 22, 22, 8]), values([3, 3, 8, 16])
        y = convolution.conv(x, weights, 1, "VALID")
        dx, dweights = tf.gradients(y, [x, weights])
    types = {operation.type for operation in tf.get_default_graph().get_operations()[before:]}
    plain = tf.nn.conv2d(x, weights, 1, "VALID")
    expected = [plain, *tf.gradients(plain, [x, weights])]
    for one, other in zip(*session.run([[y, dx, dweights], expected]), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * np.abs(other).max())
    return types


KEYS = [f"{operation} float32 3x3/1 VALID 8-16 at 512" for operation in OPERATIONS]


def test_measured_algorithms_are_selected(session):
    own = {"Conv2D", "Conv2DBackpropInput", "Conv2DBackpropFilter"}
    assert types_of(session, Dispatch()) >= own
    assert types_of(session, Dispatch(dict.fromkeys(KEYS, "library"))) >= own
    assert types_of(session, Dispatch({KEYS[2]: "matrices"})) & own == {"Conv2D", "Conv2DBackpropInput"}
    assert not types_of(session, Dispatch(dict.fromkeys(KEYS, "winograd"))) & own


def test_what_cannot_compute_an_operation_is_not_selected(session):
    with_impossible = Dispatch(dict.fromkeys(KEYS, "phases") | {KEYS[0]: "nothing"})
    assert "Conv2DBackpropFilter" in types_of(session, with_impossible)


def test_what_no_graph_uses_is_dropped(session):
    dispatch = Dispatch({KEYS[0]: "matrices", KEYS[1]: "library", "conv float32 5x5/1 SAME 8-8 at 64": "matrices"})
    types_of(session, dispatch)
    dispatch.keep_used()
    assert dispatch.measured == {KEYS[0]: "matrices"}


def test_the_usual_algorithms_can_compute_their_operations():
    """For all shapes in which they differ; only products of matrices may be larger than a measurement allows."""
    sizes = itertools.product((1, 3, 4, 7), (1, 2, 3), ("SAME", "VALID"), (3, 64, 128, 512), (1, 3, 64, 128, 512))
    for size, stride, padding, inputs, filters in sizes:
        for kind, side in itertools.product(("float32", "bfloat16"), (1, 4, 16, 64)):
            one = convolution_of(size, stride, padding, inputs, filters, (1, side, side), kind)._replace(values=side**2)
            for operation, name in zip(OPERATIONS, algorithms.usual(one), strict=True):
                assert name == "matrices" or name in algorithms.possible(operation, one), (one, operation, name)


def test_graphs_for_gpus_and_plain_ones_select_nothing(session):
    dispatch = Dispatch(dict.fromkeys(KEYS, "winograd"))
    for context in (placement.plain(), placement.building_for_gpu(True)):
        with context:
            assert "Conv2D" in types_of(session, dispatch)
    assert not dispatch.convolutions
