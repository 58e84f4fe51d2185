"""Images have numbers, by which their noise is drawn: a network whose output is the number of its image."""

import dataclasses

import numpy as np
import pytest

from common import tensorflow as tf
from common.errors import UserError
from common.images.pixels import Domain
from common.translate import Inference, TiledTranslator, Translator
from tests import small

IMAGE = np.zeros([8, 8, 3], np.uint8)


@dataclasses.dataclass(frozen=True)
class Numbered(small.Pointwise):
    """Translates an image to its number, as a level of 255, if it has noise."""

    @property
    def noisy(self):
        return self.test_dropout

    def generator(self, images, channels, key):
        wanted = super().generator(images, channels, key) * 0.0
        return wanted if key is None else wanted + (tf.cast(key[:, 1], tf.float32) / 127.5 - 1.0)[:, None, None, None]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return small.untrained(
        tmp_path_factory.mktemp("numbers") / "run", Numbered(test_dropout=True, channels_B=1), B=Domain(1)
    )


@pytest.fixture(scope="module")
def translator(run):
    with Translator(run) as translator:
        yield translator


def numbers(translated):
    """The numbers of images whose pixels are all the same."""
    assert all(np.ptp(image) == 0 for image in translated)
    return [int(image.flat[0]) for image in translated]


def test_images_are_numbered_from_the_first(translator):
    assert numbers(translator("A2B", np.stack([IMAGE] * 3))) == [0, 1, 2]
    assert numbers(translator("A2B", np.stack([IMAGE] * 3), first=5)) == [5, 6, 7]
    assert numbers(translator("A2B", [IMAGE, IMAGE[:4], IMAGE], first=5)) == [5, 6, 7]
    assert numbers(translator("A2B", (IMAGE, IMAGE))) == [0, 1]
    assert numbers([translator("A2B", IMAGE), translator("A2B", IMAGE, first=9)]) == [0, 9]


def test_outputs_in_floats_are_those_of_the_first_image(translator):
    np.testing.assert_allclose(translator.in_floats("A2B", IMAGE), np.full([8, 8, 1], -1.0))


def test_frames_of_a_video_have_numbers_if_their_direction_is_learned(run):
    with Translator(run, steady=True) as translator:
        assert numbers(translator("A2B", np.stack([IMAGE] * 2), first=3)) == [3, 4]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1, 1), (1, 1, 1)),
        ((1, 3), (1, 3, 1)),
        ("model", (5, 6, 1)),
        ("original", (5, 6, 1)),
        (np.array([2, 7]), (2, 7, 1)),
    ],
)
def test_outputs_have_the_size_that_is_asked_for(translator, size, expected):
    assert translator("A2B", IMAGE[:5, :6], size).shape == expected


@pytest.mark.parametrize("size", [(0, 3), (3, 0), (3,), (1, 2, 3), (2.0, 3.0), "x"])
def test_why_sizes_are_refused(translator, size):
    with pytest.raises(UserError) as error:
        translator("A2B", IMAGE, size)
    assert str(error.value) == (
        f"output_size {size!r} is not valid: must be original, model or (height, width) in pixels."
    )


def test_flat_arrays_stay_flat_if_the_output_has_one_channel(translator):
    assert translator("A2B", IMAGE[..., 0]).shape == (8, 8) and translator("B2A", IMAGE[..., 0]).shape == (8, 8, 3)
    assert translator("A2B", IMAGE[..., :1]).shape == (8, 8, 1)


@pytest.mark.parametrize(
    ("images", "text"),
    [
        (IMAGE[0, 0], "uint8 of shape [3]"),
        (IMAGE[:0], "uint8 of shape [1, 0, 8, 3]"),
        (IMAGE * 1j, "complex128 of shape [1, 8, 8, 3]"),
    ],
)
def test_why_arrays_are_refused(translator, images, text):
    with pytest.raises(UserError) as error:
        translator("A2B", images)
    assert str(error.value) == f"A2B takes images of numbers, [N, H, W, C], [H, W, C] or [H, W], but got {text}."


def test_a_translator_shows_itself_in_notebooks(translator):
    text = translator._repr_html_()
    for name, value in (
        ("checkpoint", "step 7"),
        ("A2B", "uint8 [H, W, 3] to uint8 [H, W, 1]"),
        ("B2A", "uint8 [H, W, 1] to uint8 [H, W, 3]"),
    ):
        assert f">{name}</th>" in text and f">{value}</td>" in text
    assert translator.step == 7


def test_nothing_is_added_to_the_graph_of_a_translator(translator):
    assert translator._session.graph.finalized


def test_what_is_closed_translates_no_more(run):
    refused = pytest.raises(UserError, match=r"^This run has no direction B2A, only A2B\.$")
    with Translator(run, Inference(direction="A2B")) as translator, refused:
        translator("B2A", IMAGE)
    with pytest.raises(RuntimeError, match="closed"):
        translator("A2B", IMAGE)


def test_why_tiles_are_refused(run):
    with pytest.raises(UserError) as error:
        TiledTranslator(run, 8)
    assert str(error.value) == (
        "--tile needs a run without noise, as tiles would draw other noise than the whole image: use --notest_dropout."
    )
    with pytest.raises(UserError) as error:
        TiledTranslator(run, 8, test_dropout=False, inference=Inference(scale_to="8"))
    assert str(error.value) == "--tile does not scale images: leave out --scale_to 8."
