"""DualGAN: translation between two sets of images without pairs."""

import dual_translation_check  # noqa: F401  before all else: tells when another `common` or `flags` hides ours
from dualgan.model import DualGAN

__all__ = ["DualGAN"]
