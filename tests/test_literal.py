"""Names that TensorFlow takes for patterns are read through links, and other names as they are."""

import os
import pathlib

import pytest

from common import literal
from common.errors import UserError

UNDECODABLE = os.fsdecode(b"l\xe4ufe")  # not UTF-8
PATTERN = set("*?[]{}\\")  # what means something else in a pattern


@pytest.fixture
def checkpoint(tmp_path, monkeypatch):
    """A function that makes a checkpoint of two files, and others beside it; the working folder is around it."""
    monkeypatch.chdir(tmp_path)

    def make(folder, name):
        (tmp_path / folder).mkdir()
        for file in (f"{name}.index", f"{name}.data-00000-of-00001", f"{name}0.index", "checkpoint"):
            (tmp_path / folder / file).write_bytes(os.fsencode(file))
        return f"{folder}/{name}"

    return make


@pytest.mark.parametrize("name", ["model-1", "model 1", "Übung"])
def test_plain_names_are_read_as_they_are(checkpoint, name):
    path = checkpoint("run", name)
    with literal.prefix(path) as read:
        assert read == path
    with literal.folder("run") as read:
        assert read == "run"


@pytest.mark.parametrize("name", ["model[1]", "m*", "m?", "{a}", "a\\b", UNDECODABLE])
@pytest.mark.parametrize("folder", ["run", "run[1]"])
def test_the_files_of_a_checkpoint_are_linked_under_another_name(checkpoint, folder, name):
    with literal.prefix(checkpoint(folder, name)) as read:
        parent, prefix = os.path.split(read)
        found = {file.name: os.fsdecode(file.read_bytes()) for file in pathlib.Path(parent).iterdir()}
        endings = (".index", ".data-00000-of-00001")
        assert found == {f"{prefix}{ending}": f"{name}{ending}" for ending in endings}
        assert not PATTERN & set(read) and read.encode()
    assert not os.path.exists(parent)


def test_a_folder_of_patterns_is_linked(checkpoint):
    path = checkpoint("run[1]", "model-1")
    with literal.folder("run[1]") as read:
        assert not PATTERN & set(read) and os.path.samefile(read, "run[1]")
    assert not os.path.lexists(read)
    with literal.prefix(path) as read:
        assert os.path.basename(read) == "model-1" and os.path.samefile(os.path.dirname(read), "run[1]")


def test_paths_that_are_not_utf_8_are_refused_for_writing():
    literal.refuse_undecodable("output", "Übung [1]")
    with pytest.raises(UserError) as error:
        literal.refuse_undecodable("output", UNDECODABLE)
    said = f"--output {UNDECODABLE} is not UTF-8, which TensorFlow needs. Choose a different name."
    assert str(error.value) == said
