"""The first lines of a training: how often images are seen, and what is unusual."""

import pathlib

import pytest

from common.images.folders import Files
from common.run import Run
from common.train import introduction
from cyclegan import CycleGAN
from dualgan import DualGAN
from enhancement import Enhancement
from pix2pix import Pix2Pix
from tests import small


def files(A, B):
    return Files(*([pathlib.Path(str(number)) for number in range(count)] for count in (A, B)))


@pytest.mark.parametrize(
    "dual, batch_size, counts, processes, words",
    [
        ({}, 1, (100, 100), 1, "1 image of each domain (--batch_size 1): training sees each image 2.0 times."),
        ({}, 3, (400, 800), 1, "3 images of each domain (--batch_size 3): training sees each image of A 1.5 times, and"
            " 600 of the 800 images of B once."),
        ({"n_gen": 2}, 4, (300, 100), 5, "40 images of each domain (--batch_size 4 x 2 batches x 5 processes): training"
            " sees each image of A 26.7 times, and each image of B 80.0 times."),
        ({}, 1, (1000, 1000), 1, "training sees 200 of the 1,000 images of each domain once."),
    ],
)  # fmt: skip
def test_how_often_200_steps_see_an_image(dual, batch_size, counts, processes, words):
    run = Run("run", batch_size=batch_size, steps=200)
    assert words in introduction.how_often(small.dualgan(**dual), run, files(*counts), 200, processes)


@pytest.mark.parametrize(
    "dual, run, epochs, words",
    [
        (CycleGAN(), {"steps": 200}, 1.0, "--steps 200 does not shorten the schedule of the learning rates, which takes"
            " 200 epochs (--n_epochs 100 --n_epochs_decay 100)."),
        (Pix2Pix(lr_policy="linear_torch", n_epochs=3, n_epochs_decay=2), {"epochs": 4.5}, 4.5, "--epochs 4.5 does not"
            " shorten the schedule of the learning rates, which takes 5 epochs (--n_epochs 3 --n_epochs_decay 2)."),
        (Enhancement(n_epochs=240), {"epochs": 20}, 20.0, "takes 240 epochs (--n_epochs 240)."),
    ],
)  # fmt: skip
def test_a_training_shorter_than_the_schedule_says_so(dual, run, epochs, words):
    assert words in introduction.schedule(dual, Run("run", **run), epochs)


@pytest.mark.parametrize(
    "dual, epochs",
    [
        (CycleGAN(), 200.0),
        (CycleGAN(n_epochs_decay=0), 50.0),  # the rate does not change
        (Enhancement(n_epochs=240), 240.0),
        (DualGAN(), 1.0),  # constant
        (CycleGAN(lr_policy="step"), 1.0),  # without an end
    ],
)
def test_a_training_that_ends_with_its_schedule_or_has_none_says_nothing(dual, epochs):
    assert introduction.schedule(dual, Run("run", steps=200), epochs) == ""


def test_crops_that_show_little_of_an_image_are_mentioned():
    said = introduction.crops(CycleGAN(image_size=32))
    assert "--load_size 286, of which a crop of --image_size 32 shows at most 1.3%." in said  # (32 / 286) ** 2
    assert said.endswith("For crops of most of an image, use --load_size 36.")
    for usual in (CycleGAN(), CycleGAN(image_size=32, load_size=36), CycleGAN(image_size=32, preprocess="crop")):
        assert introduction.crops(usual) == ""
    assert introduction.crops(small.dualgan()) == ""
