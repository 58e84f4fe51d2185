"""A module of the person's that hides one of ours is told in a sentence, however a method is started."""

import os
import pathlib
import subprocess
import sys

import pytest

from common import methods

ROOT = pathlib.Path(__file__).parent.parent
HIDING = ("common.py", "common/__init__.py", "flags.py", "flags/__init__.py")


def put(folder, *names):
    """Writes a small module of each name into a folder."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("VALUE = 1\n")


def python(folder, *arguments, before=()):
    """Python in a folder, with the toolkit on its path, behind the folders `before`."""
    paths = os.pathsep.join(map(str, (*before, ROOT)))
    environment = {**os.environ, "PYTHONPATH": paths}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


def refused(ended, path, name):
    """What was said, after checking that it is one sentence about what was found where."""
    assert ended.returncode == 1, ended.stdout
    assert ended.stderr.startswith(f"error: {str(path)!r} hides the package {name!r} of this toolkit,")
    assert ended.stderr.count("\n") == 1 and repr(str(ROOT / name)) in ended.stderr
    return ended.stderr


@pytest.mark.parametrize(
    ("hiding", "arguments"),
    [*((hiding, ("-m", "dualgan.main", "--help")) for hiding in HIDING), (HIDING[1], ("-c", "import dualgan"))],
)
def test_in_the_current_folder(tmp_path, hiding, arguments):
    put(tmp_path, hiding)
    path = (tmp_path / hiding).parent if hiding.endswith("__init__.py") else tmp_path / hiding
    stderr = refused(python(tmp_path, *arguments), path, path.stem)
    assert "Rename it, start from another folder, or use the installed command instead of `python -m`." in stderr


@pytest.mark.parametrize("package", methods.PACKAGES)
def test_every_method_tells_and_from_any_folder_of_the_path(tmp_path, package):
    put(tmp_path / "theirs", "common.py")
    ended = python(tmp_path, "-m", f"{package}.main", before=[tmp_path / "theirs"])
    assert f"remove {str(tmp_path / 'theirs')!r} from PYTHONPATH" in refused(
        ended, tmp_path / "theirs" / "common.py", "common"
    )


def test_an_installed_command_does_not_look_into_the_current_folder_and_tells_of_the_path(tmp_path):
    put(tmp_path / "theirs", "common.py")
    script = tmp_path / "bin" / "cyclegan"  # as pip writes it
    script.parent.mkdir()
    script.write_text("from cyclegan.main import main\nimport sys\nsys.exit(main())\n")
    ended = python(tmp_path / "theirs", str(script), "--help")
    assert ended.returncode == 0, ended.stderr
    ended = python(tmp_path, str(script), "--help", before=[tmp_path / "theirs"])
    assert "Rename it, or remove" in refused(ended, tmp_path / "theirs" / "common.py", "common")


def test_code_that_imports_a_method_gets_an_import_error(tmp_path):
    put(tmp_path, "common.py")
    (tmp_path / "run.py").write_text("try:\n    import pix2pix\nexcept ImportError as error:\n    print(error)\n")
    ended = python(tmp_path, "run.py")
    assert ended.stdout.startswith(f"{str(tmp_path / 'common.py')!r} hides the package 'common'"), ended.stderr


def test_other_modules_and_folders_without_python_hide_nothing(tmp_path):
    put(tmp_path, "types_of_mine.py", "common/notes.txt", "flags/france.png")
    ended = python(tmp_path, "-m", "dualgan.main", "--help")
    assert ended.returncode == 0, ended.stderr


def test_a_copy_of_a_method_beside_a_person_s_files_finds_ours(tmp_path):
    put(tmp_path, "types_of_mine.py")
    for name in ("__init__.py", "model.py", "main.py"):
        path = tmp_path / "cyclegan" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text((ROOT / "cyclegan" / name).read_text())
    ended = python(tmp_path, "-c", "import cyclegan; print(cyclegan.__file__)")
    assert ended.stdout == f"{tmp_path / 'cyclegan' / '__init__.py'}\n", ended.stderr
