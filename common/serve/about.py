"""What is known of a run that is served, also before its first checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from common.images import canvas, domain_names
from common.images.pixels import Domain
from common.run.folder import SavedRun
from common.serve import validation as validation_images
from common.serve.validation import Validation


class About(NamedTuple):
    """What the page shows of a run."""

    model: str
    directions: tuple[str, ...]
    domains: Mapping[str, Domain]  # by "A" and "B"
    sides: tuple[int, int] = (256, 256)  # (height, width) at which it is trained
    words: tuple[str, str] | None = None  # what A and B are, in the plural; None: unknown
    validation: Mapping[str, Validation] = {}  # by domain
    has_report: bool = False
    summary: str = ""  # what the model does, in half a sentence

    def facts(self, address: str) -> list[dict[str, Any]]:
        """Returns what the page needs to know of each direction; `address`: of its examples, without a slash."""
        return [self._of_direction(name, address) for name in self.directions]

    def _of_direction(self, name: str, address: str) -> dict[str, Any]:
        source = name[0]
        examples, colours = self.validation.get(source, Validation())
        return {
            "name": name,
            "words": self._words(name),
            "drawing": canvas.of_domain(self.domains[source], self.sides, colours),
            "examples": [f"{address}/{source}/{number}" for number in range(len(examples))],
        }

    def _words(self, name: str) -> list[str] | None:
        """What a direction takes and makes."""
        if not self.words:
            return None
        A, B = self.words
        return [A, B] if name[0] == "A" else [B, A]


def of_run(saved: SavedRun, examples: int, *, has_report: bool) -> About:
    """Returns what is known of a run, with at most this number of `examples` of each domain."""
    validation = validation_images.of_run(saved.images, saved.dual, saved.domains, examples)
    return About(
        type(saved.dual).__name__,
        saved.dual.directions,
        saved.domains,
        saved.dual.image_sides,
        domain_names.of(saved.images, saved.dual),
        validation,
        has_report,
        saved.dual.summary,
    )
