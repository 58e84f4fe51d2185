"""What is exported gives what the run gives, in programs that know nothing of this one."""

import dataclasses
import importlib
import importlib.util
import json
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest

from common import tensorflow as tf
from common.errors import UserError
from common.export import Export, export
from common.images import files
from common.run.folder import load_run
from common.translate import Inference, Translator
from common.weights import npz
from flags import command
from tests import small

RANDOM = np.random.default_rng(0)
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
def translator(run):
    with Translator(run, Inference(scale_to="keep")) as translator:
        yield translator


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    """A function that exports the run once: (folder, Exported) of a format."""
    exports, root = {}, tmp_path_factory.mktemp("exported")

    def once(name):
        if name not in exports:
            ways = "both" if name in ("savedmodel", "npz") else "A2B"
            options = Export(format=name, direction=ways, output=str(root / name))
            exports[name] = pathlib.Path(options.output), export(run, options, load_run(run).images)
        return exports[name]

    return once


def names(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "name", ["savedmodel", *(pytest.param(name, marks=pytest.mark.thorough) for name in ("frozen", "npz"))]
)
def test_whole_weights_give_what_the_run_gives(exported, name):
    folder, result = exported(name)
    assert (result.compared_on, result.step, result.removed) == ("drawn images", 7, [])
    kinds = ["", "_float", "_bytes"][: 2 if name == "npz" else 3]
    ways = ("A2B",) if name == "frozen" else ("A2B", "B2A")
    assert [difference.ported.name for difference in result.kept] == [way + kind for way in ways for kind in kinds]
    for difference in result.kept:
        assert difference.images == 5
        assert difference.largest <= (1e-5 if difference.ported.kind == "float" else 1)
    files_of = {"frozen": {"model.pb"}, "npz": {"weights.npz"}}
    variables = {f"variables/variables.{ending}" for ending in ("index", "data-00000-of-00001")}
    expected = files_of.get(name, {"saved_model.pb", "fingerprint.pb", *variables}) | {"README.md"}
    assert expected - {"fingerprint.pb"} <= names(folder) <= expected
    assert not [
        path for path in folder.rglob("*") if path.is_dir() and not any(path.iterdir()) and path.name != "assets"
    ]


@pytest.mark.parametrize("name", ["savedmodel", "frozen"])
def test_other_programs_can_take_its_gradient(exported, name):
    """That of the sum of the output along a change of the input, as finite differences have it."""
    folder, _ = exported(name)
    image, change = (np.float32(RANDOM.uniform(-0.5, 0.5, [1, 32, 32, 3])) for _ in range(2))
    with tf.Graph().as_default(), tf.Session() as session:
        if name == "savedmodel":
            tf.saved_model.load(session, [tf.saved_model.SERVING], str(folder))
        else:
            tf.import_graph_def(tf.GraphDef.FromString((folder / "model.pb").read_bytes()), name="")
        x, y = (session.graph.get_tensor_by_name(f"A2B_float/{end}:0") for end in ("image", "translated"))
        assert not [op for op in x.graph.get_operations() if "_gradient_op_type" in op.node_def.attr]
        total = tf.reduce_sum(tf.cast(y, tf.float64))
        slope = np.sum(session.run(tf.gradients(total, [x])[0], {x: image}) * change)
        step = 1e-3
        higher, lower = (session.run(total, {x: image + sign * step * change}) for sign in (1, -1))
    np.testing.assert_allclose(slope, (higher - lower) / (2 * step), rtol=5e-2)


@pytest.mark.thorough
def test_tflite_has_weights_of_three_sizes(exported):
    folder, result = exported("tflite")
    kept = {(difference.ported.file, difference.ported.name): difference for difference in result.kept}
    assert len(kept) == 6 and not result.removed
    whole, half, short = (kept[f"A2B_float{weights}.tflite", "A2B_float"].largest for weights in ("", "_fp16", "_int8"))
    assert whole < 1e-5 < half < 5e-2 and half < short < 1.0
    assert names(folder) == {
        f"A2B{kind}{weights}.tflite" for kind in ("", "_float") for weights in ("", "_fp16", "_int8")
    } | {"README.md"}


@pytest.mark.thorough
def test_onnx_gives_what_the_run_gives(exported):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    folder, result = exported("onnx")
    assert names(folder) == {"A2B.onnx", "A2B_float.onnx", "README.md"}
    for difference in result.kept:
        assert difference.largest <= (1e-4 if difference.ported.kind == "float" else 1)
    model = importlib.import_module("onnx").load(folder / "A2B.onnx")
    assert [(each.domain, each.version) for each in model.opset_import if not each.domain] == [("", 17)]


def test_the_readme_is_code_that_runs(exported, translator, tmp_path, monkeypatch):
    folder, photo = exported("frozen")[0], image(32, 32)
    (code,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), flags=re.DOTALL)
    shutil.copy(folder / "model.pb", tmp_path)
    files.write(tmp_path / "photo.png", photo)
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    translated = files.read(tmp_path / "translated.png").astype(int)
    assert np.abs(translated - translator("A2B", photo)).max() <= 1


