"""python -m cyclegan.main --help"""

from cyclegan.model import CycleGAN
from flags import command


def main():
    """The command line of CycleGAN."""
    command.main(CycleGAN)


if __name__ == "__main__":
    main()
