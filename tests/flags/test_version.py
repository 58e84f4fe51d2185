"""--version tells versions at once, without TensorFlow."""

import pathlib
import re
import subprocess
import sys
from importlib import metadata

import pytest

import common
from flags import version

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.parametrize("flag", ["--version", "-version"])
def test_version_is_printed_without_importing_tensorflow(flag):
    script = (
        f"import sys; from cyclegan.main import main; sys.argv = ['cyclegan', {flag!r}, '--phase', 'none']; main();"
        "print('tensorflow' in sys.modules)"
    )
    command = [sys.executable, "-c", script]
    lines = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    assert lines == [f"dual-translation {common.__version__}", f"TensorFlow {metadata.version('tensorflow')}", "False"]


def test_tensorflow_is_found_under_its_other_names_and_need_not_be_there(monkeypatch):
    installed = {"tensorflow-cpu": "2.16.1"}

    def look_up(name):
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(metadata, "version", look_up)
    assert version.text().splitlines()[1:] == ["TensorFlow 2.16.1"]
    installed.clear()
    assert version.text() == f"dual-translation {common.__version__}"


def test_version_has_three_numbers():
    assert re.fullmatch(r"\d+\.\d+\.\d+", common.__version__)
