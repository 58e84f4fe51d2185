"""A folder for any web server: a page that translates in the visitor's browser, run by onnxruntime-web."""

from __future__ import annotations

import dataclasses
import gc
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from common.errors import UserError
from common.export import half_weights, onnx_graph, web_page, web_runtime
from common.export.model import Model
from common.export.onnx_graph import FILE
from common.export.ported import HALF, Ported
from common.export.signatures import PIXELS
from common.export.web_runtime import Runtime
from common.images import canvas, domain_names, previews
from common.images.pixels import Domain
from common.run.folder import SavedRun

UNNAMED = ("", "none", "unknown")  # datasets that have no name
DRAWN = "toy"  # a dataset that belongs to nobody


@dataclasses.dataclass(frozen=True)
class Web:
    """The format, with what its page says."""

    runtime: Runtime
    name: str  # of the run
    dataset: str
    words: tuple[str, str] | None  # what images of A and B are, in the plural; None: unknown
    canvases: Mapping[str, dict[str, Any] | None]  # by domain; see canvas.of_domain

    def kinds(self, source: Domain, target: Domain, /) -> list[str]:
        """Returns one kind, as the page has pixels."""
        del source, target
        return [PIXELS]

    def write(self, model: Model, folder: pathlib.Path) -> None:
        """Writes a network for each direction, with weights of 16 bits, the page, and the runtime."""
        for signature in model.signatures:
            converted = onnx_graph.converted(model, signature)
            half_weights.halve(converted)
            (folder / FILE.format(signature.name)).write_bytes(converted.SerializeToString())
            gc.collect()  # tf2onnx's graphs contain reference cycles and all weights
        for name, content in web_page.files(self._facts(model, folder), self.runtime).items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(content)
        notices = pathlib.Path(onnx_graph.library("onnxruntime").__file__).with_name("ThirdPartyNotices.txt")
        if notices.exists():
            (folder / "runtime" / notices.name).write_bytes(notices.read_bytes())

    def reopen(self, model: Model, folder: pathlib.Path) -> Iterator[Ported]:
        """Yields the networks, as onnxruntime runs them; a page without one of them would not work."""
        for signature in model.signatures:
            file = FILE.format(signature.name)
            call = onnx_graph.caller(folder / file, signature.image.dtype.as_numpy_dtype)
            yield Ported(file, signature.name, signature.direction, signature.kind, HALF, call, is_needed=True)

    def _facts(self, model: Model, folder: pathlib.Path) -> dict[str, Any]:
        """Returns the data of the page."""
        directions = []
        for signature in model.signatures:
            file, (source, target) = FILE.format(signature.name), model.ends(signature.direction)
            content = (folder / file).read_bytes()
            network = {"file": f"{file}?{web_page.digest(content)}", "bytes": len(content)}
            ends = {"source": web_page.end(source), "target": web_page.end(target)}
            words = self.words[:: 1 if signature.direction[0] == "A" else -1] if self.words else None
            drawing = {"drawing": self.canvases[signature.direction[0]]}
            directions.append({"name": signature.direction, "model": network, "words": words, **ends, **drawing})
        return {
            "name": self.name,
            "model": type(model.dual).__name__,
            "summary": model.dual.summary,
            "step": model.step,
            "dataset": self.dataset,
            "licence": "" if self.dataset == DRAWN else web_page.LICENCE,
            "sides": list(model.dual.image_sides),
            "any_size": model.dual.any_size,
            "most_pixels": web_page.MOST_PIXELS,
            "directions": directions,
        }


def prepared(
    run_dir: str | pathlib.Path, saved: SavedRun, directions: Sequence[str], runtime: str, *, has_gpu: bool = False
) -> Web:
    """Returns the format for a run; `runtime` and `has_gpu`: see web_runtime.load.

    Raises UserError if browsers cannot show the images, or a library or the runtime is missing.
    """
    for name in sorted({end for direction in directions for end in (direction[0], direction[-1])}):
        domain = saved.domains[name]
        if domain.dtype != "uint8" or domain.channels not in (1, 3):
            raise UserError(
                f"--format web has no way to show the images of {name}, which have {domain.channels} channels of"
                f" {domain.describe()}: pages have gray or RGB images of 8 bits. Use --format onnx or savedmodel."
            )
    loaded = web_runtime.load(runtime, has_gpu)
    onnx_graph.load_libraries()
    dataset = saved.images.dataset
    named = "" if dataset in UNNAMED else pathlib.Path(dataset).name
    words = domain_names.of(saved.images, saved.dual)
    return Web(loaded, pathlib.Path(run_dir).resolve().name, named, words, _canvases(saved))


def _canvases(saved: SavedRun) -> dict[str, dict[str, Any] | None]:
    """The canvas for drawings of each domain, in the colours of its validation images if the dataset is here."""
    read, _ = previews.of_run(saved.images, saved.dual, saved.domains)
    canvases = {}
    for name, domain in saved.domains.items():
        colours = previews.colours_of([previews.look(image, domain) for image in read[name]], domain)
        canvases[name] = canvas.of_domain(domain, saved.dual.image_sides, colours)
    return canvases


def sizes(folder: str | pathlib.Path) -> dict[str, int]:
    """Returns {part of an export: bytes}: the page, each network and the runtime."""
    folder = pathlib.Path(folder)
    of_page = [path for path in folder.iterdir() if path.suffix in (".html", ".js", ".css")]
    of_runtime = [folder / name for name in (web_page.SCRIPT, web_page.LOADER, web_page.BINARY)]
    parts = {
        "page": of_page,
        **{path.name: [path] for path in sorted(folder.glob("*.onnx"))},
        web_runtime.PACKAGE: of_runtime,
    }
    return {name: sum(path.stat().st_size for path in paths) for name, paths in parts.items()}
