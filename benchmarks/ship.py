"""Writes a trained run as a pretrained network of its method: weights in half precision, and a model card.

python -m benchmarks.ship --run_dir runs/enhancement-rain --name rain --photographs photos/list.csv

Prints the paths of the two files and the size of the weights. The card has the facts of the run, and placeholders for
what it does, what was measured, and its limits.
"""

from __future__ import annotations

import csv
import dataclasses
import pathlib

from benchmarks import arguments
from common.errors import UserError
from common.run.checkpoint_files import selected_one, step_of
from common.run.folder import load_trained
from common.settings import FIXED
from common.weights import shipped

CARD = """# {name}: a pretrained network of {method}

| | |
|---|---|
| what it does | TO BE WRITTEN |
| weights | {directions}, {size:,} bytes in half precision |
| trained by | `{program} --phase train {flags}`, {steps:,} steps |
| images | TO BE WRITTEN |
| measured | TO BE WRITTEN: metrics on images that it was not trained on, with those of the input beside them |
| limits | TO BE WRITTEN: what it was not trained on, and where it fails |
| licence of the weights | Apache-2.0, that of this program |

Use: `{program} --phase translate --pretrained {name} --input photos --output out`

## Photographs

It was trained on these, with generated degradations over them.

{photographs}
"""


def main() -> None:
    """Writes NAME.npz, and NAME.md unless there is one, into the folder pretrained/ of the run's method."""
    parser = arguments.parser("ship", __doc__)
    parser.add_argument("--run_dir", required=True, help="folder of the trained run")
    parser.add_argument("--name", required=True, help="name of the pretrained network")
    parser.add_argument("--checkpoint", default="latest", help="latest, best, or a step")
    parser.add_argument("--photographs", default="", help="table of the photographs it was trained on, for its card")
    parser.add_argument("--output", default="", help="folder to write to; unless given: pretrained/ of the method")
    options = parser.parse_args()
    try:
        ship(options.run_dir, options.name, options.checkpoint, options.photographs, options.output)
    except UserError as error:
        parser.exit(2, f"error: {error}\n")


def ship(run_dir: str, name: str, checkpoint: str = "latest", photographs: str = "", output: str = "") -> None:
    """Writes the two files and prints their paths."""
    dual = load_trained(run_dir).dual
    folder = pathlib.Path(output) if output else shipped.folder_of(type(dual).__module__)
    path, card = folder / f"{name}.npz", folder / f"{name}.md"
    size = shipped.ship(run_dir, path, checkpoint)
    print(f"{path}: {size:,} bytes, of at most {shipped.MAX_BYTES:,}.")
    if card.exists():
        print(f"{card} already exists and is unchanged.")
        return
    card.write_text(text_of_card(run_dir, name, checkpoint, size, photographs), encoding="utf-8")
    print(f"{card}: replace all TO BE WRITTEN.")


def text_of_card(run_dir: str, name: str, checkpoint: str, size: int, photographs: str) -> str:
    """Returns a model card with the facts of the run, and placeholders for the rest."""
    saved = load_trained(run_dir)
    dual = saved.dual
    changed = [
        f"--{field.name} {getattr(dual, field.name)}"
        for field in dataclasses.fields(dual)
        if field.metadata["resume"] == FIXED and getattr(dual, field.name) != field.default
    ]
    return CARD.format(
        name=name,
        method=type(dual).__name__,
        directions=" and ".join(dual.learned_directions),
        size=size,
        program=f"python -m {type(dual).__module__.partition('.')[0]}.main",
        flags=" ".join([*changed, f"--batch_size {saved.run.batch_size}", f"--seed {saved.run.seed}"]),
        steps=step_of(selected_one(run_dir, checkpoint)),
        photographs=_table(photographs) if photographs else "TO BE WRITTEN",
    )


def _table(path: str) -> str:
    """Converts a CSV file to a Markdown table."""
    with open(path, newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


if __name__ == "__main__":
    main()
