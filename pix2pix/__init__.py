"""pix2pix: translation learned from pairs of images."""

import dual_translation_check  # noqa: F401  first: detects another `common` or `flags` that hides ours
from pix2pix.model import Pix2Pix

__all__ = ["Pix2Pix"]
