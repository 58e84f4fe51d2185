"""How the output of exported files is compared with that of the run: on which values, and up to which difference."""

import types

import numpy as np
import pytest

from common import tensorflow as tf
from common.export import comparison
from common.export.comparison import Expected, compare
from common.export.ported import Ported, of_graph
from common.export.signatures import Signature
from common.images.classes import ONE_HOT, Classes
from common.images.pixels import EIGHT_BITS, Domain

COLOURS = np.uint8([[0, 0, 0], [0, 0, 255], [255, 0, 0]])
LABELS = Domain(1, classes=Classes.of(np.uint8([[7], [90], [200]]), COLOURS))
HOT = Domain(1, classes=Classes.of(np.uint8([[7], [90], [200]]), COLOURS, ONE_HOT))
DEEP = Domain(1, "uint16", 500.0, 4500.0)
IMAGES = [np.arange(24, dtype=np.uint8).reshape(2, 4, 3), np.full([3, 3, 3], 99, np.uint8)]


class Run:
    """A translator that inverts pixels and keeps values, and notes what it was asked for."""

    def __init__(self, source=EIGHT_BITS, target=EIGHT_BITS, noisy=False):
        self.dual = types.SimpleNamespace(noisy=noisy)
        self.source, self.target = (lambda direction: source), (lambda direction: target)
        self.asked = []

    def __call__(self, direction, images, first):
        self.asked.append((direction, images.shape, first))
        return images if self.target("").classes else 255 - images

    def in_floats(self, direction, image):
        self.asked.append((direction, image.shape, "floats"))
        return self.floats


def ported(kind, call, weights="float32"):
    return Ported("file", "A2B", "A2B", kind, weights, call)


def test_pixels_are_compared_one_by_one_and_as_a_batch():
    """Three levels are missing in one value each of both images and of the batch, which is two of the first."""
    run = Run()

    def other(images):
        made = (255 - images).copy()
        made[0, 0, 0, 0] -= 3
        return made

    difference = compare(ported("pixels", other), Expected(run), IMAGES)
    sizes = 24 + 27 + 2 * 24
    assert (difference.images, difference.largest, difference.unit, difference.limit) == (2, 3.0, "grey levels", 1.0)
    assert difference.mean == pytest.approx(3 * 3 / sizes) and difference.ported.call is None
    assert run.asked == [("A2B", (2, 4, 3), 0), ("A2B", (3, 3, 3), 0), ("A2B", (2, 2, 4, 3), 0)]


def test_the_second_image_of_a_batch_is_the_first_one_mirrored():
    taken = []
    compare(ported("pixels", lambda images: taken.append(images) or 255 - images), Expected(Run()), IMAGES)
    np.testing.assert_array_equal(taken[-1], [IMAGES[0], IMAGES[0][:, ::-1]])


@pytest.mark.parametrize("noisy", [False, True])
def test_encoded_images_are_compared_at_once_with_the_noise_of_their_number(tmp_path, noisy):
    run, written = Run(noisy=noisy), []

    def call(files):
        written.extend(files)
        for number, file in enumerate(files):
            (tmp_path / "image.png").write_bytes(file)
            np.testing.assert_array_equal(comparison.files.read(tmp_path / "image.png"), IMAGES[number])
        inverted = []
        for image in IMAGES:
            comparison.files.write(tmp_path / "image.png", 255 - image)
            inverted.append((tmp_path / "image.png").read_bytes())
        return inverted

    difference = compare(ported("bytes", call), Expected(run), IMAGES)
    assert (difference.largest, difference.mean, len(written)) == (0.0, 0.0, 2)
    assert [first for _, _, first in run.asked] == [0, 1 if noisy else 0]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_of_encoded_images_transparency_is_the_last_channel(tmp_path, channels):
    pixels = np.arange(6 * channels, dtype=np.uint8).reshape(2, 3, channels)
    opaque, alpha = (pixels, None) if channels % 2 else (pixels[..., :-1], pixels[..., -1:])
    comparison.files.write(tmp_path / "made.png", opaque, alpha)
    decoded = comparison._decoded((tmp_path / "made.png").read_bytes(), tmp_path / "image.png")
    np.testing.assert_array_equal(decoded, pixels)


def test_sessions_of_a_graph_are_closed_one_after_another():
    with tf.Graph().as_default() as graph:
        signatures = []
        for way in ("A2B", "B2A"):
            image = tf.placeholder(tf.float32, [None], f"{way}/image")
            signatures.append(Signature(way, "pixels", image, tf.identity(2.0 * image, f"{way}/translated")))
    opened = of_graph(graph, "model.pb", signatures)
    first = next(opened)
    assert first.translate([3.0]).tolist() == [6.0]
    second = next(opened)
    assert second.translate([4.0]).tolist() == [8.0]
    assert [(each.file, each.name, each.kind, each.weights) for each in (first, second)] == [
        ("model.pb", way, "pixels", "float32") for way in ("A2B", "B2A")
    ]
    with pytest.raises(RuntimeError, match="closed"):
        first.translate([3.0])
    assert next(opened, None) is None
    with pytest.raises(RuntimeError, match="closed"):
        second.translate([3.0])


