"""The table of methods, which flags, presets, setup.py, docs and tests read."""

from __future__ import annotations

from typing import NamedTuple


class Method(NamedTuple):
    """A translation method: a package with its settings class in model.py and its command in main.py."""

    package: str
    name: str  # of the class, as the literature writes it


METHODS = (
    Method("dualgan", "DualGAN"),
    Method("cyclegan", "CycleGAN"),
    Method("pix2pix", "Pix2Pix"),
    Method("contrastive", "Contrastive"),
    Method("enhancement", "Enhancement"),
)
PACKAGES = tuple(method.package for method in METHODS)
