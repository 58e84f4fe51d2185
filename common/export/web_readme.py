"""The README.md of an export for browsers: how to open it, its files, and its differences from the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from common.export import web_page
from common.export.comparison import Difference
from common.export.model import Model
from common.export.readme import domain_notes
from common.export.web import Web


def text(model: Model, written_as: Web, differences: Sequence[Difference], sizes: Mapping[str, int]) -> str:
    """Returns the README; `sizes`: {part: bytes}."""
    rows = "".join(f"| {name} | {size:,} |\n" for name, size in sizes.items())
    notes = "".join(f"- {note}\n" for note in _notes(model, written_as, differences))
    return f"""\
# {type(model.dual).__name__}, {" and ".join(model.directions)}, at step {model.step:,}, in the browser

`index.html` translates images and drawings in the visitor's browser. It needs a web server, but nothing runs on it:
copy this folder to any static host. To try it on this computer:

```
python -m http.server --directory .
```

and open http://localhost:8000. Opened as a file, the page only says that it needs a server, as browsers do not let
files load networks.

| part | bytes |
|---|---|
{rows}
`runtime/` has onnxruntime-web {written_as.runtime.version}, under the licence there.

If the server can send headers, send this one with all files. The page itself has the same policy, but browsers do not
apply it to `worker.js`:

```
Content-Security-Policy: {web_page.POLICY}; frame-ancestors 'none'
```

{notes}"""


def _notes(model: Model, written_as: Web, differences: Sequence[Difference]) -> Iterator[str]:
    for difference in differences:
        yield f"Verified with onnxruntime in Python: {difference.describe()}."
    where = "by one thread of the CPU" + (
        ", or by the GPU in browsers with WebGPU" if written_as.runtime.has_gpu else ""
    )
    yield f"Weights are stored in 16 bits, and computed with in 32, {where}."
    yield f"Images of more than {web_page.MOST_PIXELS:,} pixels are scaled down before translation."
    if not model.dual.any_size:
        height, width = model.dual.image_sides
        yield (
            f"Networks only saw {height} x {width} pixels: the page scales images to that, and back, with the filter"
            " of the browser, which is not that of the run."
        )
    yield from domain_notes(model)
    yield (
        "Everyone who can open the page can also download the network. Ask the owner of the training images whether"
        " you may publish it."
    )
