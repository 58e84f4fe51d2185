"""python -m contrastive.main --help"""

from __future__ import annotations

from contrastive.model import Contrastive
from flags import command


def main() -> None:
    """Runs the command line of CUT."""
    command.main(Contrastive)


if __name__ == "__main__":
    main()
