"""A server that stands in for a run: python -m tests.serving [--FIELD VALUE ...] of a Service.

Arguments, too, are `seconds`, which an image takes, `grace`, in which it ends, `patience` with connections, `deep` for
16 bits in B, `labels` for label maps in A, `examples`, a number of them, `report_of`, a run folder, and `twice` for a
second run, which leaves images as they are.

It inverts what A2B takes, and leaves what B2A takes as it is.
"""

import sys
import time

import numpy as np

import common.serve
from common.images.classes import Classes
from common.images.pixels import EIGHT_BITS, Domain
from common.serve import Served, Service, connections, guard, serve, validation
from common.serve.about import About
from flags import messages

DEEP = Domain(3, "uint16", 0.0, 65535.0)
COLOURS = np.array([(250, 250, 240), (200, 30, 30), (30, 90, 200)], np.uint8)
LABELS = Domain(1, classes=Classes.of(np.arange(3, dtype=np.uint8)[:, None], COLOURS))
EXAMPLES = [np.full([60, 80, 3], colour, np.uint8) for colour in ((250, 120, 30), (10, 200, 90))]


class Inverting:
    """What a Translator has, without networks."""

    step = 1234
    directions = ("A2B", "B2A")

    def __init__(self, seconds=0.0, deep=False, inverts=True, labels=False):
        self._seconds = seconds
        self.domains = {"A": LABELS if labels else EIGHT_BITS, "B": DEEP if deep else EIGHT_BITS}
        self._inverts = inverts

    def source(self, direction):
        """The Domain of what it takes."""
        return self.domains[direction[0]]

    def target(self, direction):
        """The Domain of what it makes."""
        return self.domains[direction[-1]]

    def __call__(self, direction, image):
        time.sleep(self._seconds)
        if image.shape[:2] == (13, 13):
            raise RuntimeError("a secret of the server")
        if image.shape[:2] == (14, 14):
            raise MemoryError
        if self.source(direction) is LABELS:
            return np.repeat(100 * image, 3, axis=-1)
        made = 255 - image if direction == "A2B" and self._inverts else image
        return made.astype("uint16") * 257 if self.target(direction) is DEEP else made

    def close(self):
        """Has nothing to close."""


def stand_in(translator=None, run_dir="runs/stand-in", examples=0, has_report=False):
    """A run whose Translator is an Inverting."""
    translator = translator or Inverting()
    shown = {domain: validation.of_images([], each, 0) for domain, each in translator.domains.items()}
    if examples:
        shown["A"] = validation.of_images(EXAMPLES, EIGHT_BITS, examples)
    about = About(
        "Inverting", translator.directions, translator.domains, (48, 64), validation=shown, has_report=has_report
    )
    return Served(run_dir, about, lambda: translator)


if __name__ == "__main__":
    messages.show()
    given = {name.removeprefix("--"): value for name, value in zip(sys.argv[1::2], sys.argv[2::2])}
    common.serve.GRACE = int(given.pop("grace", common.serve.GRACE))
    if patience := float(given.pop("patience", 0.0)):
        connections.IDLE = connections.STALLED = guard.PATIENCE = patience
    seconds = float(given.pop("seconds", 0.0))
    deep, labels, twice, examples = (int(given.pop(name, 0)) for name in ("deep", "labels", "twice", "examples"))
    run_dir, texts = given.pop("report_of", ""), ("host", "report")
    translator = Inverting(seconds, bool(deep), labels=bool(labels))
    runs = [stand_in(translator, run_dir or "runs/stand-in", examples, has_report=bool(run_dir))]
    if twice:
        runs.append(stand_in(Inverting(seconds, inverts=False), "runs/other"))
    serve(runs, Service(**{name: value if name in texts else int(value) for name, value in given.items()}))
