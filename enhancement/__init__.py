"""Enhancement: rain, haze and cloud taken off photographs, learned without pairs."""

import dual_translation_check  # noqa: F401  before all else: tells when another `common` or `flags` hides ours
from enhancement.model import Enhancement

__all__ = ["Enhancement"]
