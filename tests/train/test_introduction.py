"""The first lines of a training: how often images are seen, and what is unusual."""

import pathlib
import types

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
        ({}, 1, (200, 201), 1, "training sees each image of A 1.0 times, and 200 of the 201 images of B once."),
        ({}, 3, (400, 400), 2, "6 images of each domain (--batch_size 3 x 2 processes): training"),
    ],
)  # fmt: skip
def test_how_often_200_steps_see_an_image(dual, batch_size, counts, processes, words):
    run = Run("run", batch_size=batch_size, steps=200)
    assert words in introduction.how_often(small.dualgan(**dual), run, files(*counts), 200, processes)


def test_batches_in_turn_are_a_factor_of_the_images_of_a_step():
    run = Run("run", batch_size=3, accumulate=2, steps=200)
    words = (
        "A step reads 6 images of each domain (--batch_size 3 x --accumulate 2): training sees each image 12.0 times."
    )
    assert introduction.how_often(small.dualgan(), run, files(100, 100), 200, 1) == words


@pytest.fixture
def first_lines(monkeypatch):
    """A function to the first lines of a training of a Gain; 100 images of A, 1,200 of B."""

    def lines(kinds=("CPU",), *, done=0, total=300, processes=1, gpu=False, device="auto", batch_size=2, **fields):
        monkeypatch.setattr(introduction.gpu, "is_there", lambda: gpu)
        monkeypatch.setattr(introduction.gpu, "missing", lambda: "Do this.")
        devices = [types.SimpleNamespace(device_type=kind) for kind in kinds]
        training = types.SimpleNamespace(
            dual=small.Gain(**fields),
            run=Run("runs/one", steps=total, batch_size=batch_size, device=device),
            data=types.SimpleNamespace(files=files(100, 1200), images_in_epoch=1200),
            group=types.SimpleNamespace(size=processes),
            session=types.SimpleNamespace(list_devices=lambda: devices),
            images=types.SimpleNamespace(name="apples"),
        )
        return introduction.lines(training, done, total)

    return lines


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "300 steps (0.5 epochs) on the CPU, into runs/one."),  # 600 of 1,200 images
        ({"kinds": ("CPU", "GPU")}, "300 steps (0.5 epochs) on 1 GPU, into runs/one."),
        ({"kinds": ("GPU", "CPU", "GPU")}, "300 steps (0.5 epochs) on 2 GPU, into runs/one."),
        ({"processes": 2}, "300 steps (1.0 epochs) on the CPU, by 2 processes, into runs/one."),
        ({"total": 6000, "n_critic": 3}, "6,000 steps (30.0 epochs) on the CPU, into runs/one."),
    ],
)
def test_the_first_line_has_the_images_the_length_and_the_place(first_lines, options, words):
    assert first_lines(**options)[0] == f"Gain on apples: 100 images of A, 1,200 of B; {words}"


def test_a_resumed_training_says_from_where_and_nothing_of_crops(first_lines):
    """Of 16 pixels a crop of 4 shows a sixteenth."""
    small_crops = {"image_size": 4, "load_size": 16}
    begun, resumed = first_lines(**small_crops), first_lines(**small_crops, done=1234, total=2000)
    assert begun[-1].startswith("Images are resized to --load_size 16") and len(begun) == 3
    assert resumed[-1] == "Resuming from step 1,234." and len(resumed) == 3


GRAY = "The identity loss is off: A and B have different channels."


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"lambda_identity": 0.5, "channels_B": 1}, [GRAY]),
        ({"lambda_identity": 0.5}, []),
        ({"channels_B": 1, "lambda_identity": 0.0}, []),
        ({"gpu": True}, ["There is a GPU, but TensorFlow does not find it. Do this."]),
        ({"gpu": True, "device": "cpu"}, []),
        ({"gpu": True, "kinds": ("GPU",)}, []),
    ],
)
def test_what_is_unusual_is_said(first_lines, options, said):
    assert first_lines(**options)[2:] == said


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
    assert "at most 25.0%." in introduction.crops(CycleGAN(image_size=32, load_size=64))
    assert introduction.crops(CycleGAN(image_size=32, load_size=63)) == ""  # more than a quarter
    for usual in (CycleGAN(), CycleGAN(image_size=32, load_size=36), CycleGAN(image_size=32, preprocess="crop")):
        assert introduction.crops(usual) == ""
    assert introduction.crops(small.dualgan()) == ""
