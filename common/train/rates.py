"""Learning rates: watchers of rates that are 0 or far too high, and advice to lower them."""

from __future__ import annotations

import dataclasses
from typing import Any

from common.dual import Dual
from common.train.watching import Row

HIGH = 100  # times the default of a method, above which a learning rate rarely trains anything


class LearningRateZero:
    """The learning rate of a role is 0 while steps remain."""

    def __init__(self, role: str, dual: Dual) -> None:
        self.name, self._role, self._dual = f"{role}/learning rate zero", role, dual
        self._is_trained = role == "generator" or bool(dual.criticized_directions)

    def __call__(self, row: Row) -> str | None:
        if not self._is_trained or row.values.get(f"learning_rate/{self._role}", 1.0) > 0.0 or not row.left:
            return None
        text = f"at step {row.step:,} the learning rate of the {self._role}s is 0"
        flag = "lr_G" if self._role == "generator" else "lr_D"
        if not getattr(self._dual, flag):
            cure = f"It was set by --{flag} 0: start again in a different --run_dir with a rate above 0."
        elif self._dual.lr_policy == "cosine":
            return (
                f"{text}, and rises again from the next epoch on (--lr_policy cosine). Stop training here, or start"
                " again in a different --run_dir with more --n_epochs."
            )
        elif self._dual.lr_policy == "plateau":
            cure = "--plateau_factor brought it down: start again in a different --run_dir with a larger one."
        else:
            cure = (
                "The schedule has ended: stop training here, or start again in a different --run_dir with more"
                " --n_epochs or --n_epochs_decay."
            )
        return f"{text}, so they learn nothing in the {row.left:,} remaining steps. {cure}"


class HighLearningRate:
    """The learning rate of a role is above HIGH times the default of the method."""

    def __init__(self, role: str, dual: Dual) -> None:
        flag = "lr_G" if role == "generator" else "lr_D"
        self.name, self._role, self._flag, self._method = f"{role}/high learning rate", role, flag, type(dual).__name__
        self._default = default_rate(dual, flag)
        self._is_trained = role == "generator" or bool(dual.criticized_directions)

    def __call__(self, row: Row) -> str | None:
        rate = row.values.get(f"learning_rate/{self._role}", 0.0)
        if not self._is_trained or rate <= HIGH * self._default:
            return None
        return (
            f"at step {row.step:,} the learning rate of the {self._role}s is {rate:g}, {rate / self._default:,.0f}"
            f" times the default of {self._method}, {self._default:g}: weights rarely survive that. If samples/ show"
            f" one colour or noise, start again in a different --run_dir with a lower --{self._flag}."
        )


def lower_rates(dual: Dual) -> str:
    """Returns advice to lower the learning rates of `dual` that are above their defaults; if none is, all of them."""
    rates = {flag: getattr(dual, flag) for flag in ("lr_G", "lr_D") if flag == "lr_G" or dual.criticized_directions}
    raised = {flag: rate for flag, rate in rates.items() if rate > default_rate(dual, flag)}
    lower = " and ".join(f"a lower --{flag} than {rate:g}" for flag, rate in (raised or rates).items())
    defaults = " and ".join(f"{default_rate(dual, flag):g}" for flag in raised)
    verb = "default is" if len(raised) == 1 else "defaults are"
    return f"{lower} (the {verb} {defaults})" if raised else lower


def default_rate(dual: Dual, flag: str) -> float:
    """Returns the default of --lr_G or --lr_D of the method of `dual`."""
    default: Any = next(field.default for field in dataclasses.fields(dual) if field.name == flag)
    return float(default)
