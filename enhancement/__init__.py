"""Enhancement: removes rain, haze and cloud from photographs, learned without pairs."""

import dual_translation_check  # noqa: F401  first: detects another `common` or `flags` that hides ours
from enhancement.model import Enhancement

__all__ = ["Enhancement"]
