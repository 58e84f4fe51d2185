"""Curves of a cost over a size, and the exponents of their growth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Curve(NamedTuple):
    """A cost measured at several sizes."""

    name: str  # with its unit, as the head of a column
    sizes: Sequence[float]  # ascending
    costs: Sequence[float]

    @property
    def exponent(self) -> float:
        """Returns p of the power law cost = c · size^p that fits best: least squares of logarithms, all points alike.

        nan if there are not two points, or a cost is not above 0.
        """
        if len(self.sizes) < 2 or min(self.costs) <= 0.0:
            return math.nan
        slope, _ = np.polyfit(np.log(self.sizes), np.log(self.costs), 1)
        return float(slope)

    @property
    def last_exponent(self) -> float:
        """Returns that of the two largest sizes, where fixed costs count the least; nan as above."""
        return self._replace(sizes=self.sizes[-2:], costs=self.costs[-2:]).exponent


def table(size: str, curves: Sequence[Curve]) -> str:
    """Returns a Markdown table of curves over the same sizes, with their exponents below; `size`: the first head."""
    lines = [f"| {size} | {' | '.join(curve.name for curve in curves)} |", "|---" * (1 + len(curves)) + "|"]
    for row, at in enumerate(curves[0].sizes):
        lines.append(f"| {at:,} | {' | '.join(_number(curve.costs[row]) for curve in curves)} |")
    for name, attribute in (("exponent", "exponent"), ("exponent of the last two", "last_exponent")):
        lines.append(f"| {name} | {' | '.join(f'{getattr(curve, attribute):.2f}' for curve in curves)} |")
    return "\n".join(lines)


def _number(cost: float) -> str:
    """Formats a cost with three significant digits."""
    return f"{cost:,.0f}" if cost >= 100.0 else f"{cost:#.3g}".rstrip(".")
