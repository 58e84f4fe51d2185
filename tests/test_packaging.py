"""The wheel and the sdist hold all that is needed and no tests; what pip installs of them runs anywhere."""

import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest

import common
from common import methods

ROOT = pathlib.Path(__file__).parent.parent
PACKAGES = ("common", "flags", *methods.PACKAGES)
DATA = {
    ".css",
    ".flags",
    ".html",
    ".js",
    ".json",
    ".md",
    ".npz",
    ".py",
    ".pyi",
    ".txt",
    ".typed",
}  # suffixes of what a wheel holds
VERSION = f"dual-translation {common.__version__}\n"
BUILD = "import sys, setuptools.build_meta as backend; print(getattr(backend, sys.argv[1])(sys.argv[2]))"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The wheel and the sdist of a copy of the project, as setuptools makes them without a network."""
    folder = tmp_path_factory.mktemp("built")
    generated = [line.strip("/") for line in (ROOT / ".gitignore").read_text().split()]
    shutil.copytree(ROOT, folder / "copy", ignore=shutil.ignore_patterns(".git", *generated))
    return [
        folder / run(folder / "copy", sys.executable, "-c", BUILD, kind, str(folder)).splitlines()[-1]
        for kind in ("build_wheel", "build_sdist")
    ]


def run(folder, *command, paths=()):
    """What a command printed in a folder; Python finds there what lies in `paths` and what is installed."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def needed():
    """Names of all modules, stubs, presets and files for the browser, as they stand in the project."""
    paths = [path for package in PACKAGES for path in (ROOT / package).rglob("*")]
    names = {str(path.relative_to(ROOT)) for path in paths if path.suffix in DATA}
    return names | {"common/report/vendor/uplot/LICENSE", "dual_translation_check.py"}


def test_the_wheel_holds_every_module_and_file_and_nothing_else(built):
    with zipfile.ZipFile(built[0]) as wheel:
        names = set(wheel.namelist())
        metadata = wheel.read(f"dual_translation-{common.__version__}.dist-info/METADATA").decode()
    assert {name for name in names if ".dist-info/" not in name} == needed()
    assert {f"{package}/py.typed" for package in PACKAGES} | {"common/tensorflow/__init__.pyi"} <= names
    assert f"\nVersion: {common.__version__}\n" in metadata
    assert any(name.endswith("/LICENSE") for name in names if ".dist-info/" in name)


def test_the_sdist_holds_what_a_wheel_is_made_of(built):
    with tarfile.open(built[1]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    documents = {"BUILD.md", "CHANGELOG.md", "CITATION.cff", "LICENSE", "README.md", "SECURITY.md"}
    assert needed() | documents | {"setup.py", "pyproject.toml"} <= names
    assert not any(name.startswith("tests") for name in names)


@pytest.mark.thorough
@pytest.mark.parametrize("kind", [0, pytest.param(1, marks=pytest.mark.slow)], ids=["wheel", "sdist"])
def test_pip_installs_it_and_it_runs_from_an_empty_folder(built, tmp_path, kind):
    target, empty = tmp_path / "target", tmp_path / "empty"
    empty.mkdir()
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(target))
    run(empty, sys.executable, "-m", "pip", "install", *options, str(built[kind]))
    for method in methods.PACKAGES:
        assert run(empty, str(target / "bin" / method), "--version", paths=[target]).startswith(VERSION)
    module = [sys.executable, "-m", f"{methods.PACKAGES[-1]}.main", "--version"]
    assert run(empty, *module, paths=[target]).startswith(VERSION)
    helped = run(empty, str(target / "bin" / "cyclegan"), "--helpfull", paths=[target])
    assert "--preset" in helped and "The authors' PyTorch code" in helped
    where = run(empty, sys.executable, "-c", "import common, flags; print(common, flags)", paths=[target])
    assert where.count(str(target)) == 2
