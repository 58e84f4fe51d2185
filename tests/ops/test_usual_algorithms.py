"""Which algorithms convolutions are computed with where nothing was measured, on both sides of each limit."""

import pytest

from common import tensorflow as tf
from common.ops import algorithms, convolution
from common.ops.algorithms import Convolution, Names
from common.ops.dispatch import Dispatch, dispatching
from common.ops.formulations import Library

LETTERS = {name[0].upper(): name for name in algorithms.ALGORITHMS}  # such as M for matrices


def usual(size, stride, padding, inputs, filters, outputs, values=None, kind="float32"):
    """The usual algorithms of all three operations, by their first letters."""
    convolved = Convolution(kind, size, stride, padding, inputs, filters, outputs, values)
    return "".join(name[0].upper() for name in algorithms.usual(convolved))


@pytest.mark.parametrize(
    ("size", "inputs", "filters", "values", "letters"),
    [
        (4, 32, 4, None, "TTT"),  # 64 values per input channel are few
        (8, 32, 1, None, "TTT"),
        (5, 32, 3, None, "CCC"),  # 75 are not, but 3 channels of output are fewer than the columns of the kernel
        (5, 32, 4, None, "CCC"),
        (5, 32, 5, None, "LLL"),
        (7, 32, 5, None, "LLL"),
        (4, 32, 5, None, "LLL"),
        (4, 31, 4, None, "LLL"),  # of fewer than 32 channels, little time can be saved
        (5, 31, 4, None, "LLL"),
        (3, 128, 128, 256, "WWW"),
        (4, 128, 128, 256, "WWW"),
        (5, 128, 128, 256, "LLL"),
        (2, 128, 128, 256, "LLL"),
        (3, 128, 128, 255, "LLL"),  # too small a map
        (3, 128, 128, None, "WWW"),  # a map of unknown size counts as large
        (3, 127, 512, None, "LLL"),
        (3, 512, 127, None, "LWW"),
        (3, 128, 127, None, "LWW"),
        (3, 127, 64, None, "LLL"),
        (3, 128, 64, None, "LWW"),
        (3, 128, 63, None, "LLL"),
        (3, 64, 128, None, "LLL"),  # of kernels of 3 only where they make fewer channels
        (4, 64, 128, None, "LWW"),
        (4, 63, 128, None, "LLL"),
        (4, 64, 127, None, "LLL"),
    ],
)
def test_convolutions_without_zeros_around_them(size, inputs, filters, values, letters):
    assert usual(size, 1, "VALID", inputs, filters, (1, 64, 64), values) == letters
    assert usual(size, 1, "VALID", inputs, filters, None, values) == letters
    assert usual(size, 1, "SAME", inputs, filters, (1, 64, 64), values) == "LLL"


@pytest.mark.parametrize(
    ("stride", "inputs", "filters", "places", "letters"),
    [
        (2, 64, 32, 64, "MMM"),
        (2, 64, 31, 64, "LLL"),  # too few channels of output
        (2, 63, 32, 64, "LMM"),
        (2, 64, 32, 65, "MLM"),
        (2, 64, 32, 4096, "MLM"),
        (2, 64, 32, 4097, "LLM"),
        (2, 1, 32, 10**7, "LLM"),
        (3, 64, 32, 64, "MMM"),
        (2, 64, 32, None, "LLL"),
    ],
)
def test_strided_convolutions_of_float32(stride, inputs, filters, places, letters):
    for size, padding in ((3, "SAME"), (5, "VALID")):
        assert usual(size, stride, padding, inputs, filters, places and (1, places, 1)) == letters


@pytest.mark.parametrize(
    ("size", "stride", "inputs", "places", "letters"),
    [
        (4, 2, 64, 1024, "MLP"),
        (4, 2, 64, 1023, "MLM"),
        (4, 2, 63, 1024, "LLM"),
        (4, 3, 64, 1024, "MLM"),
        (3, 2, 64, 1024, "MLM"),
    ],
)
def test_kernel_gradients_of_phases_are_for_large_maps_of_many_channels(size, stride, inputs, places, letters):
    assert usual(size, stride, "SAME", inputs, 64, (places, 1, 1)) == letters
    assert usual(size, stride, "SAME", inputs, 64, (places, 1, 1), kind="bfloat16")[2] != "P"


@pytest.mark.parametrize(
    ("stride", "inputs", "filters", "places", "letters"),
    [
        (2, 128, 32, 256, "MMM"),
        (2, 128, 31, 256, "LLL"),
        (2, 127, 32, 256, "LML"),
        (2, 128, 32, 257, "LLM"),
        (2, 128, 32, 2048, "LLM"),
        (2, 128, 32, 2049, "LLL"),
        (1, 128, 32, 256, "MLM"),  # without strides, the transpose is left to the library
        (1, 128, 32, 64, "MLM"),
        (1, 128, 32, None, "LLL"),
    ],
)
def test_convolutions_of_bfloat16(stride, inputs, filters, places, letters):
    for size, padding in ((3, "SAME"), (4, "VALID")):
        outputs = places and (1, 1, places)
        assert usual(size, stride, padding, inputs, filters, outputs, kind="bfloat16") == letters


