"""A server that stands in for a run: python -m tests.serving [--FIELD VALUE ...] of a Service.

Arguments, too, are `seconds`, which an image takes, `grace`, in which it ends, and `patience` with connections.

It inverts what A2B takes, and leaves what B2A takes as it is.
"""

import sys
import time
import types

import common.serve
from common.images.pixels import EIGHT_BITS, Domain
from common.serve import Service, app, connections, serve
from flags import messages

DEEP = Domain(3, "uint16", 0.0, 65535.0)


class Inverting:
    """What a Translator has, without networks."""

    run_dir, step = "runs/stand-in", 1234
    dual = types.SimpleNamespace(directions=("A2B", "B2A"))

    def __init__(self, seconds=0.0, deep=False):
        self._seconds, self._domains = seconds, {"A": EIGHT_BITS, "B": DEEP if deep else EIGHT_BITS}

    def source(self, direction):
        """The Domain of what it takes."""
        return self._domains[direction[0]]

    def target(self, direction):
        """The Domain of what it makes."""
        return self._domains[direction[-1]]

    def __call__(self, direction, image):
        time.sleep(self._seconds)
        if image.shape[:2] == (13, 13):
            raise RuntimeError("a secret of the server")
        if image.shape[:2] == (14, 14):
            raise MemoryError
        made = 255 - image if direction == "A2B" else image
        return made.astype("uint16") * 257 if self.target(direction) is DEEP else made


if __name__ == "__main__":
    messages.show()
    given = {name.removeprefix("--"): value for name, value in zip(sys.argv[1::2], sys.argv[2::2])}
    common.serve.GRACE = int(given.pop("grace", common.serve.GRACE))
    if patience := float(given.pop("patience", 0.0)):
        connections.IDLE = connections.STALLED = app.PATIENCE = patience
    stand_in = Inverting(float(given.pop("seconds", 0.0)))
    serve(stand_in, Service(**{name: value if name == "host" else int(value) for name, value in given.items()}))
