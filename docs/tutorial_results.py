"""Reads the results of the tutorial's runs, as text of its page."""

from __future__ import annotations

import csv
import json
import pathlib


def comparison(folder: pathlib.Path) -> str:
    """Returns a table of the scores of both runs."""
    own, tuned = (_scores(folder / run_dir) for run_dir in ("runs/rain", "runs/tuned"))
    scores = [
        ("input", own["input_psnr"], own["input_ssim"]),
        ("prior", own["prior_psnr"], own["prior_ssim"]),
        ("from random weights", own["psnr"], own["ssim"]),
        ("from pretrained weights", tuned["psnr"], tuned["ssim"]),
    ]
    best = [max(row[column] for row in scores) for column in (1, 2)]
    lines = ["| | PSNR | SSIM |", "|---|---|---|"]
    for name, psnr, ssim in scores:
        cells = (f"{psnr:.2f} dB", f"{ssim:.3f}")
        shown = (f"**{cell}**" if value == most else cell for cell, value, most in zip(cells, (psnr, ssim), best))
        lines.append(f"| {name} | {' | '.join(shown)} |")
    note = """\
These are scores of the validation images. The pretrained network was trained on four photographs of this page
(`astronaut`, `chelsea`, `coffee` and `rocket`), but not on `camera`, which is scored here."""
    return "\n".join([*lines, "", note])


def _scores(run_dir: pathlib.Path) -> dict[str, float]:
    return json.loads((run_dir / "test" / "metrics.json").read_text())["A2B"]


def edges(folder: pathlib.Path) -> str:
    """Returns the first and the last value of the new loss."""
    with open(folder / "runs/edges/log.csv", newline="") as file:
        logged = list(csv.DictReader(file))
    first, last = (float(logged[place]["B2A/generator/edges"]) for place in (0, -1))
    return (
        "The loss is a column of `runs/edges/log.csv`, and a curve of the report. It was"
        f" {first:.3f} at first, and {last:.3f} at the end."
    )
