"""Exports that differ from the run are refused and removed, as is what cannot be exported."""

import itertools
import logging
import sys
import types

import numpy as np
import pytest

from common import atomic
from common import tensorflow as tf
from common.errors import UserError
from common.export import Export, comparison, export, exporting, frozen_graph, tflite
from common.export.exporting import remove_unfit
from common.images.pixels import Domain
from common.run.folder import load_run
from common.translate import Inference
from enhancement import Enhancement
from flags import command
from pix2pix import Pix2Pix
from tests import small

TINY = {
    "image_size": 64,
    "load_size": 0,
    "ngf": 2,
    "ndf": 2,
    "n_layers": 1,
    "netG": "unet_64",
    "train_direction": "B2A",
}


def names(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def refused(run, tmp_path, match, **options):
    output = str(tmp_path / "out" / "model")
    with pytest.raises(UserError, match=match):
        export(run, Export(output=output, **options), load_run(run).images)
    assert not list(tmp_path.rglob("*model*"))


def test_what_is_not_the_run_is_refused_and_removed(monkeypatch, tmp_path):
    run, write = small.untrained(tmp_path / "run", small.Pointwise()), frozen_graph.write

    def other(model, folder):
        variable = next(variable for variable in model.variables if variable.op.name.endswith("generator/kernel"))
        before = model.session.run(variable)
        variable.load(before + 0.5, model.session)
        write(model, folder)

    monkeypatch.setattr(frozen_graph, "write", other)
    match = r"Nothing was exported: .* differs too much from the run\. model\.pb A2B.*allowed: largest"
    refused(run, tmp_path / "exports", match, format="frozen", direction="A2B")


def test_an_image_by_itself_and_two_at_once_are_compared():
    """A file that is right for batches alone, or for single images alone, differs."""
    images = [np.full([2, 3, 1], value, np.uint8) for value in (10, 20)]
    expected = types.SimpleNamespace(pixels=lambda direction, images: images)
    for wrong_for in (1, 2):
        wrong = lambda batch: batch + (len(batch) == wrong_for)  # noqa: B023, E731
        ported = types.SimpleNamespace(translate=wrong, direction="A2B")
        pairs = comparison._of_pixels(ported, expected, images)
        assert sum(int(np.abs(output - run).sum()) for output, run in pairs) == 12


def test_short_weights_that_are_too_far_are_left_out(tmp_path):
    def difference(file, weights, mean):
        ported = comparison.Ported(file, "A2B_float", "A2B", "float", weights, None)
        return comparison.Difference(ported, 4, 0.3, mean, *comparison._limit(ported, Domain()))

    near, far = (
        difference("near.tflite", "dynamic-range int8", 0.04),
        difference("far.tflite", "dynamic-range int8", 0.06),
    )
    for differing in (near, far):
        (tmp_path / differing.ported.file).write_bytes(b"")
    assert remove_unfit([near, far], tmp_path) == ([near], [far])
    assert names(tmp_path) == {"near.tflite"}
    assert far.describe() == (
        "far.tflite A2B_float: largest difference 0.3, mean 0.06 of [-1, 1] over 4 images; allowed: mean 0.05"
    )
    with pytest.raises(UserError, match="Nothing was exported: the export differs too much from the run"):
        remove_unfit([difference("whole.tflite", "float32", 0.0)], tmp_path)


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


def refusal(line):
    with pytest.raises(SystemExit) as end:
        command.main(Pix2Pix, ["main", *line.split()])
    return end.value.code


def test_the_current_folder_is_not_replaced(tmp_path, monkeypatch):
    run = small.untrained(tmp_path / "run", Pix2Pix(**TINY))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for output in (".", tmp_path / "here", "../here"):
        assert "is the current folder: use a new one" in refusal(f"--phase export --run_dir {run} --output {output}")


def test_what_cannot_be_asked_for(tmp_path, capsys):
    run = small.untrained(tmp_path / "run", Pix2Pix(**TINY))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "kept.txt").write_text("kept")
    start = f"--phase export --run_dir {run}"
    assert "--quality does not apply to --phase export, only to --phase translate." in refusal(
        f"{start} --output x --quality 3"
    )
    assert "--phase export takes it from the run folder" in refusal(f"{start} --output x --ngf 3")
    assert "must be one of savedmodel, frozen, tflite, onnx, npz, pth, safetensors" in refusal(f"{start} --format png")
    assert "--output is missing: use --output FOLDER." in refusal(start)
    assert "This run has no direction A2B, only B2A." in refusal(f"{start} --output x --direction A2B")
    capsys.readouterr()
    assert "already exists. Choose a different one, or remove it." in refusal(f"{start} --output {tmp_path / 'full'}")
    assert "Exporting" not in capsys.readouterr().out
    assert names(tmp_path / "full") == {"kept.txt"}
    assert "only to --phase serve. Leave it out." in refusal("--phase export --port 8 --output x --run_dir x")
    assert "--checkpoint all is only for --phase evaluate" in refusal(
        f"{start} --output {tmp_path / 'x'} --checkpoint all"
    )
    assert not (tmp_path / "x").exists()


