"""Semi-supervised CycleGAN: a few pairs with equal names among many unpaired images.

python -m examples.semi_supervised --phase train --dataset sketch-photo

If an image of A has a partner of the same name in B, both are in the same batch, with the same crop and flip. The
translation of each is then compared with the other, in addition to CycleGAN's losses.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from common import tensorflow as tf
from common.dual import Cycle, Direction, Losses
from common.settings import setting
from cyclegan import CycleGAN
from flags import command


@dataclasses.dataclass(frozen=True)
class SemiSupervised(CycleGAN):
    """CycleGAN with an additional loss on the images that have pairs."""

    lambda_pairs: float = setting(
        10.0, "Weight of mean|fake - target|, taken as 0 for images without a partner.", minimum=0.0
    )

    pairing: ClassVar[str] = "some"

    def generator_losses(self, direction: Direction, cycle: Cycle) -> Losses:
        missed = tf.reduce_mean(tf.abs(direction.fake - direction.target), axis=[1, 2, 3])
        assert direction.matched is not None  # a training with this pairing has it
        matched = tf.cast(direction.matched, missed.dtype)
        pairs = tf.reduce_mean(matched * missed)
        return {**super().generator_losses(direction, cycle), "pairs": (self.lambda_pairs, pairs)}


if __name__ == "__main__":
    command.main(SemiSupervised)
