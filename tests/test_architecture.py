"""The shape of the code: who may import whom, what is banned, and that every setting is explained."""

import ast
import dataclasses
import pathlib
import re

import pytest

from common.cluster import Cluster
from common.export import Export
from common.images import Images
from common.import_weights import Source
from common.run import Run
from common.serve import Service
from cyclegan import CycleGAN
from dualgan import DualGAN
from flags.parsing import Command
from pix2pix import Pix2Pix

ROOT = pathlib.Path(__file__).parent.parent
PACKAGES = ("common", "cyclegan", "dualgan", "examples", "flags", "pix2pix")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
LAYERS = (  # of common, lowest first: a module imports from layers below its own, or from its own
    {"errors", "settings", "tensorflow", "ndimage", "lock", "stop", "cluster", "watchdog", "shards", "weights"},
    {"randomness", "gradients", "distribute", "precision", "constants", "scopes"},
    {"winograd", "im2col"},
    {"formulations"},
    {"convolution"},
    {"layers", "spectral_norm", "averages", "receptive_field"},
    {"networks", "losses", "optimizers", "schedules", "image_pool", "labels", "images"},
    {"metrics", "distances", "features"},
    {"dual", "run", "monitor", "report", "checkpoints", "health", "events", "use"},
    {"cyclic", "published", "step", "samples", "walk", "scores", "selection", "recovery", "warm_start"},
    {"partial"},
    {"evaluate", "translate", "jobs", "video", "plan", "import_weights", "loop", "supervise"},
    {"train", "test"},
    {"tiles", "export", "serve"},
)
BANNED = {
    r"nn\.moments\(": "its second derivative is wrong",
    r"[kK]eras": "it is another framework",
    r"tf\.layers|compat\.v1\.layers": "it is gone",
    r"pickle(?!tools\b)": "it runs what it reads",
    r"disable_v2|disable_eager|enable_v2|set_memory_growth": "it changes the whole process",
    r"QueueRunner|string_input_producer": "it hangs on bad data",
    r"/work/|/tmp/": "a path of one machine",
}


def imports(path):
    """The modules of this project that a file imports, as dotted names."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found = [f"{node.module}.{name.name}" for name in node.names]
        elif isinstance(node, ast.Import):
            found = [name.name for name in node.names]
        else:
            continue
        yield from (name for name in found if name.split(".")[0] in PACKAGES)


def layer(name):
    return next(level for level, names in enumerate(LAYERS) if name in names)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path):
    package, *rest = path.relative_to(ROOT).with_suffix("").parts
    allowed = {package, "common"}
    if path.name == "main.py" or package == "examples":
        allowed = set(PACKAGES)
    for name in imports(path):
        assert name.split(".")[0] in allowed, name
        assert not name.endswith(".main"), name
        if package == "common" and rest != ["__init__"]:
            assert layer(name.split(".")[1]) <= layer(rest[0]), name


def test_every_module_of_common_has_its_layer():
    names = {path.stem for path in (ROOT / "common").iterdir() if path.stem not in ("__init__", "__pycache__")}
    assert names == set.union(*LAYERS)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_banned(path):
    code = "\n".join(line for line in path.read_text().splitlines() if "`tf.nn.moments`" not in line)
    for pattern, reason in BANNED.items():
        assert not re.search(pattern, code), f"{pattern}: {reason}"


@pytest.mark.parametrize("part", [Command, CycleGAN, DualGAN, Pix2Pix, Images, Run, Source, Cluster, Export, Service])
def test_every_setting_is_explained(part):
    for field in dataclasses.fields(part):
        assert field.metadata["about"].endswith("."), field.name


def test_public_names_have_docstrings():
    missing = []
    for path in SOURCES:
        tree = ast.parse(path.read_text())
        if path.name != "__init__.py" or tree.body:
            missing += [] if ast.get_docstring(tree) else [str(path)]
        for node in tree.body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
                missing += [] if ast.get_docstring(node) else [f"{path}: {node.name}"]
    assert missing == []
