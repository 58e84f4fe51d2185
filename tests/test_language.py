"""Phrases that read as translated must not come back: documents, help, messages, docstrings and comments."""

import pathlib
import re

from common import methods

ROOT = pathlib.Path(__file__).parent.parent
PLACES = ("common", "flags", *methods.PACKAGES, "examples", "benchmarks", "docs")
PAGES = sorted([*ROOT.glob("*.md"), *(path for place in PLACES for path in (ROOT / place).rglob("*.md"))])
SOURCES = sorted(path for place in PLACES for path in (ROOT / place).rglob("*.py"))
INSTEAD = {
    r"\bgo(es)? on (with|from|in|at|to)\b": "resumes, continues",
    r"\bsame bits\b": "bit-exactly",
    r"\bsay --": "use --",
    r"\b(does|do) not read\b": "cannot be read",
    r"\bis no size\b": "is not a valid size",
    r"\b(fakes|steps|images) of before\b": "previous",
    r"\b(is|was|were) had\b": "available",
    r"\bto the eye\b": "visually",
    r"\bthere and back\b": "both ways",
    r"\bwhat comes out\b": "the output",
    r"\bgive another --": "choose a different --",
    r"\bmanieth\b": "every n-th",
    r"\btells of\b": "describes",
    r"\bmeans? no harm\b": "can be ignored",
    r"\b(is|are) to be looked at\b": "look at",
    r"\bno word between\b": "no communication",
    r"\bevery (so|as) many\b": "every n",
}


def test_no_phrase_reads_as_translated():
    mistakes = []
    for path in (*PAGES, *SOURCES):
        text = " ".join(path.read_text().split())
        for phrase, instead in INSTEAD.items():
            if match := re.search(phrase, text, re.IGNORECASE):
                around = text[max(0, match.start() - 40) : match.end() + 40]
                mistakes.append(f"{path.relative_to(ROOT)}: {around!r}: write {instead!r}")
    assert mistakes == []
