"""The canvas to draw images of a domain on."""

import pytest

from common.images import canvas
from common.images.colours import Colours
from common.images.pixels import Domain

COLOURS = Colours("#010203", ("#ff0000",), only=True)


@pytest.mark.parametrize(
    ("sides", "drawn"),
    [
        ((10, 20), (10, 20)),
        ((1024, 1024), (1024, 1024)),
        ((1025, 1), (1024, 1)),
        ((1, 5000), (1, 1024)),
        ((2048, 1000), (1024, 500)),
        ((900, 3072), (300, 1024)),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_canvas_has_the_sides_of_images_up_to_1024_pixels(sides, drawn, channels):
    assert canvas.of_domain(Domain(channels), sides, COLOURS) == {
        "height": drawn[0],
        "width": drawn[1],
        "background": "#010203",
        "colours": ("#ff0000",),
        "stored": None,
        "only": True,
        "is_drawn": False,
    }


@pytest.mark.parametrize("domain", [Domain(2), Domain(4), Domain(3, "uint16"), Domain(1, "float32", 0.0, 1.0)])
def test_other_images_cannot_be_drawn(domain):
    assert canvas.of_domain(domain, (10, 20), COLOURS) is None
