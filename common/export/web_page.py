"""The files of the page that runs an export in a browser; its policy lets it load nothing but them.

Addresses end in a digest of what they name, as hosts let browsers keep files: after a new export, a page would
otherwise be mixed from old and new files.
"""

from __future__ import annotations

import hashlib
import html
import json
import pathlib
import re
from collections.abc import Mapping
from typing import Any

from common.export.web_runtime import Runtime
from common.images.pixels import Domain
from common.report import page

BROWSER = pathlib.Path(__file__).parent / "browser"
SHARED = ("elements", "directions", "slider", "strokes", "drawing", "intake")  # scripts of the report's folder
SHARED_STYLES = ("page", "drawing", "intake")
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; img-src 'self'"
    " blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'"
)
SCRIPT, LOADER, BINARY = "runtime/ort.js", "runtime/ort-wasm.js", "runtime/ort.wasm"  # some servers do not know .mjs
MOST_PIXELS = 2**20  # of an image that is translated
LICENCE = (
    "The network has learned from the images of its dataset. Before you use translations for more than a try, ask the"
    " owner of those images, or whoever published this page, for their licence."
)


def files(facts: Mapping[str, Any], runtime: Runtime) -> dict[str, bytes]:
    """Returns {path in the folder of the export: content}; `facts` are what web.js knows of the run."""
    own = {path.name: path.read_text(encoding="utf-8") for path in BROWSER.iterdir() if path.is_file()}
    script = [page.browser(f"{name}.js") for name in SHARED]
    script += [own[name] for name in ("network.js", "pixels.js", "web.js")]
    version = digest(runtime.script + runtime.loader + runtime.binary)
    texts = {
        "page.js": "".join(script),
        "page.css": "".join([*(page.browser(f"{name}.css") for name in SHARED_STYLES), own["web.css"]]),
        "worker.js": _filled(own["worker.js"], {"version": version, "has_gpu": json.dumps(runtime.has_gpu)}),
        "runtime/LICENSE": own["onnxruntime-LICENSE.txt"],
    }
    addressed = {name: f"{name}?{digest(text.encode('utf-8'))}" for name, text in texts.items()}
    known = {"worker": addressed["worker.js"], "runtime": {"file": f"{BINARY}?{version}", "bytes": len(runtime.binary)}}
    parts = {
        "policy": html.escape(POLICY),
        "title": html.escape(page.encodable(facts["name"])),
        "data": page.block({**facts, **known}),
        "style": addressed["page.css"],
        "script": addressed["page.js"],
    }
    texts["index.html"] = _filled(own["web.html"], parts)
    binaries = {SCRIPT: runtime.script, LOADER: runtime.loader, BINARY: runtime.binary}
    return {name: text.encode("utf-8") for name, text in texts.items()} | binaries


def digest(content: bytes) -> str:
    """Returns a short text that other contents do not have."""
    return hashlib.sha256(content).hexdigest()[:12]


def _filled(template: str, parts: Mapping[str, str]) -> str:
    """A template with its {{names}} replaced."""
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template)


def end(domain: Domain) -> dict[str, Any]:
    """Returns what the page knows of the images of a Domain; see pixels.js."""
    known: dict[str, Any] = {"channels": domain.channels}
    if domain.classes:
        known |= {"values": domain.classes.table.tolist(), "colours": domain.classes.palette.tolist()}
    return known
