"""pix2pix: translation that is learnt from pairs of images."""

from pix2pix.model import Pix2Pix

__all__ = ["Pix2Pix"]
