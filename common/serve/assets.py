"""The files of the page: composed of those of browser/ and of the report."""

from __future__ import annotations

import html
import pathlib
import re
from collections.abc import Mapping
from typing import Any

from common.report import page as pages

BROWSER = pathlib.Path(__file__).parent / "browser"
SHARED = ("elements", "directions", "slider", "strokes", "drawing", "intake")  # scripts of the report's folder
SHARED_STYLES = ("page", "intake", "drawing")
SCRIPTS = ("asking", "outputs", "serve")


def page(facts: Mapping[str, Any]) -> str:
    """Returns the page that shows `facts`, which become the script's `report`."""
    runs = facts["runs"]
    title = runs[0]["name"] if len(runs) == 1 else f"{len(runs)} runs"
    parts = {"title": html.escape(pages.encodable(title)), "data": pages.block(facts)}
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _text("serve.html"))


def scripts_and_styles() -> dict[str, tuple[str, str]]:
    """Returns {path: (content, media type)} of the other files of the page."""
    scripts = [pages.browser(f"{name}.js") for name in SHARED] + [_text(f"{name}.js") for name in SCRIPTS]
    styles = [*(pages.browser(f"{name}.css") for name in SHARED_STYLES), _text("serve.css")]
    return {"/page.js": ("".join(scripts), "text/javascript"), "/page.css": ("".join(styles), "text/css")}


def _text(name: str) -> str:
    return (BROWSER / name).read_text(encoding="utf-8")
