"""The methods of this project. Everything that lists them reads this table: flags, presets, setup.py, docs, tests."""

from __future__ import annotations

from typing import NamedTuple


class Method(NamedTuple):
    """A method of translation: a package with the class of its settings in model.py and its program in main.py."""

    package: str
    name: str  # of the class, as the field writes it
    about: str


METHODS = (
    Method("dualgan", "DualGAN", "unpaired, WGAN-GP critics (Yi et al., 2017)"),
    Method("cyclegan", "CycleGAN", "unpaired, cycle consistency (Zhu et al., 2017)"),
    Method("pix2pix", "Pix2Pix", "paired, conditional critic (Isola et al., 2017)"),
)
PACKAGES = tuple(method.package for method in METHODS)
