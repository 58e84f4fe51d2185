"""What the images of domains are called."""

import pytest

from common.images import Images, domain_names
from enhancement import Enhancement
from tests import small


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"dataset": "horse2zebra"}, ("horse", "zebra")),
        ({"dataset": "sets/summer2winter_yosemite"}, ("summer", "winter")),
        ({"dataset": "maps"}, ("aerial photographs", "maps")),
        ({"dataset": "day-night"}, ("day", "night")),
        ({"dataset": "toy"}, ("pencil drawings", "photographs")),
        ({"dataset": "facades", "data_root": "x"}, ("photographs of facades", "labels of facades")),
        ({"dataset": "cityscapes"}, ("photographs of streets", "labels of streets")),
        ({"dataset": "photos"}, None),
        ({"dataset": "my-photos"}, None),
        ({"dir_A": "x/sketches", "dir_B": "y/sketches"}, None),
        *(({"dir_A": f"x/{name}", "dir_B": "x/photos"}, None) for name in ("train", "images", "image_A", "TEST", "B")),
        *(({"dir_A": "x/photos", "dir_B": f"x/{name}"}, None) for name in ("val", "image", "testB", "train_b")),
        ({"dir_A": "x/training", "dir_B": "x/Bees"}, ("training", "Bees")),
        ({"dir_A": "x/sketches", "dir_B": "x/photos"}, ("sketches", "photos")),
        ({"dir_A": "x/trainA", "dir_B": "x/trainB"}, None),
        ({"dir_A": "x/train/A", "dir_B": "y/train/B"}, None),
    ],
)
def test_what_domains_are_called(settings, words):
    assert domain_names.of(Images(**settings), small.dualgan()) == words


def test_a_method_may_say_what_domains_are():
    images = Images(dir_A="x/wet", dir_B="x/dry")
    assert domain_names.of(images, Enhancement(layer="haze")) == ("hazy images", "clear images")
