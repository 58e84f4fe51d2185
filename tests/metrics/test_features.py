"""Features of images by small networks whose outputs are known: what they are fed, and why some are refused."""

import numpy as np
import pytest

from common import tensorflow as tf
from common.errors import UserError
from common.metrics.features import Features


def saved(path, build, *args):
    """Writes the frozen graph of what `build` adds to an empty graph."""
    with tf.Graph().as_default() as graph:
        build(*args)
        path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def flat(dtype, shape):
    tf.reshape(tf.placeholder(dtype, shape, "images"), [1, -1], "features")


def features_of(path, image, ends=""):
    with Features(path, ends) as features:
        (vector,) = features(image[None])
    assert vector.dtype == np.float64
    return vector


@pytest.mark.parametrize("dtype", [tf.float32, tf.float16, tf.uint8])
def test_networks_are_fed_bytes_or_shares_of_them(tmp_path, dtype):
    image = np.random.default_rng(0).integers(0, 256, [4, 6, 3], np.uint8)
    path = saved(tmp_path / "0.pb", flat, dtype, [None, None, None, 3])
    expected = image.ravel() if dtype == tf.uint8 else image.ravel() / 255.0
    np.testing.assert_allclose(features_of(path, image), expected, rtol=1e-3 if dtype == tf.float16 else 1e-6)


@pytest.mark.parametrize("dtype", [tf.float32, tf.uint8])
def test_images_are_resized_to_the_height_and_the_width_of_the_input(tmp_path, dtype):
    """Rows that are equal stay so when their number is doubled; of as many pixels none is changed."""
    rows = np.arange(18).reshape(1, 6, 3).astype(np.uint8).repeat(2, axis=0)
    path = saved(tmp_path / "0.pb", flat, dtype, [1, 4, 6, 3])
    expected = rows[:1].repeat(4, axis=0).ravel() / (1 if dtype == tf.uint8 else 255.0)
    np.testing.assert_allclose(features_of(path, rows), expected, rtol=1e-5)
    np.testing.assert_allclose(features_of(path, rows.repeat(2, axis=0)), expected, rtol=1e-5)


def test_of_smaller_images_pixels_are_means_and_bytes_are_rounded(tmp_path):
    """Every fourth pixel is 10, the others are 11: 10.75 away from the borders, which is 11 as a byte."""
    image = np.full([16, 16, 3], 11, np.uint8)
    image[::2, ::2] = 10
    for dtype, scale, expected in ((tf.float32, 255.0, 10.75), (tf.uint8, 1.0, 11.0)):
        path = saved(tmp_path / "0.pb", flat, dtype, [1, 8, 8, 3])
        inside = features_of(path, image).reshape(8, 8, 3)[1:-1, 1:-1]
        np.testing.assert_allclose(inside * scale, expected, rtol=1e-5)


def test_maps_are_averaged_over_their_pixels_alone(tmp_path):
    def build():
        images = tf.placeholder(tf.float32, [None, None, None, 3])
        tf.identity(images * 2.0)

    image = np.random.default_rng(0).integers(0, 256, [5, 7, 3], np.uint8)
    path = saved(tmp_path / "0.pb", build)
    np.testing.assert_allclose(features_of(path, image), image.mean(axis=(0, 1)) * 2 / 255, rtol=1e-5)


@pytest.mark.parametrize(("width", "are_of_fid"), [(2047, False), (2048, True), (2049, False)])
def test_features_of_fid_are_the_2048_of_inception(tmp_path, width, are_of_fid):
    def build():
        images = tf.identity(tf.placeholder(tf.float32, [None, None, None, 3], "DecodeJpeg"), "ExpandDims")
        tf.identity(images, "mixed_10/join")
        tf.tile(tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True), [1, 1, 1, width], name="pool_3")

    path = saved(tmp_path / "0.pb", build)
    with Features(path) as features:
        assert features.are_of_fid == are_of_fid
        assert features(np.full([1, 2, 2, 3], 51, np.uint8)).tolist() == [[51.0] * width]  # fed from 0 to 255


