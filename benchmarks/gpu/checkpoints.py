"""Checks that checkpoints saved on one device and restored on the other translate equally and resume."""

from __future__ import annotations

import pathlib
import tempfile

import imageio.v3 as imageio
import numpy as np

from benchmarks import arguments
from benchmarks.gpu.device import chosen
from benchmarks.gpu.training import trained
from common.translate import Inference, Translator

STEPS = 10


def main(device: str) -> None:
    """Prints a row for each order of devices."""
    device = chosen(device)
    folder = pathlib.Path(tempfile.mkdtemp())
    if device == "cpu":
        print("No GPU: using the CPU both times.\n")
    print("| saved on | restored on | translations differ by, of 255, at most | trained on to step |")
    print("|---|---|---|---|", flush=True)
    for saved, restored in ((device, "cpu"), ("cpu", device)):
        run = folder / saved.replace(":", "-")
        trained(run, saved, STEPS)
        image = imageio.imread(sorted((folder / "toy-64" / "val" / "A").iterdir())[0])
        translations = []
        for place in (saved, restored):
            with Translator(run, Inference(device=place)) as translator:
                translations.append(translator("A2B", image).astype(int))
        trained(run, restored, 2 * STEPS)
        with Translator(run, Inference(device=restored)) as translator:
            reached = translator.step
        difference = np.abs(translations[0] - translations[1]).max()
        print(f"| {saved} | {restored} | {difference} | {reached} |", flush=True)


if __name__ == "__main__":
    main(arguments.device("gpu.checkpoints", __doc__))
