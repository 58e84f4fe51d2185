"""The code that documents show is code that is tested, and the files they name are there."""

import pathlib
import re

import pytest

from common import health, scores
from cyclegan import CycleGAN

ROOT = pathlib.Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
EXAMPLES = "\n".join(path.read_text() for path in (ROOT / "examples").glob("*.py"))


def blocks(text):
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


def test_every_line_of_extending_is_in_an_example():
    found = blocks((ROOT / "docs" / "extending.md").read_text())
    assert len(found) > 5
    for block in found:
        assert block.rstrip() in EXAMPLES, block


def test_every_state_of_health_has_its_section():
    text = (ROOT / "docs" / "health.md").read_text()
    states = {watcher.name.rpartition("/")[2] for watcher in health.watchers(CycleGAN())} | {health.NOT_FINITE}
    assert {line[3:].lower() for line in text.splitlines() if line.startswith("## ")} == states
    assert set(re.findall(r"\]\(#([\w-]+)\)", text)) == {state.replace(" ", "-") for state in states}


def test_every_metric_is_explained():
    rows = "\n".join(re.findall(r"^\| (`.*?) \|", (ROOT / "docs" / "measuring.md").read_text(), flags=re.MULTILINE))
    others = {
        "frechet_distance",
        "kernel_distance",
        "kernel_distance_error",
        "images",
        "equal_to_target",
    }  # in the text
    assert set(re.findall(r"`(\w+)`", rows)) == set(scores.NAMES) - others


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target
