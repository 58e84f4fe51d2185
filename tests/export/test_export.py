"""What is exported gives what the run gives, in programs that know nothing of this one; what does not is refused."""

import dataclasses
import importlib.util
import json
import pathlib
import re
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest

from common import tensorflow as tf
from common.errors import UserError
from common.export import Export, comparison, export, frozen_graph, signatures, sorted_out, tflite
from common.images import files
from common.images.pixels import Domain
from common.run.folder import load_run
from common.translate import Inference, Translator
from common.weights import npz
from dualgan import DualGAN
from flags import command
from pix2pix import Pix2Pix
from tests import small

RANDOM = np.random.default_rng(0)
TINY = {"image_size": 64, "load_size": 0, "ngf": 2, "ndf": 2, "n_layers": 1, "netG": "unet_64", "direction": "B2A"}
USED = """
import os, sys
assert not [path for path in sys.path if os.path.isdir(os.path.join(path, "common", "images"))], sys.path
for folder in sys.argv[1:]:
    os.chdir(folder)
    exec(open("example.py").read(), {})
assert "common" not in sys.modules
"""


def image(height=24, width=37, channels=3):
    return RANDOM.integers(0, 256, [height, width, channels], np.uint8)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return small.untrained(tmp_path_factory.mktemp("run"), small.dualgan(ngf=16))


@pytest.fixture(scope="module")
def translator(run):
    with Translator(run, Inference(scale_to="keep")) as translator:
        yield translator


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    """A function that exports the run once: (folder, Exported) of a format."""
    found, root = {}, tmp_path_factory.mktemp("exported")

    def once(name):
        if name not in found:
            ways = "both" if name in ("savedmodel", "npz") else "A2B"
            how = Export(format=name, direction=ways, output=str(root / name))
            found[name] = pathlib.Path(how.output), export(run, how, load_run(run).images)
        return found[name]

    return once


def names(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["savedmodel", "frozen", "npz"])
def test_whole_weights_give_what_the_run_gives(exported, name):
    folder, found = exported(name)
    assert (found.compared_on, found.step, found.removed) == ("drawn images", 7, [])
    kinds = ["", "_float", "_bytes"][: 2 if name == "npz" else 3]
    ways = ("A2B",) if name == "frozen" else ("A2B", "B2A")
    assert [each.ported.name for each in found.kept] == [way + kind for way in ways for kind in kinds]
    for each in found.kept:
        assert each.images == 5
        assert each.largest <= (1e-5 if each.ported.kind == "float" else 1)
    files_of = {"frozen": {"model.pb"}, "npz": {"weights.npz"}}
    variables = {f"variables/variables.{each}" for each in ("index", "data-00000-of-00001")}
    expected = files_of.get(name, {"saved_model.pb", "fingerprint.pb", *variables}) | {"README.md"}
    assert expected - {"fingerprint.pb"} <= names(folder) <= expected


def test_tflite_has_weights_of_three_sizes(exported):
    folder, found = exported("tflite")
    kept = {(each.ported.file, each.ported.name): each for each in found.kept}
    assert len(kept) == 6 and not found.removed
    whole, half, short = (kept[f"A2B_float{weights}.tflite", "A2B_float"].largest for weights in ("", "_fp16", "_int8"))
    assert whole < 1e-5 < half < 5e-2 and half < short < 1.0
    assert names(folder) == {
        f"A2B{kind}{weights}.tflite" for kind in ("", "_float") for weights in ("", "_fp16", "_int8")
    } | {"README.md"}


def test_onnx_gives_what_the_run_gives(exported):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    folder, found = exported("onnx")
    assert names(folder) == {"A2B.onnx", "A2B_float.onnx", "README.md"}
    for each in found.kept:
        assert each.largest <= (1e-4 if each.ported.kind == "float" else 1)


def test_the_readme_is_code_that_runs_without_this_program(exported, translator):
    onnx = ["onnx"] * all(importlib.util.find_spec(name) for name in ("tf2onnx", "onnxruntime"))
    folders, taken = [exported(name)[0] for name in ("savedmodel", "frozen", "tflite", *onnx)], image(40, 30)
    for folder in folders:
        (code,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), flags=re.DOTALL)
        assert len(code.splitlines()) <= 13
        (folder / "example.py").write_text(code)
        files.write(folder / "photo.png", taken)
    subprocess.run([sys.executable, "-I", "-c", USED, *folders], check=True, cwd=folders[0], capture_output=True)
    wanted = translator("A2B", taken).astype(int)
    for folder in folders:
        made = np.asarray(PIL.Image.open(folder / "translated.png")).astype(int)
        assert np.abs(made - wanted).max() <= 1, folder


