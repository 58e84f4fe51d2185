"""pix2pix: translation that is learnt from pairs of images."""

import dual_translation_check  # noqa: F401  before all else: tells when another `common` or `flags` hides ours
from pix2pix.model import Pix2Pix

__all__ = ["Pix2Pix"]
