"""Using a trained dual: one direction, on images of its own source alone."""

import dataclasses
import re
import sys

from common import settings
from common import tensorflow as tf
from common.errors import UserError
from common.ops import averages, precision, randomness
from common.run import Run
from common.run.session import refuse_device
from common.settings import FREE, override, setting

SIZE = r"[1-9]\d*(x[1-9]\d*)?"


@dataclasses.dataclass(frozen=True)
class Use:
    """How a trained run is used."""

    direction: str = setting("both", "The directions to walk.", ("both", "A2B", "B2A"), resume=FREE)
    weights: str = setting(
        "average",
        "Weights of the generators: their averages, if --ema_decay has kept any, or raw, as of the last update.",
        ("average", "raw"),
        resume=FREE,
    )
    checkpoint: str = setting(
        "latest", "Which checkpoint: latest, best (by --select_by), a step; of evaluate also all.", resume=FREE
    )
    scale_to: str = setting(
        "auto",
        "Size to translate at: keep: as it is, with mirrored edges if the networks ask for more; model: --image_size,"
        " that of training; or HEIGHTxWIDTH in pixels, or one number for both. auto: test: model; translate: keep, or"
        " model where networks have seen one size alone.",
        resume=FREE,
    )
    device: str = override(Run, "device", "auto")
    xla: bool = override(Run, "xla", False)
    n_samples: int = setting(
        1,
        "Translations of each image, each with noise of its own; those after the first go to A2B_2, A2B_3 and so on.",
        minimum=1,
        resume=FREE,
    )

    def __post_init__(self):
        settings.check(self)
        refuse_device(self.device)
        if self.checkpoint not in ("latest", "best", "all") and not self.checkpoint.isdecimal():
            raise UserError(f"--checkpoint {self.checkpoint} is none of: latest, best, all, or a step.")
        if self.scale_to not in ("auto", "keep", "model") and not re.fullmatch(SIZE, self.scale_to):
            raise UserError(f"--scale_to {self.scale_to} is no size: it is keep, model, 512, or HEIGHTxWIDTH.")

    def sized(self, dual):
        """`dual` for images of the size to translate at; raises UserError if its networks do not take it."""
        if self.scale_to in ("auto", "model"):
            return dual
        if not self.scale_to.isdecimal():
            raise UserError(
                f"--phase test scales to squares, and --scale_to {self.scale_to} is none: say 512, or model."
            )
        size = int(self.scale_to)
        if size % dual.multiple:
            near = max(dual.multiple, round(size / dual.multiple) * dual.multiple)
            raise UserError(
                f"--scale_to {size} does not fit these generators: {dual.multiple} must divide it."
                f" Use --scale_to {near}."
            )
        if size != dual.image_size:
            _warn_of_size(dual, size)
        return dataclasses.replace(dual, image_size=size, load_size=max(size, dual.load_size) if dual.load_size else 0)

    def scale(self, dual):
        """(height, width) that an image of any size is resized to before it is translated; None: it is not."""
        asked = {"auto": "keep" if dual.any_size else "model"}.get(self.scale_to, self.scale_to)
        if asked == "keep":
            _warn_of_size(dual, "their own size")
            return None
        found = (dual.image_size, dual.image_size)
        if asked != "model":
            height, _, width = asked.partition("x")
            found = int(height), int(width or height)
        if found != (dual.image_size, dual.image_size):
            _warn_of_size(dual, asked)
        return found

    def restored(self, dual, variables):
        """{name in a checkpoint: variable} of the weights that are asked for."""
        if dual.ema_decay and self.weights == "average":
            return averages.in_checkpoint(variables)
        return {variable.op.name: variable for variable in variables}


def _warn_of_size(dual, size):
    if not dual.any_size:
        print(
            f"warning: {type(dual).__name__} was trained at {dual.image_size} pixels, and its innermost map has"
            f" seen no other size; at {size} its images may be worse.",
            file=sys.stderr,
            flush=True,
        )


def connect(dual, name, images, index, sample=0):
    """(direction, cycle) of a trained dual on `images` [N, H, W, C] of one direction's source alone.

    `index`, int64 [N], numbers the images, and `sample` the translations of each; they key the
    noise, if `--test_dropout` asks for any.
    """
    source = name[0]
    channels = dual.channels_B if source == "A" else dual.channels_A
    images = precision.of_images(dual.precision, images)
    unused = tf.placeholder(images.dtype, [None, None, None, channels])  # of the other domain; never fed
    A, B = (images, unused) if source == "A" else (unused, images)

    def key(called):
        return _key(called, index, sample)

    pairs = dual.in_use().connect(A, B, key if dual.test_dropout else None)
    return next((direction, cycle) for direction, cycle in pairs if direction.name == name)


def translated(dual, name, images, index):
    """The fake that `connect` makes of `images`, [N, H, W, C], by the generator of that direction alone."""
    key = _key(f"{name}/fake", index) if dual.test_dropout else None
    return dual.in_use().network(name, "generator")(precision.of_images(dual.precision, images), key)


def _key(called, index, sample=0):
    return randomness.key(f"use/{sample}/{called}" if sample else f"use/{called}", 0, index)
