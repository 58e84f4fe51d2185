"""Inference with a trained dual: one direction, fed only with images of its source domain."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable

from absl import logging

from common import settings, sizes
from common import tensorflow as tf
from common.dual import Cycle, Direction, Dual
from common.dual.direction import only
from common.errors import UserError
from common.ops import averages, gradients, precision, randomness
from common.run import Run
from common.run.session import refuse_device
from common.settings import FREE, override, setting
from common.translate import mirrored

SIZE = r"[1-9]\d*(x[1-9]\d*)?"


@dataclasses.dataclass(frozen=True)
class Inference:
    """Weights, directions and size of inference with a trained run."""

    direction: str = setting("both", "Directions to translate.", ("both", "A2B", "B2A"), resume=FREE)
    weights: str = setting(
        "average",
        "Weights of the generators. average: the moving averages, if the run keeps them (--ema_decay); raw: those"
        " of the last update.",
        ("average", "raw"),
        resume=FREE,
    )
    checkpoint: str = setting("latest", "latest; best, by --select_by; or the step of a checkpoint.", resume=FREE)
    scale_to: str = setting(
        "auto",
        "Size to translate at. keep: the image's own, with mirrored edges where the network needs them; model:"
        " --image_size; or HEIGHTxWIDTH in pixels, or one number for both. auto: keep, or model if the networks only"
        " work at their training size.",
        resume=FREE,
    )
    device: str = override(Run, "device", "auto")
    xla: bool = override(Run, "xla", False)
    precise: bool = override(Run, "precise", False)
    n_samples: int = setting(
        1,
        "Translations of each image, each with its own noise; those after the first are written to A2B_2, A2B_3"
        " and so on.",
        minimum=1,
        resume=FREE,
    )

    self_ensemble: int = setting(
        1,
        "Number of mirrored copies of an image whose translations are averaged: 1, 2 (left-right) or 4 (also"
        " top-bottom). Takes as many times as long.",
        mirrored.COPIES,
        resume=FREE,
    )

    def __post_init__(self) -> None:
        settings.check(self)
        refuse_device(self.device)
        if self.checkpoint not in ("latest", "best", "all") and not self.checkpoint.isdecimal():
            raise UserError(f"--checkpoint {self.checkpoint} is not valid: must be one of latest, best, all or a step.")
        if self.scale_to not in ("auto", "keep", "model") and not re.fullmatch(SIZE, self.scale_to):
            raise UserError(
                f"--scale_to {self.scale_to} is not a valid size: must be keep, model, a number of pixels such as 512,"
                " or HEIGHTxWIDTH."
            )

    def sized(self, dual: Dual) -> Dual:
        """Returns `dual` for images of the size to translate at; raises UserError if it does not fit the networks."""
        if self.scale_to in ("auto", "model"):
            return dual
        if self.scale_to == "keep":
            raise UserError("--phase test scales images to one size: use --scale_to 512, 512x256 or model.")
        size = sizes.parse(self.scale_to)
        if not sizes.fits(size, dual.multiple):
            raise UserError(
                f"--scale_to {size} does not fit these generators: {dual.multiple} must divide its sides."
                f" Use --scale_to {sizes.nearest(size, dual.multiple)}."
            )
        if size != dual.image_size:
            _warn_of_size(dual, size)
        try:
            return dataclasses.replace(dual, image_size=size, load_size=0)
        except UserError as error:
            raise UserError(str(error).replace("--image_size", "--scale_to")) from error

    def scale(self, dual: Dual) -> tuple[int, int] | None:
        """Returns the (height, width) to which images are resized before translation; None: no resizing."""
        size = {"auto": "keep" if dual.any_size else "model"}.get(self.scale_to, self.scale_to)
        if size == "keep":
            _warn_of_size(dual, "their own size")
            return None
        sides = dual.image_sides if size == "model" else sizes.sides(sizes.parse(size))
        if sides != dual.image_sides:
            _warn_of_size(dual, size)
        return sides

    def directions(self, dual: Dual) -> tuple[str, ...]:
        """The directions that --direction selects; raises UserError if `dual` does not have it."""
        if self.direction != "both" and self.direction not in dual.directions:
            raise UserError(f"This run has no direction {self.direction}, only {' and '.join(dual.directions)}.")
        return dual.directions if self.direction == "both" else (self.direction,)

    def restored(self, dual: Dual, variables: Iterable[tf.Variable]) -> dict[str, tf.Variable]:
        """Returns {name in a checkpoint: variable} of the weights that the settings select."""
        if dual.ema_decay and self.weights == "average":
            return averages.in_checkpoint(variables)
        return {variable.op.name: variable for variable in variables}


def _warn_of_size(dual: Dual, size: int | str) -> None:
    if not dual.any_size:
        logging.warning(
            f"warning: {type(dual).__name__} was trained at {dual.image_size} pixels, and its innermost feature map has"
            f" seen no other size; quality may drop at {size}."
        )


def connect(
    dual: Dual, name: str, images: tf.Tensor, index: tf.Tensor, sample: int = 0
) -> tuple[Direction, Cycle | None]:
    """Returns (direction, cycle) of a trained dual, fed only with `images` [N, H, W, C] of the direction's source.

    `index`, int64 [N], numbers the images, and `sample` the translations of each. They key the noise of
    `--test_dropout`, and what a direction draws that is not learned.
    """
    source = name[0]
    channels = dual.channels_B if source == "A" else dual.channels_A
    images = precision.cast_images(dual.precision, images)
    unused = tf.placeholder(images.dtype, [None, None, None, channels])  # of the other domain, never fed
    A, B = (images, unused) if source == "A" else (unused, images)

    def key(drawn: str) -> tf.Tensor:
        return _key(drawn, index, sample)

    with only(name), gradients.derived():
        pairs = dual.in_use().connect(A, B, key if draws(dual, name) else None)
    return next((direction, cycle) for direction, cycle in pairs if direction.name == name)


def generator(dual: Dual, name: str, self_ensemble: int = 1) -> Callable[[tf.Tensor, tf.Tensor | None], tf.Tensor]:
    """The generator of a direction, (images, key) -> images, with self-ensemble unless it draws at random."""
    network = dual.in_use().network(name, "generator")
    averaged = mirrored.averaged(network, self_ensemble if name in dual.learned_directions else 1)

    def generate(images: tf.Tensor, key: tf.Tensor | None) -> tf.Tensor:
        with gradients.derived():
            return averaged(images, key)

    return generate


def translated(
    dual: Dual, name: str, images: tf.Tensor, index: tf.Tensor, *, self_ensemble: int = 1, sample: int = 0
) -> tf.Tensor:
    """Returns the fake that `connect` makes of `images` [N, H, W, C], building only the generator of the direction."""
    key = _key(f"{name}/fake", index, sample) if draws(dual, name) else None
    return generator(dual, name, self_ensemble)(precision.cast_images(dual.precision, images), key)


def draws(dual: Dual, name: str) -> bool:
    """Returns whether a direction may draw at random at inference: by dropout, or because it is not learned."""
    return dual.test_dropout or name not in dual.learned_directions


def _key(drawn: str, index: tf.Tensor, sample: int = 0) -> tf.Tensor:
    """Returns the key [N, 2] of the draws named `drawn`, for images numbered by `index`; see randomness."""
    return randomness.key(f"use/{sample}/{drawn}" if sample else f"use/{drawn}", 0, index)
