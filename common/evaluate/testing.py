"""Testing: translates every validation image both ways (the cycle) and scores it."""

from __future__ import annotations

import functools
import json
import pathlib
import shutil
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from common import atomic, report
from common.dual import Dual
from common.errors import UserError
from common.evaluate import evaluation, outputs, scores, walk
from common.evaluate.scores import Means, Row
from common.evaluate.walk import EvaluationGraph, Walked
from common.images import Images, files
from common.translate import Inference

Metrics: TypeAlias = dict[str, Any]  # the content of metrics.json: step, images, and the Means of each direction


def test(
    run_dir: str,
    dual: Dual,
    images: Images,
    inference: Inference | None = None,
    *,
    batch_size: int = 1,
    threads: int | None = None,
    output: str = "",
) -> Metrics:
    """Translates every validation image of `images` with a checkpoint of a run.

    Writes test/A2B, test/A2B2A, test/B2A and test/B2A2B below `run_dir`, and the inputs to test/A and test/B, in the
    size of the model or that of `inference`, each image as its stem and .png, or .tif if PNG cannot store it. Also
    writes metrics.csv (a row per image) and metrics.json (means), including those of the unchanged input for pairs.
    With `output`, a new or empty folder, writes there instead of test/, and nothing to `run_dir`. Returns the content
    of metrics.json. Raises UserError if there is nothing to test, or the folder cannot be written to.
    """
    inference, folder = inference or Inference(), outputs.of_test(run_dir, output)
    with evaluation.opened(run_dir, dual, images, inference, batch_size=batch_size, threads=threads) as trained:
        for graph in trained.graphs:
            _refuse_equal_stems(graph.source.paths)
        is_drawn = any(graph.name not in trained.dual.learned_directions for graph in trained.graphs)
        if inference.n_samples > 1 and not trained.dual.noisy and not is_drawn:
            raise UserError(
                f"--n_samples {inference.n_samples} would give equal images: this run draws no noise at inference"
                f" (--test_dropout {str(trained.dual.test_dropout).lower()}, --dropout"
                f" {trained.dual.dropout_rate:g}). Use --n_samples 1."
            )
        step = trained.restore(inference.checkpoint)
        _remove_earlier(folder, trained.graphs)
        rows: list[Row] = []
        means: dict[str, Means] = {}
        for graph in trained.graphs:
            of_direction, means[graph.name] = trained.score(graph, keep=functools.partial(_write, folder, graph))
            rows += of_direction
    content = _report(folder, step, rows, means)
    if not output:
        report.write(run_dir)
    return content


def _write(folder: pathlib.Path, graph: EvaluationGraph, walked: Walked) -> None:
    for name, image in walked.images.items():
        files.write(folder / name / f"{walked.path.stem}{files.suffix_for(graph.domain(name))}", image)


def _report(folder: pathlib.Path, step: int, rows: Sequence[Row], means: Mapping[str, Means]) -> Metrics:
    """Writes metrics.csv and metrics.json; returns the content of the latter."""
    paired = sum(values["images"] or 0 for values in means.values())
    content = {"step": step, "images": paired, **means}
    folder.mkdir(parents=True, exist_ok=True)
    atomic.write_text(folder / "metrics.csv", scores.table(rows))
    atomic.write_text(folder / "metrics.json", json.dumps(content, indent=2) + "\n")
    return content


def _remove_earlier(folder: pathlib.Path, graphs: Iterable[EvaluationGraph]) -> None:
    """Removes the images and the scores of an earlier test of the same directions."""
    for graph in graphs:
        of_samples = (path.name for path in folder.glob(f"{graph.name}_*"))
        for written in (graph.name, graph.name[0], walk.BACK[graph.name], *of_samples):
            shutil.rmtree(folder / written, ignore_errors=True)
    for name in ("metrics.csv", "metrics.json"):
        (folder / name).unlink(missing_ok=True)


def _refuse_equal_stems(paths: Iterable[pathlib.Path]) -> None:
    first: dict[str, pathlib.Path] = {}
    for path in paths:
        if (other := first.setdefault(path.stem, path)) is not path:
            raise UserError(f"{path} and {other} would both be written as {path.stem}. Rename one of them.")
