"""The steps of the tutorial: text, commands, and what its pictures show; docs/tutorial.py runs them."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

from PIL import Image

from docs.tutorial_pictures import opened, rows, spread
from docs.tutorial_results import comparison, edges

NEW = "rocket.jpg"
TESTED = "runs/rain/test/A2B"  # the translated validation images


class Settings(NamedTuple):
    """What decides how long the tutorial runs."""

    size: int = 128  # of squares, in pixels
    per_photograph: int = 12  # squares
    batch_size: int = 4
    model: str = ""  # flags of the networks
    first_epochs: int = 20
    epochs: int = 240
    tuning_epochs: int = 20


class Picture(NamedTuple):
    """A picture of the page."""

    name: str
    about: str
    caption: str
    draw: Callable[[pathlib.Path], Image.Image]  # from the folder that the commands ran in


class Step(NamedTuple):
    """A part of the page. Its commands run after its file is written."""

    text: str
    commands: Sequence[str] = ()
    title: str = ""
    file: str = ""
    code: str = ""
    pictures: Sequence[Picture] = ()
    after: Callable[[pathlib.Path], str] | None = None  # text that follows, from the folder that the commands ran in


HEAD = """\
# Tutorial

From a folder of photographs to a trained, evaluated and exported model that removes rain, in about ten minutes on two
cores. `make tutorial` runs every command on this page, and writes the page: all output, figures and pictures come from
one run. Long output is shortened, and progress lines are left out.

Run the commands in a clone of the repository, in its virtual environment:

    pip install -e '.[tutorial]'    # with ONNX, and scikit-image for its photographs"""

COLLECT = """\
import pathlib
import shutil

import skimage

data = pathlib.Path(skimage.__file__).parent / "data"
folders = {
    "photos": ("astronaut", "brick", "camera", "chelsea", "coffee", "grass", "gravel"),
    "new": ("rocket",),  # kept aside, to try the trained network
}
for folder, names in folders.items():
    pathlib.Path(folder).mkdir()
    for name in names:
        (path,) = data.glob(f"{name}.*")
        shutil.copy(path, folder)
"""

TERMS = """\
| photograph | author | terms |
|---|---|---|
| astronaut | NASA | public domain |
| brick, gravel | CC0Textures | CC0 1.0 |
| camera | Lav Varshney | CC0 1.0 |
| chelsea | Stefan van der Walt | CC0 1.0 |
| coffee | Rachel Michetti | CC0 1.0 |
| grass | linolafett | CC0 1.0 |
| rocket | SpaceX | public domain |

Sources are in the documentation of `skimage.data`."""

ONNX = """\
import imageio.v3 as imageio
import onnxruntime

session = onnxruntime.InferenceSession("onnx/A2B.onnx")
(clear,) = session.run(None, {"image": imageio.imread("rainy/rocket.jpg")[None]})
imageio.imwrite("clear-onnx.png", clear[0])
print(clear.shape, clear.dtype)
"""

EDGES = '''\
import dataclasses

from common import tensorflow as tf
from common.dual import losses
from common.settings import setting
from enhancement import Enhancement
from flags import command


@dataclasses.dataclass(frozen=True)
class Edges(Enhancement):
    """Enhancement that also compares edges."""

    lambda_edges: float = setting(0.1, "Weight of mean|edges(A2B(B2A(B))) - edges(B)|.", minimum=0.0)

    def generator_losses(self, direction, cycle):
        terms = super().generator_losses(direction, cycle)
        if cycle is not None:
            restored, clear = (tf.image.sobel_edges(images) for images in (cycle.reconstructed, direction.real))
            terms["edges"] = (self.lambda_edges, losses.l1(restored, clear))
        return terms


if __name__ == "__main__":
    command.main(Edges)
'''


LAST = Step(
    title="Where to go next",
    text="""\
- [Rain](../examples/recipes/derain.md): the same with real photographs and a longer training.
- [Choose a method](index.md#choose-a-method) for other tasks.
- [Training](training.md), [Evaluating](evaluating.md), [Exporting](exporting.md): all that these phases can do.
- [Extending](extending.md): a method of your own.""",
)


def steps(settings: Settings) -> list[Step]:
    """Returns the steps, in order."""
    return [
        *_data(settings),
        *_training(settings),
        *_use(),
        _pretrained(settings),
        *_export(),
        _own_loss(settings),
        LAST,
    ]


def _data(settings: Settings) -> list[Step]:
    return [
        Step(
            title="Photographs",
            text="Any folder of clear photographs will do. These come with scikit-image:",
            file="collect.py",
            code=COLLECT,
            commands=["python collect.py"],
            pictures=[
                Picture("photographs.jpg", "Seven photographs", "The photographs in `photos`.", _photographs),
            ],
            after=lambda folder: TERMS,
        ),
        Step(
            title="A dataset without pairs",
            text="""\
Training needs photographs with rain (A) and clear photographs of other scenes (B). If you have both, put them into
`datasets/rain/train/A` and `datasets/rain/train/B`, and skip this step; see [Your own data](data.md). These photographs
are all clear, so rain is drawn over some of them. They are split first: no photograph is in two folders. Only `val` has
pairs, for scoring. `--seed 23` puts `camera` there.""",
            commands=[
                "python -m benchmarks.scenes --input photos --output datasets/rain --kind rain"
                f" --size {settings.size} --per_photograph {settings.per_photograph} --seed 23"
            ],
            pictures=[
                Picture(
                    "dataset.jpg",
                    "Four squares with rain above four clear squares of other photographs",
                    "Above: four images of A. Below: four images of B.",
                    lambda folder: rows([spread(folder / "datasets/rain/train" / name, 4) for name in "AB"]),
                )
            ],
        ),
        Step(
            text="Look for problems before training:",
            commands=[f"python -m enhancement.main --phase check_data --dataset rain --image_size {settings.size}"],
        ),
    ]


