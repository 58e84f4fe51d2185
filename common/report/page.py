"""Writes data and the scripts of browser/ as one HTML file that opens from disk and needs no network."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import pathlib
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from common import atomic

HERE = pathlib.Path(__file__).parent
PLOTS = HERE / "vendor" / "uplot"
SCRIPTS = (
    "elements",
    "terms",
    "curves",
    "samples",
    "strips",
    "tables",
    "heat",
    "slider",
    "viewer",
    "images",
    "translations",
    "page",
)
UNSAFE = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&"})


class Page(NamedTuple):
    """An HTML page, and the content security policy that it states: the hashes of its own scripts and styles."""

    html: str
    policy: str


def write(path: pathlib.Path, data: Mapping[str, Any]) -> pathlib.Path:
    """Writes a page that shows `data`, dictionaries and lists of texts and numbers, and returns its path.

    The write is atomic. Data cannot run as code: it is one block of JSON, which the script shows as text, and the
    page's content security policy allows no other script and no fetches.
    """
    atomic.write_bytes(path, page(data).html.encode("utf-8"))
    return path


def page(data: Mapping[str, Any], more: str = "") -> Page:
    """Returns the Page that shows `data`; `more`: a further script, which may fetch from the server of the page."""
    style = _text(PLOTS / "uPlot.min.css") + browser("page.css")
    plots = f"/*\n{_text(PLOTS / 'LICENSE')}*/\n{_text(PLOTS / 'uPlot.iife.min.js')}"
    script = "".join(browser(f"{name}.js") for name in SCRIPTS) + more
    policy = f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(plots)} {_hash(script)};"
    policy += (" connect-src 'self';" if more else "") + " base-uri 'none'; form-action 'none'"
    parts = {
        "policy": policy,
        "title": html.escape(encodable(f"{data['title']} · {data['name']}")),
        "style": style,
        "plots": plots,
        "data": block(data),
        "script": script,
    }
    return Page(re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], browser("page.html")), policy)


def block(data: Mapping[str, Any]) -> str:
    """Returns data as ASCII JSON that is safe inside a script element."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.translate(UNSAFE)


def browser(name: str) -> str:
    """Returns the text of a file of browser/."""
    return _text(HERE / "browser" / name)


def encodable(text: str) -> str:
    """Returns a text with question marks for lone surrogates, which occur in undecodable file names."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}'"


def _text(path: pathlib.Path) -> str:
    return path.read_text(encoding="utf-8")
