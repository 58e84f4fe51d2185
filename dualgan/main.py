"""python -m dualgan.main --help"""

from __future__ import annotations

from dualgan.model import DualGAN
from flags import command


def main() -> None:
    """Runs the command line of DualGAN."""
    command.main(DualGAN)


if __name__ == "__main__":
    main()
