"""The Dockerfile: its syntax, its commands, which are those of BUILD.md, and what its image would hold."""

import fnmatch
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import pytest

import common
from common import methods

ROOT = pathlib.Path(__file__).parent.parent
KNOWN = {"FROM", "ENV", "WORKDIR", "COPY", "RUN", "CMD"}  # instructions that it has
FOLDER = "/opt/dual-translation"


def instructions():
    """[(name, arguments)] of the Dockerfile, with continued lines joined, without comments."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    text = "\n".join(lines).replace("\\\n", " ")
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


def arguments(name):
    return [given for instruction, given in instructions() if instruction == name]


def commands_of_build():
    """The indented commands of BUILD.md, without their comments."""
    lines = (ROOT / "BUILD.md").read_text().splitlines()
    return {line.split(" #")[0].strip() for line in lines if line.startswith("    ")}


def ignored(path):
    """Whether .dockerignore leaves a path, relative to the project, out of the image: it, or a folder above it."""
    patterns = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    above = [path, *path.parents][:-1]
    return any(
        fnmatch.fnmatch(part.name, pattern[3:]) if pattern.startswith("**/") else fnmatch.fnmatch(str(part), pattern)
        for part in above
        for pattern in patterns
    )


def test_every_instruction_is_well_formed():
    given = instructions()
    assert given[0][0] == "FROM" and {name for name, _ in given} == KNOWN
    assert all(re.fullmatch(r"([A-Z_]+=\S+ ?)+", variables) for variables in arguments("ENV"))
    assert all(path.startswith("/") for path in arguments("WORKDIR")) and arguments("WORKDIR")[0] == FOLDER
    assert arguments("COPY") == [". ."]
    for command in arguments("RUN"):
        subprocess.run(["sh", "-n", "-c", command], check=True)
    (last,) = arguments("CMD")
    assert given[-1][0] == "CMD" and all(isinstance(word, str) for word in json.loads(last))


def test_commands_are_those_of_build_md_in_their_order():
    (last,) = arguments("CMD")
    commands = [*arguments("RUN"), f"env/bin/{shlex.join(json.loads(last))}"]
    assert len(commands) > 3 and set(commands) <= commands_of_build()
    order = (ROOT / "BUILD.md").read_text()
    assert [*map(order.index, commands)] == sorted(map(order.index, commands))
    assert f"PATH={FOLDER}/env/bin:$PATH" in arguments("ENV")


def test_the_python_of_the_image_is_one_that_is_required_and_tested():
    (image,) = arguments("FROM")
    version = re.fullmatch(r"python:(3\.[0-9]+)-slim", image)[1]
    needed = re.search(r'python_requires=">=(3\.[0-9]+)"', (ROOT / "setup.py").read_text())[1]
    assert [*map(int, version.split("."))] >= [*map(int, needed.split("."))]
    assert re.search(rf"^\| {re.escape(version)}\.[0-9]+ \|", (ROOT / "BUILD.md").read_text(), re.MULTILINE)


def test_the_image_holds_the_packages_and_neither_data_nor_environments():
    for name in ("common", "flags", *methods.PACKAGES):
        sources = [path.relative_to(ROOT) for path in (ROOT / name).rglob("*.py")]
        assert sources and not any(map(ignored, sources)), name
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "dual_translation_check.py", "common/py.typed"):
        assert (ROOT / name).exists() and not ignored(pathlib.Path(name)), name
    for line in (ROOT / ".gitignore").read_text().split():
        assert ignored(pathlib.Path(line.strip("/").replace("*", "x"))), line
    for name in (".git/config", "tests/small.py", "common/__pycache__/x.pyc", "env/bin/pip", "a/b.egg-info/PKG-INFO"):
        assert ignored(pathlib.Path(name)), name


@pytest.mark.slow
def test_its_commands_run_one_by_one_in_an_empty_folder_without_variables(tmp_path):
    """As far as that goes without a container: with this machine's Python and libraries, and pip's package index."""
    folder = tmp_path / "image"

    def left_out(place, names):
        return [name for name in names if ignored((pathlib.Path(place) / name).relative_to(ROOT))]

    shutil.copytree(ROOT, folder, ignore=left_out)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(pathlib.Path(sys.base_prefix, "bin", "python3"))
    variables = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "REQUESTS_"))}
    for pair in arguments("ENV")[0].split():
        variables |= [pair.split("=", 1)]
    variables |= {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "HOME": str(tmp_path)}
    for command in arguments("RUN"):
        ended = subprocess.run(["sh", "-c", command], cwd=folder, env=variables, capture_output=True, text=True)
        assert ended.returncode == 0, f"{command}\n{ended.stdout}{ended.stderr}"
    assert f"dual-translation {common.__version__}" in ended.stdout
    (tmp_path / "work").mkdir()
    variables["PATH"] = f"{folder / 'env/bin'}:{variables['PATH']}"
    (last,) = arguments("CMD")
    ended = subprocess.run(json.loads(last), cwd=tmp_path / "work", env=variables, capture_output=True, text=True)
    assert ended.returncode == 0 and "--phase" in ended.stdout
