"""Exports of runs whose images have other types and numbers of channels than 8 bits and RGB."""

import dataclasses
import pathlib
import re

import numpy as np
import pytest

from common import tensorflow as tf
from common.errors import UserError
from common.export import Export, export, signatures
from common.images import files
from common.images.pixels import Domain
from common.run.folder import load_run
from common.translate import Inference, Translator
from dualgan import DualGAN
from flags import command
from tests import small

RANDOM = np.random.default_rng(0)


DOMAINS = Domain(1, "uint16", 500.0, 3000.0), Domain(5, "float32", -1.0, 7.0)


@pytest.fixture(scope="module")
def deep(tmp_path_factory):
    """A run that makes five bands of floating point of uint16, of one channel."""
    dual = small.dualgan(channels_A=1, channels_B=5, ngf=16)
    return small.untrained(tmp_path_factory.mktemp("deep"), dual, *DOMAINS)


def test_images_of_other_types_and_bands(tmp_path):
    deep, folder = tmp_path / "run", tmp_path / "model"
    small.untrained(deep, small.Pointwise(channels_A=1, channels_B=5), *DOMAINS)
    files.write(tmp_path / "in" / "0.png", RANDOM.integers(500, 3001, [20, 31, 1], np.uint16))
    options = Export(format="savedmodel", direction="A2B", output=str(folder), input=str(tmp_path / "in"))
    result = export(deep, options, load_run(deep).images)
    assert [difference.ported.name for difference in result.kept] == [
        "A2B",
        "A2B_float",
    ]  # PNG does not hold five bands
    assert result.compared_on == options.input
    text = (folder / "README.md").read_text()
    assert "uint16 [N, H, W, 1]; float32 [N, H, W, 5]" in text
    assert "Images of A have 1 channels of uint16 from 500 to 3,000, scaled to -1 to 1." in text
    (tmp_path / "in" / "0.png").unlink()
    for path, message in {
        str(tmp_path / "in"): "has no readable image",
        "nowhere": "--input nowhere does not exist",
    }.items():
        other = dataclasses.replace(options, output=str(tmp_path / "other"), input=path)
        with pytest.raises(UserError, match=message):
            export(deep, other, load_run(deep).images)
    assert not list(tmp_path.glob("*other*"))


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["tflite", "onnx"])
def test_runtimes_of_few_types_take_scaled_values(deep, tmp_path, monkeypatch, capsys, name):
    """What they know nothing of is printed, and what the README scales instead gives what the run gives."""
    if name == "onnx":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("tf2onnx")
    line = f"main --phase export --format {name} --direction A2B --run_dir {deep} --output {tmp_path / 'model'}"
    command.main(DualGAN, line.split())
    printed = capsys.readouterr().out
    assert f"--format {name} cannot take pixels of these types: its input is scaled to [-1, 1]" in printed
    assert "A2B_float: largest difference" in printed and " A2B: " not in printed
    monkeypatch.chdir(tmp_path / "model")
    (code,) = re.findall(r"```python\n(.*?)```", pathlib.Path("README.md").read_text(), flags=re.DOTALL)
    photo = RANDOM.integers(500, 3001, [20, 31, 1], np.uint16)
    np.save("photo.npy", photo)
    exec(code, {})
    translated = np.load("translated.npy")
    with Translator(deep, Inference(scale_to="keep")) as translator:
        expected = translator("A2B", photo)
    assert translated.dtype == expected.dtype == np.float32 and expected.std() > 0.1
    np.testing.assert_allclose(translated, expected, rtol=0, atol=1e-4)


@pytest.mark.thorough
@pytest.mark.parametrize("name", [pytest.param("tflite", marks=pytest.mark.slow), "onnx"])
def test_bands_of_eight_bits_are_pixels(tmp_path, name):
    if name == "onnx":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("tf2onnx")
    run = small.untrained(tmp_path / "run", small.dualgan(channels_A=5, channels_B=2), Domain(5), Domain(2))
    options = Export(format=name, direction="A2B", output=str(tmp_path / "model"))
    result = export(run, options, load_run(run).images)
    whole = [difference for difference in result.kept if difference.ported.weights == "float32"]
    assert [difference.ported.name for difference in whole] == ["A2B", "A2B_float"] and result.takes_pixels
    assert whole[0].unit == "grey levels" and whole[1].largest < 1e-5
    text = (tmp_path / "model" / "README.md").read_text()
    assert "uint8 [N, H, W, 5]; uint8 [N, H, W, 2]" in text
    assert 'np.load("photo.npy")[None]  # [N, H, W, 5] of uint8' in text


