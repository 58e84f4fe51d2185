"""The maps inside a generator, by the number of their layer."""

from __future__ import annotations

from collections.abc import Sequence

from common import tensorflow as tf
from common.ops.layers import INERT, TRAINED


class Maps:
    """The outputs of the layers `numbers` of a network, which fills it as it is built."""

    def __init__(self, numbers: Sequence[int] = ()) -> None:
        self.numbers = tuple(numbers)
        self._maps: dict[int, tf.Tensor] = {}

    def __contains__(self, number: int) -> bool:
        return number in self.numbers

    def keep(self, number: int, x: tf.Tensor) -> None:
        """Keeps the output `x` of a layer, if it is one of the numbers."""
        if number in self:
            self._maps[number] = x

    def bias(self, number: int, kind: str) -> str:
        """Returns the kind of bias of convolution `number`, which is inert only if nothing but a norm sees its map."""
        return TRAINED if number in self and kind == INERT else kind

    def in_order(self) -> list[tf.Tensor]:
        """Returns the maps [N, H, W, C], each of its own sides, in the order of the numbers."""
        return [self._maps[number] for number in self.numbers]