@pytest.mark.parametrize("more", [1, 9])
def test_networks_of_several_inputs_and_outputs_need_names(tmp_path, more):
    def build():
        images = tf.placeholder(tf.float32, [None, None, None, 3], "images")
        for number in range(more):
            tf.placeholder(tf.float32, [], f"other{number}")
        for number in range(2):
            tf.reduce_mean(images, [1, 2], name=f"features{number}")

    path = saved(tmp_path / "0.pb", build)
    with pytest.raises(UserError) as error:
        Features(path)
    others = [f"other{number}" for number in range(more)]
    names = ", ".join(["images", *others, *others, "features0", "features1"][:8])  # what is not used is an output, too
    assert str(error.value) == (
        f"{path} does not have exactly one input and one output ({names}): use --features_ends IN:0,OUT:0."
    )
    np.testing.assert_allclose(features_of(path, np.full([2, 2, 3], 51, np.uint8), "images:0,features1:0"), 0.2)


@pytest.mark.parametrize("kinds", ["inputs", "outputs"])
def test_one_input_does_not_make_up_for_two_outputs(tmp_path, kinds):
    def build():
        images = tf.placeholder(tf.float32, [None, None, None, 3], "images")
        other = tf.placeholder(tf.float32, [], "other") if kinds == "inputs" else 1.0
        tf.reduce_mean(images * other, [1, 2], name="one")
        if kinds == "outputs":
            tf.reduce_mean(images, [1, 2], name="two")

    with pytest.raises(
        UserError, match=r"does not have exactly one input and one output \(images, (other, one|one, two)\)"
    ):
        Features(saved(tmp_path / "0.pb", build))


def test_why_networks_are_refused_is_said_whole(tmp_path):
    path = saved(tmp_path / "0.pb", flat, tf.float32, [1, 4, 4, 4])
    with pytest.raises(UserError) as error:
        Features(path)
    assert str(error.value) == (
        f"{path} takes images:0 of shape [1, 4, 4, 4], but features need one RGB image at a time, [1, height, width,"
        " 3]. Use another network, or another input: --features_ends IN:0,OUT:0."
    )
    (tmp_path / "text.pb").write_text("no graph")
    with pytest.raises(UserError) as error:
        Features(tmp_path / "text.pb")
    assert str(error.value) == (
        f"{tmp_path}/text.pb cannot be read as a frozen graph or a SavedModel (it is not a TensorFlow graph)."
    )
    with pytest.raises(UserError) as error:
        Features(path, "a:0,b:0,c:0")
    assert str(error.value).startswith(f"{path} has no tensors a:0,b:0,c:0: use --features_ends IN:0,OUT:0")


def test_features_are_closed_with_their_block(tmp_path):
    with Features(saved(tmp_path / "0.pb", flat, tf.float32, [None, None, None, 3])) as features:
        assert features._session.graph.finalized  # nothing is added for each image
    with pytest.raises(RuntimeError, match="closed Session"):
        features(np.zeros([1, 2, 2, 3], np.uint8))


def test_a_saved_model_has_the_ends_of_its_signature_of_one_input(tmp_path):
    """Not of one that takes two, nor of the tensors that nothing uses."""
    with tf.Graph().as_default(), tf.Session() as session:
        images = tf.placeholder(tf.float32, [None, None, None, 3], "images")
        gain = tf.placeholder(tf.float32, [], "gain")
        mean = tf.reduce_mean(images, [1, 2], name="mean")
        signature = tf.saved_model.predict_signature_def
        builder = tf.saved_model.Builder(str(tmp_path / "model"))
        signatures = {
            "both": signature({"images": images, "gain": gain}, {"product": mean * gain}),
            "one": signature({"images": images}, {"features": mean}),
        }
        builder.add_meta_graph_and_variables(session, ["serve"], signatures)
        builder.save()
    np.testing.assert_allclose(features_of(tmp_path / "model", np.full([2, 3, 3], 51, np.uint8)), 0.2, rtol=1e-6)
