"""python -m dualgan.main --help"""

from dualgan.model import DualGAN
from flags import command


def main():
    """The command line of DualGAN."""
    command.main(DualGAN)


if __name__ == "__main__":
    main()