def test_the_arrays_are_the_variables_and_the_settings(exported, run):
    folder, _ = exported("npz")
    found = dict(np.load(folder / "weights.npz"))
    assert found.pop("config").tobytes().decode() == pathlib.Path(run, "config.json").read_text()
    reader = tf.train.load_checkpoint(f"{run}/checkpoints/model-00000007")
    assert found.keys() == reader.get_variable_to_shape_map().keys()
    for name, value in found.items():
        np.testing.assert_array_equal(value, reader.get_tensor(name))
    text, arrays = npz.read(folder / "weights.npz")
    assert json.loads(text)["dual"]["ngf"] == 16
    assert arrays.keys() == found.keys()


def test_encoded_files_of_any_kind_and_size(exported, translator):
    folder, _ = exported("frozen")
    kinds = {"rgb.png": image(), "gray.png": image(9, 30, 1), "small.bmp": image(5, 4)}
    alpha = image(30, 20, 4)
    for name, pixels in kinds.items():
        files.write(folder / name, pixels)
    files.write(folder / "alpha.png", alpha[..., :3], alpha[..., 3:])
    files.write(folder / "gray alpha.png", alpha[..., :1], alpha[..., 3:])
    paths = [folder / name for name in (*kinds, "alpha.png", "gray alpha.png")]
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(tf.GraphDef.FromString((folder / "model.pb").read_bytes()), name="")
        made = session.run("A2B_bytes/translated:0", {"A2B_bytes/image:0": [path.read_bytes() for path in paths]})
    for path, png in zip(paths, made):
        (folder / "made.png").write_bytes(png)
        apart = files.read(folder / "made.png").astype(int) - translator("A2B", files.read(path))
        assert np.abs(apart).max() <= 1, path.name


def test_the_model_server_finds_its_signatures(exported):
    """As saved_model_cli shows them: names, types and shapes."""
    folder, _ = exported("savedmodel")
    with tf.Graph().as_default(), tf.Session() as session:
        found = tf.saved_model.load(session, ["serve"], str(folder)).signature_def
    assert {*found} == {f"{way}{kind}" for way in ("A2B", "B2A") for kind in ("", "_float", "_bytes")} | {
        "serving_default"
    }
    for name, dtype in {"A2B": tf.uint8, "serving_default": tf.uint8, "B2A_float": tf.float32}.items():
        ends = found[name].inputs["image"], found[name].outputs["translated"]
        assert {*found[name].inputs, *found[name].outputs} == {"image", "translated"}
        for end in ends:
            assert end.dtype == dtype.as_datatype_enum
            assert [side.size for side in end.tensor_shape.dim] == [-1, -1, -1, 3]
    assert found["A2B_bytes"].outputs.keys() == {"translated_bytes"}
    assert found["A2B_bytes"].inputs["image"].dtype == tf.string.as_datatype_enum


def refused(run, tmp_path, match, **how):
    asked = Export(output=str(tmp_path / "out" / "model"), **how)
    with pytest.raises(UserError, match=match):
        export(run, asked, load_run(run).images)
    assert not list(tmp_path.rglob("*model*"))


def test_what_is_not_the_run_is_refused_and_removed(run, monkeypatch, tmp_path):
    write = frozen_graph.write

    def other(model, folder):
        variable = next(each for each in model.variables if each.op.name.endswith("out/kernel"))
        before = model.session.run(variable)
        variable.load(before + 0.5, model.session)
        write(model, folder)

    monkeypatch.setattr(frozen_graph, "write", other)
    match = r"Nothing was exported, as it is too far from the run\. model\.pb A2B.*allowed: largest"
    refused(run, tmp_path, match, format="frozen", direction="A2B")


def test_short_weights_that_are_too_far_are_left_out(tmp_path):
    def found(file, weights, mean):
        ported = comparison.Ported(file, "A2B_float", "A2B", "float", weights, None)
        return comparison.Difference(ported, 4, 0.3, mean, *comparison._limit(ported, Domain()))

    near, far = found("near.tflite", "dynamic-range int8", 0.04), found("far.tflite", "dynamic-range int8", 0.06)
    for each in (near, far):
        (tmp_path / each.ported.file).write_bytes(b"")
    assert sorted_out([near, far], tmp_path) == ([near], [far])
    assert names(tmp_path) == {"near.tflite"}
    assert far.describe() == (
        "far.tflite A2B_float: largest difference 0.3, mean 0.06 of [-1, 1] over 4 images; allowed: mean 0.05"
    )
    with pytest.raises(UserError, match="Nothing was exported, as it is too far from the run"):
        sorted_out([found("whole.tflite", "float32", 0.0)], tmp_path)


