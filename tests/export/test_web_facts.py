"""What the page of an export is told of the run, and of which sizes its parts are."""

import hashlib
import sys
import types

import numpy as np
import pytest

from common.export import web, web_page, web_runtime
from common.export.model import Model
from common.export.signatures import Signature
from common.images import Images
from common.images.classes import Classes
from common.images.pixels import EIGHT_BITS, Domain
from common.run import Run
from common.run.folder import SavedRun
from tests import small

LABELS = Domain(1, classes=Classes.of(np.uint8([[0], [7]]), np.uint8([[1, 2, 3], [4, 5, 6]])))
LICENCE = (
    "The network has learned from the images of its dataset. Before you use translations for more than a try, ask the"
    " owner of those images, or whoever published this page, for their licence."
)


def model_of(*directions, dual=None):
    signatures = [Signature(direction, "pixels", None, None) for direction in directions]
    dual = dual or small.dualgan(image_size="32x64")
    return Model(dual, {"A": LABELS, "B": EIGHT_BITS}, directions, None, signatures, [], "{}", 1234)


@pytest.mark.parametrize(("dataset", "licence"), [("horses", LICENCE), ("toy", ""), ("", LICENCE)])
def test_the_page_knows_the_run_and_its_networks(tmp_path, dataset, licence):
    networks = {"A2B.onnx": b"one", "B2A.onnx": b"three"}
    for name, content in networks.items():
        (tmp_path / name).write_bytes(content)
    canvases = {"A": {"width": 1}, "B": None}
    page = web.Web(None, "my run", dataset, ("maps", "photographs"), canvases)
    facts = page._facts(model_of("A2B", "B2A"), tmp_path)
    digests = {name: hashlib.sha256(content).hexdigest()[:12] for name, content in networks.items()}
    labels = {"channels": 1, "values": [[0], [7]], "colours": [[1, 2, 3], [4, 5, 6]]}
    A2B = {"name": "A2B", "words": ("maps", "photographs"), "source": labels, "target": {"channels": 3}}
    B2A = {"name": "B2A", "words": ("photographs", "maps"), "source": {"channels": 3}, "target": labels}
    assert facts == {
        **{"name": "my run", "model": "DualGAN", "summary": small.dualgan().summary, "step": 1234},
        **{"dataset": dataset, "licence": licence, "sides": [32, 64], "any_size": False, "most_pixels": 1_048_576},
        "directions": [
            {**A2B, "model": {"file": f"A2B.onnx?{digests['A2B.onnx']}", "bytes": 3}, "drawing": {"width": 1}},
            {**B2A, "model": {"file": f"B2A.onnx?{digests['B2A.onnx']}", "bytes": 5}, "drawing": None},
        ],
    }
    unnamed = web.Web(None, "my run", dataset, None, canvases)._facts(model_of("B2A", dual=small.Pointwise()), tmp_path)
    assert unnamed["any_size"] and [each["words"] for each in unnamed["directions"]] == [None]


@pytest.mark.parametrize(
    ("dataset", "named"),
    {"none": "", "unknown": "", "": "", "toy": "toy", "horse2zebra": "horse2zebra", "/photos/mine": "mine"}.items(),
)
def test_the_page_has_the_names_of_the_run_and_its_dataset(tmp_path, monkeypatch, dataset, named):
    monkeypatch.chdir(tmp_path)
    asked = []
    monkeypatch.setattr(web.web_runtime, "load", lambda *given: asked.append(given))
    folders = {} if dataset else {"dir_A": "x/A", "dir_B": "x/B"}
    images = Images(dataset, data_root=str(tmp_path), **folders)
    saved = SavedRun(small.dualgan(), images, Run("runs/one"), {"A": EIGHT_BITS, "B": EIGHT_BITS}, {}, {}, None)
    page = web.prepared("runs/../runs/one", saved, ["A2B"], "package.tgz", has_gpu=True)
    assert (page.name, page.dataset) == ("one", named) and asked == [("package.tgz", True)]
    assert [page.canvases[name]["is_drawn"] for name in "AB"] == [False, False]


@pytest.mark.parametrize("library", ["tf2onnx.tfonnx", "onnxruntime"])
def test_a_library_that_is_missing_is_named_first(monkeypatch, library):
    pytest.importorskip("tf2onnx")
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(web.web_runtime, "load", lambda *_: None)
    monkeypatch.setitem(sys.modules, library, None)
    saved = types.SimpleNamespace(domains={"A": EIGHT_BITS, "B": EIGHT_BITS})
    with pytest.raises(
        web.UserError, match=r"^ONNX needs tf2onnx, onnx and onnxruntime, but .* is missing: pip install"
    ):
        web.prepared("run", saved, ["A2B"], "")


@pytest.mark.parametrize("domain", [Domain(2), Domain(4), Domain(1, "uint16", 0.0, 9.0)])
def test_each_end_of_a_direction_must_be_shown_by_browsers(monkeypatch, domain):
    monkeypatch.setattr(web.web_runtime, "load", lambda *_: None)
    for A, B, name in ((domain, EIGHT_BITS, "A"), (Domain(1), domain, "B")):
        saved = types.SimpleNamespace(domains={"A": A, "B": B})
        with pytest.raises(web.UserError) as error:
            web.prepared("run", saved, ["A2B"], "")
        assert str(error.value) == (
            f"--format web has no way to show the images of {name}, which have {domain.channels} channels of"
            f" {domain.describe()}: pages have gray or RGB images of 8 bits. Use --format onnx or savedmodel."
        )


def test_the_sizes_of_a_page_its_networks_and_its_runtime(tmp_path):
    (tmp_path / "runtime").mkdir()
    sizes = {"index.html": 1, "page.js": 20, "worker.js": 300, "page.css": 4000, "README.md": 7, "notes.txt": 7}
    sizes |= {"B2A.onnx": 60, "A2B.onnx": 50, "runtime/LICENSE": 7, "runtime/other.js": 7}
    sizes |= {web_page.SCRIPT: 100_000, web_page.LOADER: 20_000, web_page.BINARY: 3_000}
    for name, size in sizes.items():
        (tmp_path / name).write_bytes(bytes(size))
    parts = {"page": 4321, "A2B.onnx": 50, "B2A.onnx": 60, "onnxruntime-web": 123_000}
    assert [*web.sizes(tmp_path).items()] == [*parts.items()] and web_runtime.PACKAGE in parts
