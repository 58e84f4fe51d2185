"""Settings of inference: which sizes, weights and directions they select, and why some are refused."""

import re

import numpy as np
import pytest
from absl import logging

from common import tensorflow as tf
from common.errors import UserError
from common.translate import Inference, inference
from pix2pix import Pix2Pix
from tests import small

UNET = small.dualgan()  # which works at 32 pixels
RESNET = Pix2Pix(image_size=32, load_size=0, ngf=2, ndf=2, n_layers=1, netG="resnet_6blocks")  # at any size


@pytest.fixture
def warned(monkeypatch):
    warned = []
    monkeypatch.setattr(logging, "warning", warned.append)
    return warned


def of_size(size):
    return (
        "warning: DualGAN was trained at 32 pixels, and its innermost feature map has seen no other size; quality may"
        f" drop at {size}."
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"checkpoint": "newest"},
            "--checkpoint newest is not valid: must be one of latest, best, all or a step.",
        ),
        *(
            (
                {"scale_to": size},
                f"--scale_to {size} is not a valid size: must be keep, model, a number of pixels such as 512, or"
                " HEIGHTxWIDTH.",
            )
            for size in ("large", "0", "12x0", "012", "12x12x12")
        ),
        ({"n_samples": 0}, "--n_samples 0 is too small: it must be at least 1."),
        ({"weights": "last"}, "--weights last is not valid: it must be one of average, raw."),
        ({"direction": "A2A"}, "--direction A2A is not valid: it must be one of both, A2B, B2A."),
    ],
)
def test_why_settings_are_refused(fields, message):
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        Inference(**fields)


@pytest.mark.parametrize("fields", [{"checkpoint": "0"}, {"checkpoint": "all"}, {"scale_to": "7"}, {"n_samples": 1}])
def test_what_may_be_set(fields):
    assert Inference(**fields)


@pytest.mark.parametrize(
    ("dual", "scale_to", "scale", "warnings"),
    [
        (UNET, "auto", (32, 32), []),
        (UNET, "model", (32, 32), []),
        (UNET, "32", (32, 32), []),
        (UNET, "24x32", (24, 32), [of_size("24x32")]),
        (UNET, "48", (48, 48), [of_size("48")]),
        (UNET, "keep", None, [of_size("their own size")]),
        (RESNET, "auto", None, []),
        (RESNET, "keep", None, []),
        (RESNET, "model", (32, 32), []),
        (RESNET, "24x32", (24, 32), []),
    ],
)
def test_the_size_to_translate_at(dual, scale_to, scale, warnings, warned):
    assert Inference(scale_to=scale_to).scale(dual) == scale and warned == warnings


@pytest.mark.parametrize(
    ("scale_to", "size", "warnings"),
    [
        ("auto", UNET.image_size, []),
        ("model", UNET.image_size, []),
        ("32", 32, []),
        ("64", 64, [of_size("64")]),
    ],
)
def test_the_size_to_test_at(scale_to, size, warnings, warned):
    dual = Inference(scale_to=scale_to).sized(UNET)
    assert dual.image_size == size and warned == warnings


@pytest.mark.parametrize(
    ("scale_to", "message"),
    [
        ("keep", "--phase test scales images to one size: use --scale_to 512, 512x256 or model."),
        (
            "33",
            "--scale_to 33 does not fit these generators: 4 must divide its sides. Use --scale_to 32.",
        ),
        (
            "32x35",
            "--scale_to 32x35 does not fit these generators: 4 must divide its sides. Use --scale_to 32x36.",
        ),
    ],
)
def test_why_sizes_to_test_at_are_refused(scale_to, message):
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        Inference(scale_to=scale_to).sized(UNET)


def test_the_directions_that_are_selected():
    assert Inference().directions(UNET) == ("A2B", "B2A") and Inference(direction="B2A").directions(UNET) == ("B2A",)
    assert Inference().directions(RESNET) == ("A2B",)
    with pytest.raises(UserError, match=r"^This run has no direction B2A, only A2B\.$"):
        Inference(direction="B2A").directions(RESNET)


class Keyed(small.Pointwise):
    """One whose generators return the key of their noise."""

    def generator(self, images, channels, key):
        both = tf.concat([key, key[:, :1]], axis=-1)[:, None, None, :channels]  # of two numbers, and one again
        return 0.0 * super().generator(images, channels, key) + tf.cast(both, images.dtype)


def test_what_is_not_fed_has_the_channels_of_its_domain(session):
    dual, index = Keyed(test_dropout=True, channels_A=3, channels_B=1), tf.constant([0], tf.int64)
    for name, channels in (("A2B", 3), ("B2A", 1)):
        direction, _ = inference.connect(dual, name, tf.zeros([1, 8, 8, channels]), index)
        assert direction.target.shape.as_list()[-1] == 4 - channels
        assert direction.fake.shape.as_list()[-1] == 4 - channels


def test_the_noise_of_a_translation_is_that_of_its_image_and_its_sample(session):
    """The same for `connect`, which is for tests; by default of the first sample."""
    dual = Keyed(test_dropout=True)
    images, index = tf.zeros([2, 8, 8, 3]), tf.constant([5, 6], tf.int64)

    def connected(*sample):
        direction, _ = inference.connect(dual, "A2B", images, index, *sample)
        return direction.fake

    def translated(**sample):
        return inference.translated(dual, "A2B", images, index, **sample)

    keys = [connected(), connected(0), connected(2), translated(), translated(sample=0), translated(sample=2)]
    kinds = {operation.type for operation in session.graph.get_operations()}
    assert "ReverseV2" not in kinds  # by default no mirrored copies
    session.run(tf.global_variables_initializer())
    keys = np.array([key[:, 0, 0] for key in session.run(keys)])
    first, third = keys[0], keys[2]
    np.testing.assert_array_equal(keys, [first, first, third, first, first, third])
    assert len(set(map(tuple, [*first, *third]))) == 4  # of two images and two samples
