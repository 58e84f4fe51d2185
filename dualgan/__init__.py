"""DualGAN: translation between two sets of images without pairs."""

from dualgan.model import DualGAN

__all__ = ["DualGAN"]
