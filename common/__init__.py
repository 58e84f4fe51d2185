"""What the methods are made of; CONTRIBUTING.md has a map of the packages."""

__version__ = "0.2.0"  # the only place: setup.py reads this line, CHANGELOG.md and CITATION.cff are tested against it
