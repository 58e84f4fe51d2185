"""python -m pix2pix.main --help"""

from __future__ import annotations

from flags import command
from pix2pix.model import Pix2Pix


def main() -> None:
    """Runs the command line of pix2pix."""
    command.main(Pix2Pix)


if __name__ == "__main__":
    main()