def test_a_folder_may_be_a_link_to_an_empty_one(tmp_path):
    (tmp_path / "empty").mkdir()
    for link, target in (("full", "empty"), ("new", "absent")):
        (tmp_path / link).symlink_to(tmp_path / target)
        with exporting._new_folder(tmp_path / link) as folder:
            (folder / "file").write_text(link)
        assert (tmp_path / link).is_symlink() and (tmp_path / target / "file").read_text() == link
    with exporting._new_folder(tmp_path / "several" / "new" / "folders") as folder:
        (folder / "file").touch()
    assert names(tmp_path / "several") == {"new/folders/file"}
    with (
        pytest.raises(UserError, match=r"cannot be written to \(.*empty/file is a file"),
        exporting._new_folder(tmp_path / "full/file/below"),
    ):
        pass


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
    with pytest.raises(UserError, match=r"cannot convert this model \(no such operation\)"):
        tflite._converted("folder", "A2B", "float32")


def test_a_model_that_tf2onnx_does_not_take_is_a_sentence(run, monkeypatch, tmp_path):
    converter = pytest.importorskip("tf2onnx.tfonnx")
    pytest.importorskip("onnxruntime")

    def fails(*_, **__):
        raise RuntimeError("no such operation\nat length")

    monkeypatch.setattr(converter, "process_tf_graph", fails)
    match = r"tf2onnx cannot convert this model \(no such operation\)"
    refused(run, tmp_path, match, format="onnx", direction="A2B")
    assert logging.getLogger("tf2onnx").level == logging.ERROR  # its warnings are of no use


def test_what_a_killed_export_left_is_swept_by_the_next_one(tmp_path, monkeypatch):
    """Also where the next process has its number, as in a container."""
    run = small.untrained(tmp_path / "run", small.Pointwise())
    output = tmp_path / "out" / "model"
    output.parent.mkdir()
    monkeypatch.setattr(atomic, "WRITES", itertools.count(1))
    left = [atomic._partial(output) for _ in range(2)]  # the names that this process would write to
    for partial in left:
        (partial / "variables").mkdir(parents=True)
    other = atomic._partial(output.with_name("other"))
    other.mkdir()
    monkeypatch.setattr(atomic, "WRITES", itertools.count(1))
    export(run, Export(output=str(output), format="npz"), load_run(run).images)
    assert {path.name for path in output.parent.iterdir()} == {"model", other.name}


def test_a_direction_that_was_not_learned_has_no_weights(tmp_path):
    run = small.untrained(tmp_path / "run", Enhancement(image_size=32, ngf=8, ndf=2, n_layers=1, levels=2))
    with pytest.raises(UserError) as error:
        export(run, Export(output=str(tmp_path / "out"), direction="B2A"), load_run(run).images)
    assert str(error.value) == "--direction B2A has no weights to export: use A2B."


@pytest.mark.parametrize(
    ("format", "options", "message"),
    [
        ("onnx", {"input": "nowhere"}, "--input nowhere does not exist: it must be an image or a folder of images"),
        ("pth", {"input": "nowhere"}, None),  # is told that it takes no images, later
        ("web", {"web_runtime": "nowhere"}, "--web_runtime nowhere does not exist. Download https://"),
        ("frozen", {}, None),
    ],
)
def test_what_is_missing_is_said_before_anything_is_read(format, options, message):
    wanted = Export(format=format, output="out", **options)
    if message is None:
        wanted.refuse_missing()
        return
    with pytest.raises(UserError) as error:
        wanted.refuse_missing()
    assert str(error.value).startswith(message)


def test_a_checkpoint_that_is_missing_is_said_before_images_are_read(run, tmp_path):
    options = Export(output=str(tmp_path / "out"), input="nowhere")
    with pytest.raises(UserError, match="checkpoint"):
        export(run, options, load_run(run).images, Inference(checkpoint="5"))


def test_an_export_takes_pixels_if_one_of_its_files_does():
    def exported(*kinds, read_back=()):
        kept = [types.SimpleNamespace(ported=types.SimpleNamespace(kind=kind)) for kind in kinds]
        return exporting.Exported(kept, [], "drawn images", 7, read_back).takes_pixels

    assert exported("pixels", "float") and exported("bytes") and exported(read_back=["a file"])
    assert not exported("float", "float") and not exported()


def test_all_signatures_of_a_file_are_left_out_together(tmp_path):
    def difference(file, name, mean):
        ported = comparison.Ported(file, name, "A2B", "float", "dynamic-range int8", None)
        return comparison.Difference(ported, 4, 0.3, mean, 0.05, "of [-1, 1]")

    kept, near, far = difference("a", "A2B", 0.05), difference("b", "A2B", 0.04), difference("b", "B2A", 0.06)
    for name in "ab":
        (tmp_path / name).touch()
    assert remove_unfit([kept, near, far], tmp_path) == ([kept], [far])
    assert names(tmp_path) == {"a"}


def test_where_images_come_from_is_said_once(monkeypatch):
    origins = {"A": "the validation images", "B": "drawn images"}
    monkeypatch.setattr(exporting.examples, "load", lambda name, *_: ([name], origins[name]))
    assert exporting._examples(["A", "B"], None, None, {}, "") == (
        {"A": ["A"], "B": ["B"]},
        "the validation images and drawn images",
    )
    origins["A"] = "drawn images"
    assert exporting._examples(["A", "B"], None, None, {}, "")[1] == "drawn images"
