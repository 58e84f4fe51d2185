"""python -m enhancement.main --help"""

from __future__ import annotations

from enhancement.model import Enhancement
from flags import command


def main() -> None:
    """Runs the command line of the enhancement."""
    command.main(Enhancement)


if __name__ == "__main__":
    main()