EIGHT, DEEP, FLOATING = Domain(), Domain(1, "uint16", 0.0, 9.0), Domain(3, "float32", 0.0, 1.0)


@pytest.mark.parametrize(
    ("source", "target", "holds", "common"),
    [
        *((EIGHT, Domain(channels), channels <= 4, True) for channels in range(1, 7)),
        *((Domain(channels), EIGHT, channels in (1, 3), True) for channels in range(1, 6)),
        *((EIGHT, DEEP, True, False), (DEEP, Domain(4), True, False), (DEEP, DEEP, True, False)),
        *((EIGHT, FLOATING, False, True), (FLOATING, EIGHT, False, True), (FLOATING, FLOATING, False, True)),
        (FLOATING, DEEP, False, False),
    ],
)
def test_kinds_are_for_what_formats_hold(source, target, holds, common):
    """Bytes for what PNG holds, of what TensorFlow decodes; pixels everywhere but in runtimes of few types."""
    arrays = ["pixels", "float"]
    assert signatures.holds_bytes(source, target) == holds
    assert signatures.all_kinds(source, target) == [*arrays, *["bytes"] * holds]
    assert signatures.without_bytes(source, target) == arrays
    assert signatures.of_common_types(source, target) == (arrays if common else ["float"])


@pytest.mark.parametrize("domain", [Domain(3), Domain(1), Domain(3, "uint16", 0.0, 9.0)], ids=["RGB", "gray", "deep"])
def test_encoded_files_become_pixels_as_the_toolkit_reads_them(session, domain):
    """By hand: a quarter of transparency, white where all is, and the luminance of BT.601."""
    full, dtype = (255, np.uint8) if domain.dtype == "uint8" else (65535, np.uint16)
    colour = np.array([full, 0, full // 5], np.float64)
    for stored, expected in {
        "RGB": (colour, colour),
        "RGB and alpha": ([*colour, full // 5 * 4], colour * 0.8 + full * 0.2),
        "transparent": ([*colour, 0], np.full(3, full)),
        "gray": ([full // 5], [full // 5] * 3),
        "gray and alpha": ([0, full // 5], [full * 0.8] * 3),
    }.values():
        png = tf.io.encode_png(np.array(stored).astype(dtype)[None, None])
        pixels = session.run(signatures._decoded(png, domain))
        expected = np.rint(expected)
        if domain.channels == 1:
            expected = np.rint([np.dot(expected, [0.299, 0.587, 0.114])])
        assert pixels.dtype == dtype and pixels.shape == (1, 1, domain.channels)
        np.testing.assert_allclose(pixels[0, 0].astype(np.float64), expected, atol=0)


def test_each_image_of_a_call_has_the_noise_of_its_number(session, monkeypatch):
    """A translation stands in that makes the level of an image's number: 0 is -1, and 255 is 1."""

    def number_of(dual, direction, images, numbers):
        levels = tf.cast(numbers, tf.float32) / 127.5 - 1.0
        return tf.zeros_like(images) + levels[:, None, None, None]

    monkeypatch.setattr(signatures.inference, "translated", number_of)
    ends = Domain(), Domain()
    pixels, floats, encoded = signatures.build(small.Pointwise(), "A2B", *ends, signatures.all_kinds)
    assert [signature.name for signature in (pixels, floats, encoded)] == ["A2B", "A2B_float", "A2B_bytes"]
    assert [signature.gives for signature in (pixels, floats, encoded)] == [*["translated"] * 2, "translated_bytes"]
    images = np.zeros([3, 4, 8, 3], np.uint8)
    made = session.run(pixels.translated, {pixels.image: images})
    np.testing.assert_array_equal(made, images + np.uint8([0, 1, 2])[:, None, None, None])
    made = session.run(floats.translated, {floats.image: images.astype(np.float32)})
    np.testing.assert_allclose(made[:, 1, 2, 0], np.arange(3) / 127.5 - 1, atol=1e-6)
    files_of = [session.run(tf.io.encode_png(images[0, : 4 - n])) for n in range(3)]
    decoded = [session.run(tf.io.decode_png(png)) for png in session.run(encoded.translated, {encoded.image: files_of})]
    for number, image in enumerate(decoded):
        np.testing.assert_array_equal(image, np.full([4 - number, 8, 3], number))
