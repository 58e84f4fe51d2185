"""Sizes of images are one number or HEIGHTxWIDTH: in Python, on the command line and in files of settings."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from common import settings as files
from common import sizes
from common.errors import UserError
from cyclegan import CycleGAN
from dualgan import DualGAN
from enhancement import Enhancement
from flags import command
from pix2pix import Pix2Pix

SIDE = some.integers(1, 2**16)


@given(height=SIDE, width=SIDE)
def test_a_size_is_its_sides(height, width):
    size = sizes.of_sides(height, width)
    assert sizes.sides(size) == (height, width)
    assert isinstance(size, int) == (height == width)
    assert sizes.parse(str(size)) == size


@settings(deadline=None)
@given(height=SIDE, width=SIDE, multiple=some.integers(1, 512))
def test_the_nearest_fit_is_at_most_half_a_multiple_away(height, width, multiple):
    near = sizes.sides(sizes.nearest(sizes.of_sides(height, width), multiple))
    assert sizes.fits(sizes.of_sides(*near), multiple)
    assert all(
        abs(fit - side) <= multiple / 2 or (fit, side < multiple) == (multiple, True)
        for fit, side in zip(near, (height, width))
    )


@pytest.mark.parametrize("size", ["", "x", "64x", "x64", "64x0", "064x64", "64x64x3", "64 x 64", "64X32", "-4x4"])
def test_other_texts_are_not_sizes(size):
    with pytest.raises(
        UserError, match=r"--image_size .* is not a valid size: use a number of pixels, or HEIGHTxWIDTH"
    ):
        CycleGAN(image_size=size)


@pytest.mark.parametrize("size", ["8x65537", "65537x8"])
def test_each_side_has_the_limits_of_a_number(size):
    with pytest.raises(UserError, match=f"--image_size {size} is too large: it must be at most 65536"):
        CycleGAN(image_size=size, load_size=0)


def test_a_square_is_a_number_however_it_is_written():
    assert CycleGAN(image_size="64x64", load_size="72x72") == CycleGAN(image_size=64, load_size=72)
    assert CycleGAN(image_size=64, load_size=0).load_sides == (64, 64)
    assert CycleGAN(image_size="64x32", load_size=0).load_sides == (64, 32)
    assert CycleGAN(image_size="64x32", load_size=72).load_sides == (72, 72)


def test_a_file_of_settings_has_it_as_written(tmp_path):
    dual = Pix2Pix(image_size="512x256", load_size="572x286")
    files.save(tmp_path / "config.json", {}, dual=dual)
    assert json.loads((tmp_path / "config.json").read_text())["dual"]["image_size"] == "512x256"
    assert files.load(tmp_path / "config.json")["dual"] == dual


def test_the_command_line_reads_it():
    asked = command.parse(CycleGAN, ["main", "--image_size", "512x256", "--load_size=572x286"])
    assert (asked.values.image_size, asked.values.load_size) == ("512x256", "572x286")
    assert command.parse(CycleGAN, ["main", "--image_size", "64x64"]).values.image_size == 64


@pytest.mark.parametrize(
    "build, message",
    [
        (
            lambda: DualGAN(image_size="256x384"),
            "--image_size 256x384 does not fit .* Use --image_size 256x512, or --depth 7",
        ),
        (lambda: CycleGAN(image_size="256x30"), "--image_size 256x30 does not fit .* Use --image_size 256x32"),
        (lambda: CycleGAN(image_size="512x256"), "--load_size 286 is smaller than --image_size 512x256"),
        (lambda: CycleGAN(image_size="8x256", load_size=0), "--n_layers 3 does not fit --image_size 8x256"),
        (lambda: Enhancement(image_size="256x30"), "--image_size 256x30 does not fit .* Use --image_size 256x32"),
    ],
)
def test_each_side_must_fit_the_networks(build, message):
    with pytest.raises(UserError, match=message):
        build()


def test_a_patch_is_no_larger_than_the_image_on_either_side():
    assert Enhancement(image_size="64x256", patch_size=128).patch_sides == (64, 128)
    assert Enhancement(image_size="64x256", patch_size=0).patch_sides == (64, 256)
