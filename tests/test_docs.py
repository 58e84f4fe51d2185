"""The code that documents show is code that is tested, and the files they name are there."""

import pathlib
import re

import pytest

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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target
