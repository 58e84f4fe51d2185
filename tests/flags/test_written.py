"""What people write, as they write it: home folders, slashes, flag files of any editor, patterns without quotes."""

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
MARKED = {"utf-8": b"", "utf-8-sig": b"", "utf-16": b"", "utf-32": b""}
ENCODINGS = {**MARKED, **dict.fromkeys(["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"], b"")}  # without a mark


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


@hypothesis.settings(few, max_examples=25)
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


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        ("--dataset toy --ngf 4", ["--dataset=toy", "--ngf=4"]),
        ("--ngf=4 --noflip --xla", ["--ngf=4", "--noflip", "--xla"]),
        ("--run_dir runs/x  # mine, isn't it?", ["--run_dir=runs/x"]),
        ("--run_dir=runs/x#1", ["--run_dir=runs/x#1"]),
        ("# --ngf 4", []),
        ("  // it's --ngf 4", []),
        ('--dataset "my set" --ngf 4', ["--dataset=my set", "--ngf=4"]),
        ("--dataset='my \"set\"'", ['--dataset=my "set"']),
        ("--dataset my set --ngf 4", ["--dataset=my set", "--ngf=4"]),
        ("--dataset=my set", ["--dataset=my set"]),
        ("--dataset '--ngf'", ["--dataset=--ngf"]),
        *((f"--ngf{equals}4", ["--ngf=4"]) for equals in (" = ", "= ", " =", "=")),
        ("--range_A -1,1", ["--range_A=-1,1"]),
        ("--range_A=-1.5,.5 --ngf 4", ["--range_A=-1.5,.5", "--ngf=4"]),
        ("--init_from=", ["--init_from="]),
        ('--init_from ""', ["--init_from="]),
        ("--run_dir C:\\runs\\new", ["--run_dir=C:\\runs\\new"]),
        ('"runs/a b"', ["runs/a b"]),
        ("runs/a b", ["runs/a b"]),
        ("--run_dir runs/a \\", ["--run_dir=runs/a"]),  # pasted from a shell
        ("--run_dir C:\\runs\\", ["--run_dir=C:\\runs\\"]),
        ("\\", []),
    ],
)
def test_a_line_of_a_flag_file(line, arguments, tmp_path):
    path = tmp_path / "my.flags"
    path.write_text(f"{line}\n")
    assert written.expanded(["dualgan", "--flagfile", str(path), "--last"]) == ["dualgan", *arguments, "--last"]


@few
@hypothesis.example("\xa0")
@hypothesis.given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), max_size=20))
def test_any_value_can_be_quoted_and_no_line_ends_in_a_traceback(text):
    hypothesis.assume("\x85" not in text)
    if "'" not in text:
        assert [*written._arguments([*written._words(f"--dataset '{text}' --ngf 4")])] == [
            f"--dataset={text}",
            "--ngf=4",
        ]
    try:
        assert all(isinstance(argument, str) for argument in written._arguments([*written._words(text)]))
    except ValueError as error:
        assert "quot" in str(error)


@pytest.mark.parametrize("line", ["--dataset l'été", '--dataset "my set', '--dataset my "big set"'])
def test_half_quotes_are_named_with_the_line(line, tmp_path):
    path = tmp_path / "my.flags"
    path.write_text(f"--ngf 4\n{line}\n")
    with pytest.raises(UserError, match=r"my\.flags', line 2: .* Quote the whole value"):
        parsed("--flagfile", str(path))


def test_what_is_neither_true_nor_false(tmp_path):
    path = tmp_path / "my.flags"
    path.write_text("--norm_bottleneck no\n")
    for arguments in (["--flagfile", str(path)], ["--norm_bottleneck=no"]):
        with pytest.raises(UserError, match=r"--norm_bottleneck 'no' is not valid: it must be true or false\."):
            parsed("--dataset", "toy", *arguments)


def test_the_home_folder_in_palettes_and_in_each_of_several_files(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    for name in ("labels_A", "labels_B"):
        assert parsed("--dataset", "plain", f"--{name}=~/p.txt")[name].value == "/home/me/p.txt"
        assert parsed("--dataset", "plain", f"--{name}=auto")[name].value == "auto"
    values = parsed("--phase", "import_weights", "--source", "~/G_A.pth,~/G_B.pth,c/", "--run_dir", "x")
    assert values.source == "/home/me/G_A.pth,/home/me/G_B.pth,c"


def test_flag_files_that_cannot_be_read_are_sentences(tmp_path):
    loop, binary = tmp_path / "loop", tmp_path / "binary"
    loop.write_text(f"--flagfile={loop}\n")
    binary.write_bytes(b"\xff\xfa\x80")
    (nul := tmp_path / "nul").write_bytes(b"--ngf 4\n--dataset a\0b")
    for path, reason in (
        (nul, "it is not a text file"),
        (loop, "includes itself"),
        (binary, "it is not a text file"),
        (tmp_path / "none", "No such file"),
    ):
        with pytest.raises(UserError, match=rf"--flagfile '{path}'.*{reason}"):
            parsed("--flagfile", str(path))


def test_a_pattern_without_quotes_is_named(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.png").touch()
    with pytest.raises(UserError, match=r"b.png' has no flag before it; .* Quote patterns"):
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