def test_limits_are_in_the_values_that_are_compared():
    def limit(kind, weights, target):
        ported = comparison.Ported("file", "A2B", "A2B", kind, weights, None)
        return comparison._limit(ported, target)

    assert limit("float", "float32", Domain()) == (2e-3, "of [-1, 1]")
    assert limit("pixels", "float32", Domain()) == (1.0, "grey levels")
    assert limit("pixels", "float16", Domain()) == (6.0, "grey levels")  # 0.05 of 127.5
    assert limit("bytes", "float32", Domain(1, "uint16", 500, 4500)) == (5.0, "levels")  # 0.002 of 2000, and rounding
    assert limit("pixels", "float32", Domain(1, "float32", 0.0, 3.0)) == (pytest.approx(3e-3), "of its values")


def test_a_difference_that_is_no_number_does_not_fit():
    ported = comparison.Ported("file", "A2B", "A2B", "float", "float32", None)
    assert not comparison.Difference(ported, 1, float("nan"), 0.0, 1.0, "").fits
    assert comparison.Difference(ported, 1, 1.0, 0.0, 1.0, "").fits


@pytest.fixture(scope="module")
def deep(tmp_path_factory):
    """A run that makes five bands of floating point of uint16, of one channel."""
    A, B = Domain(1, "uint16", 500.0, 3000.0), Domain(5, "float32", -1.0, 7.0)
    return small.untrained(tmp_path_factory.mktemp("deep"), small.dualgan(channels_A=1, channels_B=5, ngf=16), A, B)


def test_images_of_other_types_and_bands(deep, tmp_path):
    folder = tmp_path / "model"
    files.write(tmp_path / "in" / "0.png", RANDOM.integers(500, 3001, [20, 31, 1], np.uint16))
    how = Export(format="savedmodel", direction="A2B", output=str(folder), input=str(tmp_path / "in"))
    found = export(deep, how, load_run(deep).images)
    assert [each.ported.name for each in found.kept] == ["A2B", "A2B_float"]  # PNG does not hold five bands
    assert found.compared_on == how.input
    text = (folder / "README.md").read_text()
    assert "uint16 [N, H, W, 1]; float32 [N, H, W, 5]" in text
    assert "Images of A have 1 channels of uint16 from 500 to 3,000, which become -1 to 1." in text
    (tmp_path / "in" / "0.png").unlink()
    for given, said in {str(tmp_path / "in"): "No image in --input", "nowhere": "There is no --input nowhere"}.items():
        other = dataclasses.replace(how, output=str(tmp_path / "other"), input=given)
        with pytest.raises(UserError, match=said):
            export(deep, other, load_run(deep).images)
    assert not list(tmp_path.glob("*other*"))


