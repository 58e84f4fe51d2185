"""python -m cyclegan.main --help"""

from __future__ import annotations

from cyclegan.model import CycleGAN
from flags import command


def main() -> None:
    """Runs the command line of CycleGAN."""
    command.main(CycleGAN)


if __name__ == "__main__":
    main()
