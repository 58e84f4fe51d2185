"""The packages shared by all methods; CONTRIBUTING.md has a map of them."""

__version__ = "0.2.0"  # the only place: setup.py reads this line, CHANGELOG.md and CITATION.cff are tested against it