def _training(settings: Settings) -> list[Step]:
    return [
        Step(
            title="Train",
            text=f"""\
`--n_epochs {settings.epochs}` is the length of the learning-rate schedule. `--epochs {settings.first_epochs}` stops
early, for a first look. Run `--phase plan` with the same flags to predict the time and the memory.""",
            commands=[
                "python -m enhancement.main --phase train --dataset rain --run_dir runs/rain"
                f" --image_size {settings.size} --batch_size {settings.batch_size}{settings.model}"
                f" --n_epochs {settings.epochs} --epochs {settings.first_epochs}"
            ],
            pictures=[_samples("first.jpg", "The first samples", "runs/rain")],
        ),
        Step(
            title="Resume",
            text="""\
Ctrl-C saves a checkpoint and stops; the same command resumes. All settings are in the run folder, so its name is
enough. Here, only the length changes:""",
            commands=[f"python -m enhancement.main --phase train --run_dir runs/rain --epochs {settings.epochs}"],
            pictures=[_samples("last.jpg", "The last samples", "runs/rain")],
            after=lambda folder: "Open `runs/rain/report.html` for the curves of the losses and all samples.",
        ),
    ]


def _use() -> list[Step]:
    return [
        Step(
            title="Test",
            text="""\
`test` translates the validation images and scores them. The column `input` is the score of the rainy image itself, and
`prior` that of a classical filter that learns nothing. `--phase evaluate` prints the same for other checkpoints, and
writes no images.""",
            commands=["python -m enhancement.main --phase test --run_dir runs/rain --direction A2B"],
            pictures=[
                Picture(
                    "test.jpg",
                    "Rainy squares, their translations, and the truth",
                    "Validation images. From above: input, output, truth.",
                    lambda folder: rows(
                        [spread(folder / name, 4) for name in ("datasets/rain/val/A", TESTED, "datasets/rain/val/B")]
                    ),
                )
            ],
        ),
        Step(
            title="Translate a new photograph",
            text="""\
The photograph of the rocket is not in the dataset, and larger than the training images. B2A draws rain over it, and A2B
removes rain:""",
            commands=[
                "python -m enhancement.main --phase translate --run_dir runs/rain --direction B2A --input new"
                " --output rainy",
                "python -m enhancement.main --phase translate --run_dir runs/rain --direction A2B --input rainy"
                " --output clear",
            ],
            pictures=[
                Picture(
                    "rocket.jpg",
                    "A photograph with rain, and the same after translation",
                    "Left: input. Right: output.",
                    lambda folder: rows([[folder / name / NEW for name in ("rainy", "clear")]]),
                )
            ],
            after=lambda folder: "Part of the rain is left. The next section shows how to remove more.",
        ),
    ]


def _pretrained(settings: Settings) -> Step:
    return Step(
        title="Start from a pretrained network",
        text="""\
Seven photographs are few. The toolkit includes a [network that was trained on 77](pretrained.md). Use it as it is
(`translate --pretrained rain`), or train it further on your images:""",
        commands=[
            "python -m enhancement.main --phase train --init_from pretrained:rain --dataset rain"
            f" --run_dir runs/tuned --image_size {settings.size} --batch_size {settings.batch_size} --lr_G 1e-4"
            f" --n_epochs {settings.tuning_epochs}",
            "python -m enhancement.main --phase test --run_dir runs/tuned --direction A2B",
            "python -m enhancement.main --phase translate --run_dir runs/tuned --direction A2B --input rainy"
            " --output clear-tuned",
        ],
        pictures=[
            Picture(
                "tuned.jpg",
                "The photograph with rain, after the first run, and after the second",
                "From the left: input, trained from random weights, trained from pretrained weights.",
                lambda folder: rows([[folder / name / NEW for name in ("rainy", "clear", "clear-tuned")]]),
            )
        ],
        after=comparison,
    )


def _export() -> list[Step]:
    return [
        Step(
            title="Export",
            text="The ONNX file runs without this toolkit. Every export is compared with the run:",
            commands=[
                "python -m enhancement.main --phase export --run_dir runs/tuned --format onnx --direction A2B"
                " --output onnx"
            ],
        ),
        Step(text="Use it with onnxruntime:", file="use_onnx.py", code=ONNX, commands=["python use_onnx.py"]),
    ]


def _own_loss(settings: Settings) -> Step:
    return Step(
        title="Add a loss of your own",
        text="""\
A method is a class, a setting is a field, and a loss is an entry of a dictionary. This file adds a loss to the
enhancement. Its class has all phases, and `--lambda_edges`:""",
        file="mine.py",
        code=EDGES,
        commands=[
            "python -m mine --phase train --dataset rain --run_dir runs/edges"
            f" --image_size {settings.size} --batch_size {settings.batch_size}{settings.model}"
            f" --n_epochs {settings.epochs} --epochs {settings.first_epochs}"
        ],
        after=edges,
    )


def _samples(name: str, about: str, run_dir: str) -> Picture:
    caption = (
        "The newest strip in `runs/rain/samples`. Left: rainy images and their translations. Right: clear images,"
        " with drawn rain, and with that rain removed."
    )
    return Picture(name, about, caption, lambda folder: opened(max((folder / run_dir / "samples").glob("*.png"))))


def _photographs(folder: pathlib.Path) -> Image.Image:
    paths = sorted((folder / "photos").iterdir())
    return rows([paths[:4], paths[4:]], 800)