@pytest.mark.thorough
def test_the_readme_is_code_that_runs_without_this_program(exported, translator):
    formats, photo = ["savedmodel", "frozen", "tflite"], image(32, 32)
    if all(importlib.util.find_spec(name) for name in ("tf2onnx", "onnxruntime")):
        formats.append("onnx")
    folders = [exported(name)[0] for name in formats]
    for folder in folders:
        (code,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), flags=re.DOTALL)
        assert len(code.splitlines()) <= 14
        assert code.count("Image.Resampling.BILINEAR") == 2
        (folder / "example.py").write_text(code)
        files.write(folder / "photo.png", photo)
    subprocess.run([sys.executable, "-I", "-c", USED, *folders], check=True, cwd=folders[0], capture_output=True)
    expected = translator("A2B", photo).astype(int)
    for folder in folders:
        translated = np.asarray(PIL.Image.open(folder / "translated.png")).astype(int)
        assert np.abs(translated - expected).max() <= 1, folder


def test_the_arrays_are_the_variables_and_the_settings(exported, run):
    folder, _ = exported("npz")
    stored = dict(np.load(folder / "weights.npz"))
    assert stored.pop("config").tobytes().decode() == pathlib.Path(run, "config.json").read_text()
    reader = tf.train.load_checkpoint(f"{run}/checkpoints/model-00000007")
    assert stored.keys() == reader.get_variable_to_shape_map().keys()
    for name, value in stored.items():
        np.testing.assert_array_equal(value, reader.get_tensor(name))
    text, arrays = npz.read(folder / "weights.npz")
    assert json.loads(text)["dual"]["ngf"] == 16
    assert arrays.keys() == stored.keys()


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
        encoded = session.run("A2B_bytes/translated:0", {"A2B_bytes/image:0": [path.read_bytes() for path in paths]})
    for path, png in zip(paths, encoded):
        (folder / "translated.png").write_bytes(png)
        errors = files.read(folder / "translated.png").astype(int) - translator("A2B", files.read(path))
        assert np.abs(errors).max() <= 1, path.name


def test_the_model_server_finds_its_signatures(exported):
    """As saved_model_cli shows them: names, types and shapes."""
    folder, _ = exported("savedmodel")
    with tf.Graph().as_default(), tf.Session() as session:
        signatures = tf.saved_model.load(session, ["serve"], str(folder)).signature_def
    assert {*signatures} == {f"{way}{kind}" for way in ("A2B", "B2A") for kind in ("", "_float", "_bytes")} | {
        "serving_default"
    }
    for name, dtype in {"A2B": tf.uint8, "serving_default": tf.uint8, "B2A_float": tf.float32}.items():
        ends = signatures[name].inputs["image"], signatures[name].outputs["translated"]
        assert {*signatures[name].inputs, *signatures[name].outputs} == {"image", "translated"}
        for end in ends:
            assert end.dtype == dtype.as_datatype_enum
            assert [side.size for side in end.tensor_shape.dim] == [-1, -1, -1, 3]
    assert signatures["A2B_bytes"].outputs.keys() == {"translated_bytes"}
    assert signatures["A2B_bytes"].inputs["image"].dtype == tf.string.as_datatype_enum


@pytest.mark.thorough
def test_noise_is_off_unless_it_is_asked_for(tmp_path, capsys):
    dual = dataclasses.replace(small.dualgan(), dropout=0.5, test_dropout=True)
    run = small.untrained(tmp_path / "run", dual)
    images = load_run(run).images
    line = f"main --phase export --format frozen --direction A2B --run_dir {run} --output {tmp_path / 'quiet'}"
    command.main(type(dual), line.split())
    printed = capsys.readouterr().out
    assert "model.pb A2B_float: largest difference" in printed
    assert "Dropout is off in the export; use --test_dropout to keep it" in printed
    assert "Step 7, verified on drawn images." in printed
    export(run, Export(format="frozen", direction="A2B", output=str(tmp_path / "noisy")), images, test_dropout=True)
    texts = [(tmp_path / name / "README.md").read_text() for name in ("quiet", "noisy")]
    assert "Dropout is off." in texts[0] and "is on, the same for each call." in texts[1]
    assert "saw 32 x 32 pixels: the code above resizes images to that, and back." in texts[0]
    pixels, outputs = image(32, 32)[None], []
    for name in ("quiet", "noisy"):
        with tf.Graph().as_default(), tf.Session() as session:
            tf.import_graph_def(tf.GraphDef.FromString((tmp_path / name / "model.pb").read_bytes()), name="")
            outputs.append(session.run("A2B/translated:0", {"A2B/image:0": pixels}))
    with Translator(run, Inference(scale_to="keep")) as translator:  # as the run has it: with noise
        assert np.abs(translator("A2B", pixels).astype(int) - outputs[1]).max() <= 1
        assert np.abs(translator("A2B", pixels).astype(int) - outputs[0]).max() > 1


def test_runtimes_without_random_numbers_do_not_have_noise(run, tmp_path):
    with pytest.raises(UserError, match="--format onnx does not support --test_dropout"):
        export(run, Export(format="onnx", output=str(tmp_path / "onnx")), load_run(run).images, test_dropout=True)
