"""Nothing in the product runs what it reads, or hands it to a shell."""

import ast
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from common import methods

ROOT = pathlib.Path(__file__).parent.parent.parent
PACKAGES = ("common", "examples", "flags", "benchmarks", *methods.PACKAGES)
ALONE = [ROOT / "setup.py", ROOT / "dual_translation_check.py"]
SOURCES = sorted([*ALONE, *(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))])
MODULES = {"pickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "code", "pty"}
CALLS = {"eval", "exec", "compile", "__import__", "input"}
ATTRIBUTES = {
    *(f"os.{name}" for name in ("system", "popen", "execv", "execve", "execl", "spawnv", "spawnl", "posix_spawn")),
    *(f"yaml.{name}" for name in ("load", "load_all", "unsafe_load", "full_load")),
    *("subprocess.getoutput", "subprocess.getstatusoutput", "tempfile.mktemp", "ssl._create_unverified_context"),
    *("tf.load_op_library", "tf.load_library", "ctypes.CDLL", "ctypes.cdll"),
    *("builtins.eval", "builtins.exec"),
}
LAST_NAMES = {name.rpartition(".")[2] for name in ATTRIBUTES}
KEYWORDS = {"shell": True, "allow_pickle": True, "weights_only": False, "verify": False}
IMPORTERS = {  # what each imports is looked at there; of the last three, libraries by name
    *("common/settings.py", "common/tensorflow/__init__.py", "flags/program.py"),
    *("common/export/onnx_graph.py", "common/progress/__init__.py", "common/serve/__init__.py"),
}


def found(tree):
    """(line, what) of everything in a syntax tree that runs what it is given."""
    for node in ast.walk(tree):
        names = {alias.name for alias in getattr(node, "names", ())} if isinstance(node, ast.Import) else set()
        names |= {node.module or ""} if isinstance(node, ast.ImportFrom) else set()
        yield from ((node.lineno, name) for name in names if name.split(".")[0] in MODULES)
        if isinstance(node, ast.ImportFrom):
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from ((node.lineno, name) for name in full & ATTRIBUTES)
        if isinstance(node, ast.Attribute) and node.attr in LAST_NAMES and ast.unparse(node) in ATTRIBUTES:
            yield node.lineno, ast.unparse(node)
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id in CALLS:
                yield node.lineno, node.func.id
            for keyword in node.keywords:
                value = getattr(keyword.value, "value", None)
                if keyword.arg in KEYWORDS and value is KEYWORDS[keyword.arg]:
                    yield node.lineno, f"{keyword.arg}={value}"


def test_nothing_runs_what_it_reads():
    assert {str(path): lines for path in SOURCES if (lines := list(found(ast.parse(path.read_text()))))} == {}


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from pickle import loads",
        "import os.path, shelve",
        "eval(text)",
        "os.system(text)",
        "from os import system",
        "yaml.load(text)",
        "subprocess.run(text, shell=True)",
        "np.load(path, allow_pickle=True)",
        "torch.load(path, weights_only=False)",
        "tf.load_op_library(path)",
    ],
)
def test_it_would_be_found(line):
    assert len(list(found(ast.parse(line)))) == 1


def test_names_in_files_are_imported_in_one_place():
    using = {str(path.relative_to(ROOT)) for path in SOURCES if "import_module" in path.read_text()}
    assert using == IMPORTERS


@pytest.mark.slow
def test_bandit_finds_nothing():  # of what matters most in `make test`: test_nothing_runs_what_it_reads
    pytest.importorskip("bandit")
    command = [sys.executable, "-m", "bandit", "--quiet", "--recursive", "--configfile", "pyproject.toml", "."]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(not shutil.which("make"), reason="there is no make")
def test_make_audit_looks_at_all_of_the_code():
    done = subprocess.run(["make", "--dry-run", "audit"], cwd=ROOT, capture_output=True, text=True, check=True)
    (line,) = (line for line in done.stdout.splitlines() if "bandit" in line and "pip install" not in line)
    assert line.split()[-1] == "."
    left_out = re.search(r"^exclude_dirs = (.*)$", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[1]
    assert not {f"./{path.relative_to(ROOT).parts[0]}" for path in SOURCES} & set(ast.literal_eval(left_out))
    assert "pip-audit --strict " in done.stdout  # without it, what the service does not know passes
