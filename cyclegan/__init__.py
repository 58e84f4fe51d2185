"""CycleGAN: translation between two sets of images without pairs."""

from cyclegan.model import CycleGAN

__all__ = ["CycleGAN"]
