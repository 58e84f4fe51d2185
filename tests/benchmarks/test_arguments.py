"""Each benchmark says by --help what it does, and its public functions say what they are for."""

import argparse
import ast

import pytest

from benchmarks import arguments
from tests.small import ROOT

MODULES = sorted((ROOT / "benchmarks").rglob("*.py"))
PROGRAMS = [path for path in MODULES if '\nif __name__ == "__main__":' in path.read_text()]


def name_of(path):
    """The name below benchmarks, as python -m takes it."""
    return ".".join(path.relative_to(ROOT / "benchmarks").with_suffix("").parts).removesuffix(".__main__")


@pytest.mark.parametrize("path", PROGRAMS, ids=name_of)
def test_a_program_describes_itself_under_its_own_name(path):
    source = path.read_text()
    assert f'("{name_of(path)}", __doc__)' in source
    about = ast.get_docstring(ast.parse(source))
    assert "%" not in about  # argparse would expand it
    if "arguments.parser" in source:
        assert f"\npython -m benchmarks.{name_of(path)}" in about
        assert "Prints" in about or "prints" in about or "printing" in about


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_public_functions_have_a_docstring(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree)
    for node in ast.walk(tree):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.startswith("_") and node in tree.body:
            assert ast.get_docstring(node), node.name
            members = [member for member in node.body if isinstance(member, ast.FunctionDef)]
            for member in members if isinstance(node, ast.ClassDef) else ():
                assert member.name.startswith("_") or ast.get_docstring(member), (node.name, member.name)


def test_help_shows_the_docstring_as_it_is_written():
    parser = arguments.parser("speed", "One line.\n\npython -m benchmarks.speed\n\nAnother\nline.")
    assert parser.format_help().startswith(
        "usage: python -m benchmarks.speed [-h]\n\nOne line.\n\npython -m benchmarks"
    )
    assert "\nAnother\nline.\n" in parser.format_help()


def test_names_separated_by_commas(capsys):
    parser = arguments.parser("speed", "One line.")
    assert arguments.chosen(parser, "case", "b,a", ("a", "b", "c")) == ["b", "a"]
    with pytest.raises(SystemExit) as ended:
        arguments.chosen(parser, "case", "a,d,", ("a", "b"))
    assert ended.value.code == 2 and "There is no case , d. There are a, b." in capsys.readouterr().err


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", ""])
def test_a_count_is_a_whole_number_from_1_on(text):
    assert arguments.count("12") == 12
    with pytest.raises(argparse.ArgumentTypeError, match="is not a whole number from 1 on"):
        arguments.count(text)


def test_the_device_is_read_and_has_a_default(monkeypatch, capsys):
    for argv, device in ((["x"], "auto"), (["x", "gpu:0"], "gpu:0")):
        monkeypatch.setattr("sys.argv", argv)
        assert arguments.device("gpu.resume", "What it does.") == device
    monkeypatch.setattr("sys.argv", ["x", "--help"])
    with pytest.raises(SystemExit) as ended:
        arguments.device("gpu.resume", "What it does.")
    assert ended.value.code == 0 and "What it does." in capsys.readouterr().out
