"""What notebooks show of runs: a summary of one, and the report in a frame."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Iterable

from common.errors import UserError
from common.report import overview, pictures, reading
from common.report.reading import AnyPath

SCORES = 4  # of a direction, in a summary
MUTED = "opacity: 0.7; padding: 0 16px 0 0; text-align: left; font-weight: normal"
PLAIN = "text-align: left"


@dataclasses.dataclass(frozen=True)
class Shown:
    """A page that notebooks show in a frame of some height in pixels; its scripts cannot reach the notebook."""

    page: str = dataclasses.field(repr=False)
    height: int

    def _repr_html_(self) -> str:
        return (
            f'<iframe srcdoc="{html.escape(self.page)}" sandbox="allow-scripts" title="report"'
            f' style="width: 100%; height: {self.height}px; border: 0"></iframe>'
        )


def summary(run_dir: AnyPath, more: Iterable[tuple[str, str]] = ()) -> str | None:
    """Returns HTML about a run: title, facts, scores and its newest samples; None if it is not a run folder.

    `more`: further (name, value). Uses the colours of the notebook, and no scripts.
    """
    try:
        title = overview.title(reading.config(run_dir))
    except UserError:
        return None
    facts = [("run", overview.name(run_dir)), *overview.facts(run_dir), *more, *_scores(run_dir)]
    rows = "".join(
        f'<tr><th style="{MUTED}">{html.escape(name)}</th><td style="{PLAIN}">{html.escape(value)}</td></tr>'
        for name, value in facts
    )
    return f"<div><strong>{html.escape(title)}</strong><table>{rows}</table>{_newest(run_dir)}</div>"


def _scores(run_dir: AnyPath) -> list[tuple[str, str]]:
    """[("A2B peak signal-to-noise ratio (PSNR)", "20.5 dB, input 8.9")] of the last test."""
    facts: list[tuple[str, str]] = []
    counts: dict[str, int] = {}
    for score in overview.scores(run_dir):
        direction = score["direction"]
        counts[direction] = counts.get(direction, 0) + 1
        if counts[direction] <= SCORES:
            value = " ".join(filter(None, [f"{score['value']:.4g}", score["unit"]]))
            of_input = "" if score["input"] is None else f", input {score['input']:.4g}"
            facts.append((f"{direction} {score['title']}", value + of_input))
    return facts


def _newest(run_dir: AnyPath) -> str:
    """The newest sample strip as an element, or nothing."""
    for step, path in reversed(reading.strips(run_dir)):
        if strip := pictures.strip(path):
            source = f"data:image/webp;base64,{strip.webp}"
            return f'<img src="{source}" alt="Samples of step {step:,}" style="max-width: min(100%, {strip.width}px)">'
    return ""
