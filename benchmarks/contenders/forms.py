"""The configuration of a contender: precision, compiler, and order of channels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

PRECISIONS = ("float32", "tf32", "bf16")  # tf32: of GPUs, float32 multiplied with 10 bits of mantissa


class Form(NamedTuple):
    """One configuration."""

    precision: str = "float32"
    compiled: bool = False  # by XLA, or by torch.compile
    channels_last: bool = False  # of PyTorch; TensorFlow has them last, and its optimizer changes that for GPUs

    @classmethod
    def named(cls, name: str) -> Form:
        """Returns the form of a name such as bf16+compiled+channels_last; raises ValueError if it is unknown."""
        precision, *options = name.split("+")
        if precision not in PRECISIONS or not set(options) <= {"compiled", "channels_last"}:
            raise ValueError(
                f"{name!r} is not a valid form: it must be one of {', '.join(PRECISIONS)}, +compiled, +channels_last"
            )
        return cls(precision, "compiled" in options, "channels_last" in options)

    @property
    def name(self) -> str:
        """Returns its name."""
        options = ("compiled", "channels_last")
        return "+".join([self.precision, *(option for option in options if getattr(self, option))])

    @property
    def environment(self) -> Mapping[str, str]:
        """Returns the environment variables of its process, as NVIDIA's libraries use TF32 by default."""
        return {"NVIDIA_TF32_OVERRIDE": "0"} if self.precision == "float32" else {}