@pytest.mark.parametrize("name", ["tflite", "onnx"])
def test_runtimes_of_few_types_take_scaled_values(deep, tmp_path, monkeypatch, capsys, name):
    """What they know nothing of is said, and what the README scales instead gives what the run gives."""
    if name == "onnx":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("tf2onnx")
    line = f"main --phase export --format {name} --direction A2B --run_dir {deep} --output {tmp_path / 'model'}"
    command.main(DualGAN, line.split())
    said = capsys.readouterr().out
    assert f"--format {name} takes no pixels of these types, but values scaled to [-1, 1]; savedmodel" in said
    assert "A2B_float: largest difference" in said and " A2B: " not in said
    monkeypatch.chdir(tmp_path / "model")
    (code,) = re.findall(r"```python\n(.*?)```", pathlib.Path("README.md").read_text(), flags=re.DOTALL)
    taken = RANDOM.integers(500, 3001, [20, 31, 1], np.uint16)
    np.save("photo.npy", taken)
    exec(code, {})
    made = np.load("translated.npy")
    with Translator(deep, Inference(scale_to="keep")) as translator:
        wanted = translator("A2B", taken)
    assert made.dtype == wanted.dtype == np.float32 and wanted.std() > 0.1
    np.testing.assert_allclose(made, wanted, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", [pytest.param("tflite", marks=pytest.mark.slow), "onnx"])
def test_bands_of_eight_bits_are_pixels(tmp_path, name):
    if name == "onnx":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("tf2onnx")
    run = small.untrained(tmp_path / "run", small.dualgan(channels_A=5, channels_B=2), Domain(5), Domain(2))
    how = Export(format=name, direction="A2B", output=str(tmp_path / "model"))
    found = export(run, how, load_run(run).images)
    whole = [each for each in found.kept if each.ported.weights == "float32"]
    assert [each.ported.name for each in whole] == ["A2B", "A2B_float"] and found.takes_pixels
    assert whole[0].unit == "grey levels" and whole[1].largest < 1e-5
    text = (tmp_path / "model" / "README.md").read_text()
    assert "uint8 [N, H, W, 5]; uint8 [N, H, W, 2]" in text
    assert 'np.load("photo.npy")[None]  # [N, H, W, 5] of uint8' in text


def test_bytes_are_for_what_png_holds():
    eight, deep = Domain(), Domain(1, "uint16", 0.0, 9.0)
    assert signatures.holds_bytes(eight, deep) and signatures.holds_bytes(deep, Domain(4))
    assert not signatures.holds_bytes(eight, Domain(5)) and not signatures.holds_bytes(Domain(2), eight)
    assert not signatures.holds_bytes(eight, Domain(3, "float32", 0.0, 1.0))


def test_noise_is_off_unless_it_is_asked_for(tmp_path, capsys):
    dual = dataclasses.replace(small.dualgan(), dropout=0.5, test_dropout=True)
    run = small.untrained(tmp_path / "run", dual)
    images = load_run(run).images
    line = f"main --phase export --format frozen --direction A2B --run_dir {run} --output {tmp_path / 'quiet'}"
    command.main(type(dual), line.split())
    said = capsys.readouterr().out
    assert "model.pb A2B_float: largest difference" in said
    assert "The noise of dropout is off in it; --test_dropout keeps it" in said
    assert "Step 7, compared on drawn images." in said
    export(run, Export(format="frozen", direction="A2B", output=str(tmp_path / "noisy")), images, test_dropout=True)
    texts = [(tmp_path / each / "README.md").read_text() for each in ("quiet", "noisy")]
    assert "The noise of dropout is off." in texts[0] and "is on, the same for each call." in texts[1]
    assert "seen 32 x 32 pixels alone: resize images to that before" in texts[0]
    pixels, made = image(32, 32)[None], []
    for each in ("quiet", "noisy"):
        with tf.Graph().as_default(), tf.Session() as session:
            tf.import_graph_def(tf.GraphDef.FromString((tmp_path / each / "model.pb").read_bytes()), name="")
            made.append(session.run("A2B/translated:0", {"A2B/image:0": pixels}))
    with Translator(run, Inference(scale_to="keep")) as translator:  # as the run has it: with noise
        assert np.abs(translator("A2B", pixels).astype(int) - made[1]).max() <= 1
        assert np.abs(translator("A2B", pixels).astype(int) - made[0]).max() > 1
    with pytest.raises(UserError, match="draws noise, and --format onnx cannot"):
        export(run, Export(format="onnx", output=str(tmp_path / "onnx")), images, test_dropout=True)


def refusal(line):
    with pytest.raises(SystemExit) as end:
        command.main(Pix2Pix, ["main", *line.split()])
    return end.value.code


def test_what_cannot_be_asked_for(tmp_path):
    run = small.untrained(tmp_path / "run", Pix2Pix(**TINY))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "kept.txt").write_text("kept")
    start = f"--phase export --run_dir {run}"
    assert "--quality has no use in --phase export." in refusal(f"{start} --output x --quality 3")
    assert "--ngf has no use in --phase export." in refusal(f"{start} --output x --ngf 3")
    assert "value should be one of <savedmodel|frozen|tflite|onnx|npz>" in refusal(f"{start} --format png")
    assert "Export where to? Say --output FOLDER." in refusal(start)
    assert "This run has no direction A2B: it has B2A." in refusal(f"{start} --output x --direction A2B")
    assert "is there already. Give another, or remove it." in refusal(f"{start} --output {tmp_path / 'full'}")
    assert names(tmp_path / "full") == {"kept.txt"}
    assert "--port is for --phase serve. Leave it out." in refusal("--phase export --port 8 --output x --run_dir x")
    assert "--checkpoint all is for --phase evaluate" in refusal(f"{start} --output {tmp_path / 'x'} --checkpoint all")
    assert not (tmp_path / "x").exists()


def test_a_library_that_is_missing_is_a_sentence(run, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tf2onnx.tfonnx", None)
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    refused(run, tmp_path, r"is missing: pip install '\.\[onnx\]'", format="onnx", direction="A2B")


def test_a_model_that_tflite_does_not_take_is_a_sentence(monkeypatch):
    class Converter:
        def convert(self):
            raise RuntimeError("no such operation\nat length")

    make = tf.compat.v2.lite.TFLiteConverter
    monkeypatch.setattr(make, "from_saved_model", lambda folder, signature_keys: Converter())
    with pytest.raises(UserError, match=r"does not take this model \(no such operation\)"):
        tflite._converted("folder", "A2B", "float32")


def test_a_model_that_tf2onnx_does_not_take_is_a_sentence(run, monkeypatch, tmp_path):
    converter = pytest.importorskip("tf2onnx.tfonnx")
    pytest.importorskip("onnxruntime")

    def fails(*_, **__):
        raise RuntimeError("no such operation\nat length")

    monkeypatch.setattr(converter, "process_tf_graph", fails)
    match = r"tf2onnx does not take this model \(no such operation\)"
    refused(run, tmp_path, match, format="onnx", direction="A2B")
