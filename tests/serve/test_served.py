"""Runs that a server has loaded."""

import types

import numpy as np

from common.images.pixels import Domain
from common.serve import served


def test_a_first_translation_in_each_direction_before_requests():
    sources, translated = {"A2B": Domain(3), "B2A": Domain(1, "uint16")}, []
    dual = types.SimpleNamespace(directions=("A2B", "B2A"))

    class StandIn:
        def __init__(self):
            self.dual, self.source = dual, sources.__getitem__

        def __call__(self, direction, image):
            translated.append((direction, image.shape, image.dtype))

    translator = StandIn()
    assert served.warmed(translator, (8, 12)) is translator
    assert translated == [("A2B", (8, 12, 3), np.uint8), ("B2A", (8, 12, 1), np.uint16)]
