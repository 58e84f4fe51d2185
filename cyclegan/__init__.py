"""CycleGAN: unpaired translation between two domains."""

import dual_translation_check  # noqa: F401  first: detects another `common` or `flags` that hides ours
from cyclegan.model import CycleGAN

__all__ = ["CycleGAN"]
