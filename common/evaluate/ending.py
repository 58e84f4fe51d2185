"""A few scores at the end of a training, in a sentence for each direction."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from absl import logging

from common.dual import Dual
from common.errors import reason
from common.evaluate import evaluation
from common.evaluate.scores import Means
from common.images import Images, folders
from common.report import reading
from common.run import Run
from common.translate import Inference

PAIRS = 20  # are scored, unless the training evaluated its last step anyway
SHORTEST = 100  # steps of a training that is scored: a shorter one is a try
METRICS = {"psnr": ("PSNR", " dB", 1), "ssim": ("SSIM", "", 3)}  # their names, units and decimals in a sentence


def sentences(dual: Dual, images: Images, run: Run, step: int) -> list[str]:
    """Returns a sentence about each direction of a run that has validation pairs: its scores next to the input's.

    Those of `step` in evaluation.csv if the training evaluated it; otherwise scores the first PAIRS pairs. Returns none
    for a training below SHORTEST steps, and if the scores cannot be had, which is logged.
    """
    if step < SHORTEST or images.dir_A:
        return []
    evaluated = reading.series(run.path("evaluation.csv"))
    if step in evaluated.steps:
        row = {name: float(values[evaluated.steps == step][0]) for name, values in evaluated.columns.items()}
        return [text for name in dual.learned_directions if (text := sentence(name, _of_direction(row, name)))]
    try:
        means = _scored(dual, images, run)
    except Exception as error:  # the training is complete, even if TensorFlow lacks memory for a second graph
        logging.warning(f"The training is complete, but its validation pairs were not scored: {reason(error)}")
        return []
    return [text for name in dual.learned_directions if (text := sentence(name, means.get(name, {})))]


def sentence(direction: str, scores: Mapping[str, float | None]) -> str:
    """Returns "A2B, 20 validation images with a partner of the same name: PSNR 20.5 dB, ..."; empty without pairs."""
    parts = []
    for name, (title, unit, decimals) in METRICS.items():
        value, of_input = scores.get(name), scores.get(f"input_{name}")
        if value is not None:
            parts.append(f"{title} {value:.{decimals}f}{unit}" + _compared(value, of_input, unit, decimals))
    count = scores.get("images")
    images = "1 validation image" if count == 1 else f"{count or 0:,.0f} validation images"
    return f"{direction}, {images} with a partner of the same name: {'; '.join(parts)}." if parts else ""


def _compared(value: float, of_input: float | None, unit: str, decimals: int) -> str:
    """How a score, of which more is better, compares with that of the untouched input."""
    if of_input is None:
        return ""
    difference = round(value - of_input, decimals)
    if not difference:
        return ", like the input"
    return f", {abs(difference):.{decimals}f}{unit} {'better' if difference > 0 else 'worse'} than the input"


def _of_direction(row: Mapping[str, float], direction: str) -> dict[str, float | None]:
    """{metric: value} of a direction in a row of evaluation.csv; None for missing values."""
    columns = {name: value for name, value in row.items() if name.startswith(f"{direction}/")}
    return {name.partition("/")[2]: None if value != value else value for name, value in columns.items()}


def _scored(dual: Dual, images: Images, run: Run) -> dict[str, Means]:
    """The means of the newest checkpoint on the first PAIRS validation pairs; empty if there are none."""
    few = dataclasses.replace(images, limit=min(images.limit or PAIRS, PAIRS))
    A, B = (set(map(folders.stem, paths)) for paths in few.validation_files(dual))
    if not A & B:
        return {}
    inference = Inference(device=run.device, xla=run.xla, precise=run.precise)
    with evaluation.opened(run.run_dir, dual, few, inference, threads=run.threads) as trained:
        trained.restore("latest")
        return {graph.name: trained.score(graph)[1] for graph in trained.graphs}
