"""Exports for browsers: their networks, the runtime that they carry, and the files of the page."""

import base64
import hashlib
import html.parser
import json
import math
import os
import pathlib
import re
import shutil

import numpy as np
import pytest

from common import tensorflow as tf
from common.errors import UserError
from common.export import Export, export, half_weights, web, web_page, web_runtime
from common.export.comparison import Difference
from common.export.exporting import remove_unfit
from common.export.ported import Ported
from common.images import Images, files
from common.images.classes import Classes
from common.images.pixels import EIGHT_BITS, Domain
from common.run import Run
from common.run.folder import SavedRun, load_run
from dualgan import DualGAN
from flags import command
from tests import small
from tests.export import stand_in_runtime
from tests.export.test_web_runtime import why

RANDOM = np.random.default_rng(0)
DOMAINS = {"A": EIGHT_BITS, "B": EIGHT_BITS}


# Networks


def test_weights_are_stored_in_half_and_computed_with_in_whole():
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    weight = RANDOM.standard_normal([64, 64]).astype(np.float32)
    large, bias = weight * np.float32(1e5), RANDOM.standard_normal(64).astype(np.float32)
    arrays = {"weight": weight, "large": large, "bias": bias}
    nodes = [
        onnx.helper.make_node("MatMul", ["x", "weight"], ["h"]),
        onnx.helper.make_node("Add", ["h", "bias"], ["y"]),
        onnx.helper.make_node("MatMul", ["x", "large"], ["z"]),
    ]
    values = [onnx.helper.make_tensor_value_info(name, 1, [1, 64]) for name in "xyz"]
    stored = [onnx.numpy_helper.from_array(array, name) for name, array in arrays.items()]
    graph = onnx.helper.make_graph(nodes, "g", values[:1], values[1:], stored)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    whole = model.ByteSize()
    half_weights.halve(model)
    onnx.checker.check_model(model)
    assert whole - model.ByteSize() == pytest.approx(2 * weight.size, abs=200)  # of 4 bytes a number, 2 are left
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    x = RANDOM.standard_normal([1, 64]).astype(np.float32)
    y, z = session.run(["y", "z"], {"x": x})
    short = weight.astype(np.float16).astype(np.float64)
    np.testing.assert_allclose(y, x @ short + bias, rtol=0, atol=1e-5)
    np.testing.assert_allclose(z, x.astype(np.float64) @ large.astype(np.float64), rtol=1e-4)  # beyond float16


# The runtime


@pytest.fixture
def package(tmp_path):
    return stand_in_runtime.write(tmp_path / "package")


def test_the_runtime_is_read_from_each_form_of_its_package(package, tmp_path):
    (tmp_path / "ort.tgz").write_bytes(stand_in_runtime.archive())
    shutil.copytree(package, tmp_path / "project" / "node_modules" / "onnxruntime-web")
    expected = (*("0.0.1", stand_in_runtime.SCRIPT.encode()), b"export default 0;\n", b"a binary", False)
    for name in ("package", ".", "ort.tgz", "project", "project/node_modules", "project/node_modules/onnxruntime-web"):
        assert web_runtime.load(str(tmp_path / name)) == expected, name


def test_the_runtime_with_a_gpu_has_files_of_its_own(package, tmp_path):
    runtime = web_runtime.load(str(package), has_gpu=True)
    assert runtime[1:] == (
        *(stand_in_runtime.WITH_GPU["dist/ort.webgpu.min.mjs"].encode(), b"export default 1;\n", b"a larger binary"),
        True,
    )
    stand_in_runtime.write(tmp_path / "old", stand_in_runtime.FILES)
    with pytest.raises(UserError, match=r"old lacks dist/ort\.webgpu\.min\.mjs of onnxruntime-web"):
        web_runtime.load(str(tmp_path / "old"), has_gpu=True)
    assert b"if (!true)" in web_page.files(FACTS, runtime)["worker.js"]


def test_an_archive_that_claims_to_be_the_published_one_must_be_it(tmp_path):
    about = f'{{"name": "onnxruntime-web", "version": "{web_runtime.VERSION}"}}'
    (tmp_path / "ort.tgz").write_bytes(stand_in_runtime.archive({**stand_in_runtime.FILES, "package.json": about}))
    with pytest.raises(UserError, match=r"ort\.tgz is damaged, or not the published package: its SHA-512 is sha512-"):
        web_runtime.load(str(tmp_path / "ort.tgz"))


def without(name):
    return {other: text for other, text in stand_in_runtime.FILES.items() if other != name}