@pytest.mark.parametrize(
    ("shapes", "operation", "letters"),
    [
        ((4, 1, "SAME", 64, 64, (1, 256, 256)), "conv", "LM"),  # 2^16 places, 2^4 kernel values, 2^6 channels: 2^26
        ((4, 1, "SAME", 64, 64, (1, 257, 256)), "conv", "L"),
        ((4, 1, "SAME", 64, 65, (1, 256, 256)), "conv", "L"),
        ((4, 1, "SAME", 65, 64, (1, 256, 256)), "conv", "L"),
        ((2, 1, "VALID", 8, 17, (1, 8, 8)), "conv", "LM"),
        ((2, 1, "VALID", 8, 16, (1, 8, 8)), "conv", "LMT"),
        ((3, 1, "VALID", 8, 8, (1, 8, 8)), "conv", "LMW"),
        ((3, 1, "VALID", 8, 7, (1, 8, 8)), "conv", "LMWT"),
        ((4, 1, "VALID", 8, 4, (1, 8, 8)), "conv", "LMWT"),
        ((5, 1, "VALID", 8, 4, (1, 8, 8)), "conv", "LMC"),
        ((5, 1, "VALID", 8, 5, (1, 8, 8)), "conv", "LM"),
        ((5, 1, "VALID", 8, 2, (1, 8, 8)), "conv", "LMCT"),
        ((3, 2, "VALID", 8, 2, (1, 8, 8)), "kernel_gradient", "LM"),
        ((4, 2, "VALID", 8, 2, (1, 8, 8)), "kernel_gradient", "LMP"),
        ((4, 2, "VALID", 8, 2, (1, 8, 8)), "transpose", "LM"),
        ((4, 1, "SAME", 8, 2, (1, 8, 8)), "kernel_gradient", "LM"),
    ],
)
def test_algorithms_that_can_be_measured(shapes, operation, letters):
    found = algorithms.possible(operation, Convolution("float32", *shapes))
    assert found == [LETTERS[letter] for letter in letters]


def test_the_library_alone_is_one_formulation():
    one = Convolution("float32", 3, 2, "SAME", 8, 8, (1, 8, 8))
    assert algorithms.formulation(one, algorithms.BY_LIBRARY) == Library(2, "SAME")
    mixed = algorithms.formulation(one, Names("library", "matrices", "library"))
    assert [type(operation.__self__).__name__ for operation in mixed] == ["Library", "Matrices", "Library"]
    assert {operation.__self__ for operation in mixed} == {(2, "SAME")}


def test_the_convolutions_of_a_graph_are_noted_with_their_shapes(session):
    """Values are those of a map before its margins; those of unknown sides have none."""
    dispatch = Dispatch()
    x, unknown = tf.zeros([2, 9, 8, 3]), tf.placeholder(tf.float64, [2, None, 8, 3])
    with dispatching(dispatch):
        convolution.conv(x, tf.zeros([4, 4, 3, 5]), 2, "SAME")
        convolution.conv(x, tf.zeros([4, 4, 3, 5]), 1, "VALID", lambda x: tf.pad(x, [[0, 0], [1, 1], [2, 2], [0, 0]]))
        convolution.transpose(x, tf.zeros([4, 4, 7, 3]), [18, 16], 2, "SAME")
        convolution.conv(unknown, tf.zeros([3, 3, 3, 5], tf.float64), 1, "VALID")
        convolution.transpose(unknown, tf.zeros([3, 3, 7, 3], tf.float64), [18, 16], 2, "SAME")
    assert dispatch.convolutions == [
        Convolution("float32", 4, 2, "SAME", 3, 5, (2, 5, 4), 72),
        Convolution("float32", 4, 1, "VALID", 3, 5, (2, 8, 9), 72),
        Convolution("float32", 4, 2, "SAME", 7, 3, (2, 9, 8), 72),
        Convolution("float64", 3, 1, "VALID", 3, 5, None, None),
        Convolution("float64", 3, 2, "SAME", 7, 3, None, None),
    ]


def test_keys_round_places_to_powers_of_two():
    """The nearest in proportion: 45 is below 32 times the root of 2, 46 above; 181 below 128 times it, 182 above."""
    at = {places: Convolution("float32", 3, 1, "SAME", 1, 2, (1, 1, places)).key("conv") for places in (1, 45, 46, 182)}
    assert [key.split(" at ")[1] for key in at.values()] == ["1", "32", "64", "256"]
    assert Convolution("bfloat16", 3, 1, "SAME", 1, 2, (4, 5, 9)).key("transpose") == (
        "transpose bfloat16 3x3/1 SAME 1-2 at 128"
    )


def test_used_algorithms_are_kept_in_the_order_of_their_keys():
    one, other = (Convolution("float32", size, 1, "SAME", 8, 8, (1, 4, 4)) for size in (3, 5))
    measured = {convolved.key("conv"): "matrices" for convolved in (other, one)}
    dispatch = Dispatch(measured)
    for convolved in (other, one, other):
        assert dispatch.names(convolved) == ("matrices", "library", "library")
    dispatch.keep_used()
    assert list(dispatch.measured) == sorted(measured)
