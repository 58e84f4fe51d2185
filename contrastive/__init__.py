"""CUT and FastCUT: one direction, learned without pairs by contrasting patches."""

import dual_translation_check  # noqa: F401  first: detects another `common` or `flags` that hides ours
from contrastive.model import Contrastive

__all__ = ["Contrastive"]