@pytest.mark.parametrize("missing", [*stand_in_runtime.FILES])
def test_a_package_without_one_of_its_files_is_refused(missing, tmp_path):
    (tmp_path / "ort.tgz").write_bytes(stand_in_runtime.archive(without(missing)))
    with pytest.raises(UserError, match=rf"ort\.tgz lacks {missing} of onnxruntime-web\. Download https://registry"):
        web_runtime.load(str(tmp_path / "ort.tgz"))
    stand_in_runtime.write(tmp_path / "folder", without(missing))
    with pytest.raises(UserError, match="has no onnxruntime-web" if missing == "package.json" else f"lacks {missing}"):
        web_runtime.load(str(tmp_path / "folder"))


def test_what_is_no_package_is_refused(tmp_path):
    (tmp_path / "cut.tgz").write_bytes(stand_in_runtime.archive()[:400])
    (tmp_path / "text.tgz").write_text("text")
    other = {**stand_in_runtime.FILES, "package.json": '{"name": "left-pad", "version": "1.0.0"}'}
    (tmp_path / "other.tgz").write_bytes(stand_in_runtime.archive(other))
    (tmp_path / "empty").mkdir()
    for name, message in {
        "nowhere": "does not exist",
        "cut.tgz": r"cannot be read as a \.tgz",
        "text.tgz": r"cannot be read as a \.tgz",
        "other.tgz": "is not onnxruntime-web",
        "empty": "has no onnxruntime-web",
    }.items():
        with pytest.raises(UserError, match=message) as error:
            web_runtime.load(str(tmp_path / name))
        assert f"use --web_runtime onnxruntime-web-{web_runtime.VERSION}.tgz" in str(error.value)


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """A function that puts a shell script called npm, and nothing else, where programs are looked for."""

    def put(script):
        path = tmp_path / "bin" / "npm"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}/bin{os.pathsep}/usr/bin")

    return put


def test_npm_fetches_the_one_version_that_is_known(npm, tmp_path, monkeypatch):
    packed = stand_in_runtime.archive()
    (tmp_path / "served.tgz").write_bytes(packed)
    npm(f'echo "$@" > {tmp_path}/asked; cp {tmp_path}/served.tgz ./onnxruntime-web.tgz')
    with pytest.raises(UserError, match=r"npm fetched another onnxruntime-web .* than the published one: its SHA-"):
        web_runtime.load("")
    digest = base64.b64encode(hashlib.sha512(packed).digest()).decode()
    monkeypatch.setattr(web_runtime, "INTEGRITY", f"sha512-{digest}")
    assert web_runtime.load("").binary == b"a binary"
    asked = (tmp_path / "asked").read_text()
    assert asked.startswith(f"pack onnxruntime-web@{web_runtime.VERSION} ") and "--ignore-scripts" in asked


def test_without_npm_or_its_registry_the_cure_is_said(npm, tmp_path, monkeypatch):
    npm("echo 'npm error code ENOTFOUND' >&2; exit 1")
    with pytest.raises(UserError, match=r"could not fetch onnxruntime-web .* \(npm error code ENOTFOUND\)\. Download"):
        web_runtime.load("")
    npm("exit 1")
    assert why("") == "npm could not fetch onnxruntime-web 1.22.0 (no reason given)."
    npm("true")
    assert why("") == "npm could not fetch onnxruntime-web 1.22.0 (no reason given)."
    (tmp_path / "bin" / "npm").write_text("#!/nowhere/sh\n")
    assert why("") == "npm could not be run, or took over 600 seconds."
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(UserError, match=r"npm, which would fetch it, is missing\. Download https://registry\.npmjs"):
        web_runtime.load("")


# The page


class Elements(html.parser.HTMLParser):
    """All elements of a page: (tag, attributes)."""

    def __init__(self, text):
        super().__init__()
        self.all = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.all.append((tag, dict(attrs)))


FACTS = {"name": "</title><script>alert(1)</script>", "directions": []}


def test_the_page_allows_nothing_but_its_own_files(package):
    written = web_page.files(FACTS, web_runtime.load(str(package)))
    text = written["index.html"].decode()
    elements = Elements(text).all
    (policy,) = (of["content"] for _, of in elements if of.get("http-equiv") == "Content-Security-Policy")
    sources = {name: values for name, *values in (part.split() for part in policy.split(";"))}
    assert sources["default-src"] == ["'none'"] and sources["script-src"] == ["'self'", "'wasm-unsafe-eval'"]
    assert {value for values in sources.values() for value in values} == {
        *("'none'", "'self'", "'wasm-unsafe-eval'", "blob:", "data:")
    }
    scripts = [of for tag, of in elements if tag == "script"]
    (script,) = (of["src"] for of in scripts if "src" in of)
    assert scripts == [{"type": "application/json", "id": "data"}, {"src": script}]
    assert not [of for _, of in elements if "style" in of or any(name.startswith("on") for name in of)]
    addresses = {of.get("src") or of.get("href") for _, of in elements} - {None, "data:,"}
    assert {address.partition("?")[0] for address in addresses} == {"page.js", "page.css"} <= written.keys()
    (data,) = re.findall(r'id="data">(.*?)</script>', text)
    facts = json.loads(data)
    assert {name: facts[name] for name in FACTS} == FACTS
    assert facts["runtime"]["bytes"] == len(b"a binary")


