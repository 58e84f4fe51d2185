"""Packages of onnxruntime-web that are refused, and the arrays that networks for browsers store in 16 bits."""

import gzip
import json
import tarfile

import numpy as np
import pytest

from common.errors import UserError
from common.export import half_weights, web_runtime
from tests.export import stand_in_runtime

CURE = (
    "Download https://registry.npmjs.org/onnxruntime-web/-/onnxruntime-web-1.22.0.tgz, and use --web_runtime"
    " onnxruntime-web-1.22.0.tgz."
)


def why(path):
    """Why a package is refused, without the cure at the end."""
    with pytest.raises(UserError) as error:
        web_runtime.load(str(path))
    assert str(error.value).endswith(f" {CURE}")
    return str(error.value).removesuffix(f" {CURE}")


@pytest.mark.parametrize(
    "about", ["[]", "{", '{"name": "onnxruntime-web"}', '{"name": "onnxruntime-web", "version": 3}', '{"version": "1"}']
)
def test_a_package_must_say_its_name_and_version(tmp_path, about):
    path = tmp_path / "ort.tgz"
    path.write_bytes(stand_in_runtime.archive({**stand_in_runtime.FILES, "package.json": about}))
    problem = "is not onnxruntime-web: its package.json has another name, or no version."
    assert why(path) == f"--web_runtime {path} {problem}"
    folder = stand_in_runtime.write(tmp_path / "folder", {**stand_in_runtime.FILES, "package.json": about})
    inside = "has no onnxruntime-web: it must be the npm package, or have it inside."
    named = json.loads(about)["name"] if "name" in about else ""
    assert why(folder) == f"--web_runtime {folder} {problem if named else inside}"


def test_files_of_a_package_have_a_largest_size(tmp_path, monkeypatch):
    path = tmp_path / "ort.tgz"
    path.write_bytes(stand_in_runtime.archive())
    largest = max(len(text) for text in stand_in_runtime.FILES.values())
    monkeypatch.setattr(web_runtime, "LARGEST", largest)
    assert web_runtime.load(str(path)).version == "0.0.1"
    monkeypatch.setattr(web_runtime, "LARGEST", largest - 1)
    assert why(path) == f"--web_runtime {path} lacks dist/ort.wasm.min.mjs of onnxruntime-web."


def test_a_file_of_more_than_64_mebibytes_is_not_read(tmp_path):
    path, about = tmp_path / "ort.tgz", tarfile.TarInfo("package/package.json")
    about.size = 2**26 + 1
    path.write_bytes(gzip.compress(about.tobuf()) + 64 * gzip.compress(bytes(2**20)) + gzip.compress(bytes(3 * 512)))
    assert why(path) == f"--web_runtime {path} lacks package.json of onnxruntime-web."


def test_a_link_in_an_archive_is_no_file_of_the_package(tmp_path):
    path = tmp_path / "ort.tgz"
    with tarfile.open(path, "w:gz") as archive:
        link = tarfile.TarInfo("package/package.json")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    assert why(path) == f"--web_runtime {path} lacks package.json of onnxruntime-web."


def test_arrays_of_1024_numbers_are_stored_in_half_and_smaller_ones_are_not():
    onnx = pytest.importorskip("onnx")
    arrays = {"a": np.ones(1024, np.float32), "b": np.ones(1023, np.float32), "c": np.ones(2000, np.int64)}
    stored = [onnx.numpy_helper.from_array(array, name) for name, array in arrays.items()]
    node = onnx.helper.make_node("Identity", ["a"], ["y"])
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [], [], stored))
    half_weights.halve(model)
    types = {each.name: onnx.numpy_helper.to_array(each).dtype.name for each in model.graph.initializer}
    assert types == {"half_0/a": "float16", "b": "float32", "c": "int64"}
    cast, kept = model.graph.node
    assert (cast.op_type, [*cast.input], [*cast.output]) == ("Cast", ["half_0/a"], ["a"]) and kept == node
    assert cast.attribute[0].i == onnx.TensorProto.FLOAT
