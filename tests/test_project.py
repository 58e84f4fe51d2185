"""What lies around the code: one version everywhere, files of YAML that parse, and commands that there are."""

import pathlib
import re
import subprocess
import sys

import pytest
import yaml

import common
from common import methods

ROOT = pathlib.Path(__file__).parent.parent
MAKEFILE = (ROOT / "Makefile").read_text()
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
YAML = (".github/workflows/ci.yml", ".pre-commit-config.yaml", "CITATION.cff", "mkdocs.yml")


def read(name):
    """A file of YAML as Python's dicts and lists."""
    return yaml.safe_load((ROOT / name).read_text())


def targets():
    """The names that make takes."""
    return set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))


def test_one_version_everywhere():
    command = [sys.executable, "setup.py", "--version"]
    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert printed.splitlines()[-1] == common.__version__
    assert str(read("CITATION.cff")["version"]) == common.__version__
    newest = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[0]
    assert newest == common.__version__


@pytest.mark.parametrize("name", YAML)
def test_files_of_yaml_parse(name):
    assert isinstance(read(name), dict)


def test_citation_has_what_its_schema_asks_for_and_a_paper_of_each_method():
    citation = read("CITATION.cff")
    assert {"cff-version", "message", "title", "authors", "abstract", "license"} <= set(citation)
    assert citation["cff-version"] == "1.2.0" and citation["license"] == "Apache-2.0"
    first_lines = [(ROOT / package / "model.py").read_text().partition("\n")[0] for package in methods.PACKAGES]
    assert len(citation["references"]) == sum("arxiv.org/abs/" in line for line in first_lines) == 4
    for paper in citation["references"]:
        assert {"type", "title", "authors"} <= set(paper)
        number = paper["url"].rpartition("/")[2]
        assert any(f"arxiv.org/abs/{number}" in model.read_text() for model in ROOT.glob("*/model.py")), number


def test_ci_runs_the_command_that_everything_must_pass():
    steps = read(".github/workflows/ci.yml")["jobs"]["test"]["steps"]
    assert steps[-1]["run"] == "bash .ci/run" and (ROOT / ".ci" / "run").is_file()


def test_hooks_run_what_make_test_installs():
    (local,) = read(".pre-commit-config.yaml")["repos"]
    entries = [hook["entry"] for hook in local["hooks"]]
    assert [entry.split()[0] for entry in entries] == [".venv/bin/ruff", ".venv/bin/ruff", ".venv/bin/mypy"]


def test_targets_are_phony_and_explained():
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[1].split()
    assert set(phony) == targets()
    assert set(re.findall(r"^# make ([a-z-]+)", MAKEFILE, re.MULTILINE)) <= targets()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_name_targets_that_there_are(page):
    text = page.read_text()
    named = set(re.findall(r"(?:^ {4}|`)make ([a-z-]+)", text, re.MULTILINE))
    assert named <= targets(), named - targets()