def test_a_file_that_has_changed_has_another_address(package, monkeypatch):
    """Otherwise browsers take the one that they have kept from an earlier export."""
    runtime = web_runtime.load(str(package))

    def addresses(runtime):
        written = web_page.files(FACTS, runtime)
        text = written["index.html"].decode() + written["worker.js"].decode()
        return dict(re.findall(r'"(?:\./)?([\w./-]+\.(?:js|css|wasm))\?([0-9a-f]{12})"', text))

    before = addresses(runtime)
    assert before.keys() == {"page.js", "page.css", "worker.js", web_page.SCRIPT, web_page.LOADER, web_page.BINARY}
    after = addresses(runtime._replace(binary=b"another"))
    assert {name for name in before if before[name] != after[name]} == {
        *("worker.js", web_page.SCRIPT, web_page.LOADER, web_page.BINARY)
    }
    own = web_page.page.browser
    monkeypatch.setattr(web_page.page, "browser", lambda name: own(name) + "\n")
    after = addresses(runtime)
    assert {name for name in before if before[name] != after[name]} == {"page.js", "page.css"}


def test_the_page_has_the_runtime_and_its_licence(package):
    written = web_page.files(FACTS, web_runtime.load(str(package)))
    assert b"Copyright (c) Microsoft Corporation" in written["runtime/LICENSE"]
    worker = written["worker.js"].decode()
    for name, content in (
        ("ort.js", stand_in_runtime.SCRIPT),
        ("ort-wasm.js", "export default 0;\n"),
    ):
        assert f'"./runtime/{name}?' in worker and written[f"runtime/{name}"].decode() == content
    assert written[web_page.BINARY] == b"a binary"
    own = [content for name, content in written.items() if not name.startswith("runtime/")]
    assert not [content for content in own if re.search(rb"https?://(?!localhost)", content)]


def test_the_ends_of_a_direction_are_known():
    classes = Classes.of(np.array([[0], [7]], np.uint8), np.array([[1, 2, 3], [4, 5, 6]], np.uint8))
    assert web_page.end(Domain(1)) == {"channels": 1}
    assert web_page.end(Domain(1, classes=classes)) == {
        "channels": 1,
        "values": [[0], [7]],
        "colours": [[1, 2, 3], [4, 5, 6]],
    }


# Exports


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    """A page of the run, which the command line exports, with a runtime that stands in; (folder, output)."""
    pytest.importorskip("tf2onnx")
    pytest.importorskip("onnxruntime")
    folder = tmp_path_factory.mktemp("web")
    package = stand_in_runtime.write(folder / "package")
    options = Export(format="web", output=str(folder / "page"), web_runtime=str(package))
    return folder / "page", export(run, options, load_run(run).images)


@pytest.mark.thorough
def test_a_page_has_the_networks_of_the_run(exported, run):
    folder, result = exported
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == {
        *("A2B.onnx", "B2A.onnx", "README.md", "index.html", "page.css", "page.js", "worker.js"),
        *("runtime/LICENSE", "runtime/ThirdPartyNotices.txt"),
        *("runtime/ort.js", "runtime/ort-wasm.js", "runtime/ort.wasm"),
    }
    assert [(each.ported.name, each.ported.weights, each.unit) for each in result.kept] == [
        ("A2B", "float16", "grey levels"),
        ("B2A", "float16", "grey levels"),
    ]
    assert all(each.largest <= 2 for each in result.kept)
    shapes = tf.train.load_checkpoint(f"{run}/checkpoints/model-00000007").get_variable_to_shape_map()
    numbers = sum(math.prod(shape) for name, shape in shapes.items() if name.startswith("A2B/"))
    assert 2 * numbers < (folder / "A2B.onnx").stat().st_size < 2 * numbers + 100_000


def test_the_page_says_what_directions_translate(monkeypatch):
    """As the names of the dataset or of its folders say, in the order of each direction."""
    monkeypatch.setattr(web.web_runtime, "load", lambda *_: None)
    images = Images(dir_A="photos/horses", dir_B="photos/zebras")
    saved = SavedRun(small.dualgan(), images, Run("runs/one"), DOMAINS, {}, {}, None)
    prepared = web.prepared("runs/one", saved, ["A2B"], "")
    assert prepared.words == ("horses", "zebras") and prepared.dataset == ""


