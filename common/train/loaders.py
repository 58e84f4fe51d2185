"""The images that a training looks at beside those that it learns from: for sample strips and for evaluations."""

from __future__ import annotations

from common.dual import Dual
from common.errors import UserError
from common.images import Images, folders
from common.images.data import TrainingData
from common.images.folders import Files
from common.images.pipeline import Loader
from common.images.pixels import Domain
from common.train import samples


def of_validation(dual: Dual, images: Images, domains: dict[str, Domain]) -> dict[str, Loader]:
    """Returns {"A": Loader, "B": Loader} of the validation images; raises UserError if a domain has none."""
    files = images.validation_files(dual, domains)
    if not (files.A and files.B):
        raise UserError(
            f"--eval_every needs validation images of both domains, but {images.name} has {len(files.A)} of A and"
            f" {len(files.B)} of B. Add them, or leave out --eval_every."
        )
    return dict(zip("AB", images.loaders(dual, files, domains)))


def of_samples(dual: Dual, images: Images, data: TrainingData) -> list[Loader]:
    """Returns loaders of the few images in the strips: validation images, or training images if there are none."""
    validation = images.validation_files(dual, data.domains)
    if dual.pairing == "all":
        validation, _ = folders.pair(validation)
    shown = Files(*(samples.chosen(val or train) for val, train in zip(validation, data.files)))
    return images.loaders(dual, shown, data.domains)