def test_an_output_is_computed_once():
    run = Run()
    expected = Expected(run)
    for _ in range(2):
        compare(ported("pixels", lambda images: 255 - images), expected, IMAGES)
    assert len(run.asked) == 3
    run.floats = np.zeros([2, 4, 3])
    assert expected.floats("A2B", IMAGES[0]) is expected.floats("A2B", IMAGES[0]) and len(run.asked) == 4
    expected.pixels("B2A", IMAGES[0])
    expected.pixels("A2B", IMAGES[0].reshape(4, 2, 3))
    assert len(run.asked) == 6


@pytest.mark.parametrize(
    ("source", "image", "scaled"),
    [
        (EIGHT_BITS, np.uint8([[[0, 255, 51]]]), [[[-1, 1, -0.6]]]),
        (DEEP, np.uint16([[[500], [2500], [3500]]]), [[[-1], [0], [0.5]]]),
        (LABELS, np.uint8([[[7], [200], [88]]]), COLOURS[None, [0, 2, 1]] / 127.5 - 1),
        (HOT, np.uint8([[[7], [200], [88]]]), 2.0 * np.eye(3)[None, [0, 2, 1]] - 1),
    ],
    ids=["8 bits", "16 bits", "colours of classes", "one-hot"],
)
def test_floats_are_what_the_networks_see(source, image, scaled):
    taken, run = [], Run(source)
    run.floats = np.zeros(np.shape(scaled), np.float32)
    difference = compare(ported("float", lambda images: taken.append(images) or 0 * images), Expected(run), [image])
    assert taken[0].dtype == np.float32 and (difference.limit, difference.unit) == (2e-3, "of [-1, 1]")
    np.testing.assert_allclose(taken[0], np.array(scaled)[None], atol=1e-6)


def test_of_label_maps_the_share_of_pixels_of_another_class_counts():
    """Of twice 10 pixels, and 20 of a batch, one is of another class in each image: values do not matter."""
    labels = LABELS.classes.table[np.zeros([2, 5], int)]

    def other(images):
        made = images.copy()
        made[:, 0, 0] = 200
        return made

    difference = compare(ported("pixels", other), Expected(Run(LABELS, LABELS)), [labels, labels])
    assert (difference.largest, difference.mean) == (1.0, pytest.approx(0.1))
    assert (difference.limit, difference.unit, difference.is_mean_judged) == (0.01, "of another class", True)
    assert not difference.fits and difference._replace(mean=0.01).fits
    assert difference.describe() == (
        "file A2B: largest difference 1, mean 0.1 of another class over 2 images; allowed: mean 0.01"
    )


@pytest.mark.parametrize(
    ("weights", "floats", "levels", "values", "others"),
    [
        ("float32", 0.002, 1.0, 0.002 * 1.5, 0.01),
        ("float16", 0.05, 6.0, 0.05 * 1.5, 0.05),
        ("dynamic-range int8", 0.05, 6.0, 0.05 * 1.5, 0.2),
    ],
)
def test_each_type_of_weights_has_its_limits(weights, floats, levels, values, others):
    """A level of rounding is allowed for whole weights alone: 0.05 of 127.5 is 6.375."""

    def limit(kind, target):
        return comparison._limit(Ported("file", "A2B", "A2B", kind, weights, None), target)

    assert limit("float", LABELS) == limit("float", EIGHT_BITS) == (floats, "of [-1, 1]")
    assert limit("pixels", EIGHT_BITS) == (levels, "grey levels")
    assert limit("pixels", Domain(1, "float32", -1.0, 2.0)) == (pytest.approx(values), "of its values")
    assert limit("pixels", LABELS) == (others, "of another class")


@pytest.mark.parametrize("wrong", [lambda images: images[:, :, 1:], lambda images: images.astype(np.float32)])
def test_an_output_of_another_shape_or_type_is_an_error(wrong):
    with pytest.raises(ValueError, match=r"the output is .*, but the run's is uint8 \(2, 4, 3\)"):
        compare(ported("pixels", wrong), Expected(Run()), IMAGES)


def test_a_file_that_is_closed_does_not_translate():
    with pytest.raises(ValueError, match=r"^file A2B is closed$"):
        ported("pixels", None).translate(IMAGES[0])