def test_one_draws_in_the_colours_of_the_validation_images(tmp_path, monkeypatch):
    """Red on yellowed paper in A; noise in B, where nothing says how to draw."""
    monkeypatch.setattr(web.web_runtime, "load", lambda *_: None)
    drawing = np.full([32, 32, 3], (244, 240, 230), np.uint8)
    drawing[8:16, 8:24] = (200, 30, 30)
    files.write(tmp_path / "set/val/A/0.png", drawing)
    files.write(tmp_path / "set/val/B/0.png", RANDOM.integers(0, 256, [32, 32, 3], np.uint8))
    saved = SavedRun(small.dualgan(), Images("set", data_root=str(tmp_path)), Run("runs/one"), DOMAINS, {}, {}, None)
    A, B = (web.prepared("runs/one", saved, ["A2B"], "").canvases[name] for name in "AB")
    assert (A["background"], A["colours"], A["is_drawn"]) == ("#f4f0e6", ("#c81e1e",), True)
    assert (A["height"], A["width"], B["is_drawn"]) == (*saved.dual.image_sides, False)


@pytest.mark.thorough
def test_the_page_is_told_of_the_run_and_the_reader_of_the_page(exported, run):
    folder, result = exported
    (data,) = re.findall(r'id="data">(.*?)</script>', (folder / "index.html").read_text())
    facts = json.loads(data)
    assert (facts["name"], facts["model"], facts["step"]) == (pathlib.Path(run).name, "DualGAN", 7)
    assert (facts["sides"], facts["any_size"], facts["dataset"]) == ([32, 32], False, "")
    assert [(each["name"], each["words"]) for each in facts["directions"]] == [("A2B", None), ("B2A", None)]
    for each in facts["directions"]:
        file, _, digest = each["model"]["file"].partition("?")
        assert each["model"]["bytes"] == (folder / file).stat().st_size
        assert hashlib.sha256((folder / file).read_bytes()).hexdigest().startswith(digest) and len(digest) == 12
        assert each["source"] == each["target"] == {"channels": 3}
    text = (folder / "README.md").read_text()
    assert "python -m http.server --directory ." in text and "onnxruntime-web 0.0.1" in text
    assert f"| A2B.onnx | {(folder / 'A2B.onnx').stat().st_size:,} |" in text
    assert result.kept[0].describe() in text and f"Content-Security-Policy: {web_page.POLICY}" in text


@pytest.mark.thorough
def test_the_command_line_says_how_large_it_is_and_how_to_open_it(run, package, tmp_path, capsys):
    pytest.importorskip("tf2onnx")
    pytest.importorskip("onnxruntime")
    output = tmp_path / "the page"
    line = [
        "--phase",
        "export",
        "--format",
        "web",
        "--direction",
        "A2B",
        "--run_dir",
        str(run),
        "--output",
        str(output),
    ]
    command.main(DualGAN, ["main", *line, "--web_runtime", str(package)])
    printed = capsys.readouterr().out
    megabytes = (output / "A2B.onnx").stat().st_size / 1e6
    assert f"A2B.onnx {megabytes:.2f} MB, onnxruntime-web 0.00 MB" in printed
    assert f"  python -m http.server --directory '{output}'" in printed
    assert not (output / "B2A.onnx").exists() and "resize your input" not in printed


def test_a_page_without_one_of_its_networks_is_not_kept():
    ported = Ported("A2B.onnx", "A2B", "A2B", "pixels", "float16", None, is_needed=True)
    with pytest.raises(UserError, match="Nothing was exported: the export differs too much from the run"):
        remove_unfit([Difference(ported, 4, 7.0, 1.0, 6.0, "grey levels")], pathlib.Path())


def test_images_that_browsers_do_not_show_are_refused(tmp_path, package):
    options = {"format": "web", "output": str(tmp_path / "out"), "web_runtime": str(package)}
    for domain, words in {
        Domain(1, "uint16", 0.0, 9.0): r"A, which have 1 channels of uint16 from 0 to 9",
        Domain(4): "A, which have 4 channels of uint8",
    }.items():
        dual = small.dualgan(channels_A=domain.channels)
        run = small.untrained(tmp_path / f"run{domain.channels}", dual, domain)
        with pytest.raises(UserError, match=rf"no way to show the images of {words}.*Use --format onnx or savedmodel"):
            export(run, Export(**options), load_run(run).images)
    assert not (tmp_path / "out").exists()


def test_a_runtime_is_for_pages_alone(tmp_path):
    for name, value in {"web_runtime": "x", "web_gpu": True}.items():
        with pytest.raises(UserError, match=rf"--{name} is for --format web, not for --format onnx\. Leave"):
            Export(format="onnx", output=str(tmp_path), **{name: value})
