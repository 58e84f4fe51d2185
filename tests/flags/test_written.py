"""What people write, as they write it: home folders, slashes, flag files of any editor, patterns without quotes."""

import codecs
import os
import pathlib
import unicodedata

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from common.errors import UserError
from common.images import folders, labels
from common.images.folders import Files
from dualgan import DualGAN
from flags import written
from flags.parsing import parse

few = hypothesis.settings(max_examples=100, deadline=None)
ENCODINGS = {"utf-8": b"", "utf-8-sig": b"", "utf-16": b"", "utf-16-le": codecs.BOM_UTF16_LE, "utf-32": b""}


def parsed(*arguments):
    return parse(DualGAN, ["dualgan", *arguments]).values


@pytest.mark.parametrize("name", ["run_dir", "data_root", "init_from"])
def test_the_home_folder_and_slashes_in_any_path(name, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/home/me")
    assert parsed("--dataset", "plain/", f"--{name}=~/a b/")[name].value == "/home/me/a b"
    assert parsed("--dataset", "plain/").dataset == "plain"
    monkeypatch.chdir(tmp_path)
    pathlib.Path("~").mkdir()
    assert parsed("--dataset", "plain", f"--{name}=~")[name].value == "~"  # it is there


@few
@hypothesis.given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20))
def test_a_path_stays_the_same_place(text):
    hypothesis.assume(not text.startswith("~"))
    assert os.path.normpath(written.path(text)) == os.path.normpath(text) or text.startswith("//")
    assert written.path(written.path(text)) == written.path(text)


@few
@hypothesis.given(
    encoding=st.sampled_from(sorted(ENCODINGS)),
    between=st.sampled_from(["=", " ", "  ", "\t"]),
    end=st.sampled_from(["\n", "\r\n", "\n\n# a comment\n", " \n// another\n"]),
    folder=st.sampled_from(["runs/a", "runs/two words", "läufe/ü"]),
)
def test_flag_files_of_any_editor(encoding, between, end, folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("flags") / "my.flags"
    lines = [f"--dataset{between}plain", f"--run_dir{between}{folder}", f"--batch_size{between}3", "--noflip", ""]
    path.write_bytes(ENCODINGS[encoding] + end.join(lines).encode(encoding))
    for arguments in ([f"--flagfile={path}"], ["--flagfile", str(path)]):
        values = parsed(*arguments, "--limit", "5")
        assert (values.dataset, values.run_dir, values.batch_size, values.limit) == ("plain", folder, 3, 5)


def test_flag_files_that_cannot_be_read_are_sentences(tmp_path):
    loop, binary = tmp_path / "loop", tmp_path / "binary"
    loop.write_text(f"--flagfile={loop}\n")
    binary.write_bytes(b"\xff\xfa\x80")
    for path, reason in ((loop, "names itself"), (binary, "it is no text"), (tmp_path / "none", "No such file")):
        with pytest.raises(UserError, match=rf"--flagfile '{path}'.*{reason}"):
            parsed("--flagfile", str(path))


def test_a_pattern_without_quotes_is_named(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.png").touch()
    with pytest.raises(UserError, match=r"b.png' stands alone, .* put it in quotes"):
        parsed("--phase", "translate", "--input", f"{tmp_path}/a.png", f"{tmp_path}/b.png")


@few
@hypothesis.given(
    encoding=st.sampled_from(sorted(ENCODINGS)),
    between=st.sampled_from([" ", ",", ", ", "; ", "\t"]),
    end=st.sampled_from(["", " road", ", road"]),
)
def test_palettes_of_any_editor(encoding, between, end, tmp_path_factory):
    path = tmp_path_factory.mktemp("palette") / "palette.txt"
    text = "# R G B\r\n" + "".join(between.join(map(str, line)) + end + "\r\n\r\n" for line in ((0, 0, 0), (255, 1, 2)))
    path.write_bytes(ENCODINGS[encoding] + text.encode(encoding))
    np.testing.assert_array_equal(labels.read_palette(path), [[0, 0, 0], [255, 1, 2]])


@few
@hypothesis.given(st.text(st.characters(codec="utf-8", exclude_characters="\0/."), min_size=1, max_size=10))
def test_names_are_paired_however_their_accents_are_written(name):
    A, B = (
        pathlib.Path(folder, f"{unicodedata.normalize(form, name)}.png")
        for folder, form in (("A", "NFC"), ("B", "NFD"))
    )
    pairs, alone = folders.pair(Files([A], [B]))
    assert pairs == Files([A], [B]) and alone == []
