"""DualGAN: unpaired translation between two domains."""

import dual_translation_check  # noqa: F401  first: detects another `common` or `flags` that hides ours
from dualgan.model import DualGAN

__all__ = ["DualGAN"]
