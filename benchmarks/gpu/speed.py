"""Compares time and memory of steps and translations on a device, in each form, with PyTorch, interleaved.

float32 excludes TF32 on both sides. The most important comparisons come first, in case the time limit ends the part.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import os
from collections.abc import Sequence

from benchmarks import arguments
from benchmarks.contenders.forms import Form
from benchmarks.gpu.device import chosen
from benchmarks.speed import Contender, interleave, median, ratio

ROUNDS, SECONDS = 3, 0.7  # of a round of a contender


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A case in forms of the toolkit, compared with forms of a rival."""

    case: str
    forms: Sequence[str]
    rival: str
    rival_forms: Sequence[str]


RESNET = "cyclegan-resnet_9blocks-256"
COMPARISONS = (
    Comparison(f"{RESNET}-step", ("float32",), "pytorch", ("float32", "float32+channels_last")),
    Comparison(f"{RESNET}-step", ("tf32", "bf16"), "pytorch", ("tf32+channels_last", "bf16", "bf16+channels_last")),
    Comparison(f"{RESNET}-translate", ("float32", "tf32", "bf16"), "pytorch", ("tf32", "bf16+channels_last")),
    Comparison(f"{RESNET}-step-batch8", ("tf32", "bf16"), "pytorch", ("tf32+channels_last", "bf16+channels_last")),
    Comparison("pix2pix-unet_256-256-step", ("tf32", "bf16"), "pytorch", ("tf32", "bf16+channels_last")),
    Comparison("dualgan-256-step", ("tf32", "bf16"), "official", ()),
    Comparison(f"{RESNET}-translate-batch8", ("tf32", "bf16"), "pytorch", ("tf32", "bf16+channels_last")),
    Comparison(f"{RESNET}-step", ("tf32+compiled", "bf16+compiled"), "pytorch", ("tf32+compiled", "bf16+compiled")),
)
ON_CPU = (Comparison("cyclegan-resnet_6blocks-128-step", ("float32",), "pytorch", ("float32",)),)


def main(device: str) -> None:
    """Prints a row for each contender."""
    device = chosen(device)
    if device == "cpu":
        print("No GPU: one small comparison on the CPU, without the forms for GPUs.\n")
    if importlib.util.find_spec("torch") is None:
        print("PyTorch is not installed: measuring only the toolkit.\n")
    print("| case | contender | ms | memory MiB at most | first step after s | the toolkit's time / its |")
    print("|---|---|---|---|---|---|", flush=True)
    for comparison in ON_CPU if device == "cpu" else COMPARISONS:
        compare(comparison, device)


def compare(comparison: Comparison, device: str) -> None:
    """Prints the rows of a comparison; the ratio is to the toolkit's own form of equal precision."""
    own = [_contender("toolkit", comparison.case, form, device) for form in comparison.forms]
    rivals = []
    if comparison.rival != "pytorch" or importlib.util.find_spec("torch"):
        forms = comparison.rival_forms or ("float32",)
        rivals = [_contender(comparison.rival, comparison.case, form, device) for form in forms]
    contenders = [contender for contender in (*own, *rivals) if contender]
    interleave(contenders, ROUNDS, [SECONDS] * len(contenders))
    for contender in contenders:
        alike = [other for other in own if other and other.form.precision == contender.form.precision]
        compared = f"{ratio(alike[0], contender, 'wall'):.2f}" if alike and contender not in own else ""
        print(
            f"| {comparison.case} | {contender.name} | {1e3 * median(contender, 'wall'):.1f} | {contender.peak:,.0f} |"
            f" {contender.started:.1f} | {compared} |",
            flush=True,
        )


def _contender(name: str, case: str, form: str, device: str) -> Contender | None:
    """Starts a contender; returns None and prints the reason if it fails."""
    try:
        return Contender(name, case, threads=os.cpu_count() or 1, form=Form.named(form), device=device)
    except SystemExit as error:
        print(f"| {case} | {name} {form} | failed: {error} | | | |", flush=True)
        return None


if __name__ == "__main__":
    main(arguments.device("gpu.speed", __doc__))
