"""Measures how much of the network's speed is left when a folder of files is translated.

python -m benchmarks.translation --run_dir runs/pix2pix-facades --input datasets/facades/train/A

Translates the same images from memory and as files, in turn. Prints the images per second of both in each round, and
the median of their ratios. Takes as long as 2 x rounds translations of --limit images.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable

from benchmarks import arguments
from common.images import files
from common.translate import Translator
from common.translate.jobs import Translation
from common.translate.pipeline import translate


def main() -> None:
    """Runs the command line."""
    parser = arguments.parser_in_process("translation", __doc__)
    parser.add_argument("--run_dir", required=True, help="folder of the trained run")
    parser.add_argument("--input", required=True, help="folder of images")
    parser.add_argument("--direction", default="A2B", help="direction to translate: A2B or B2A")
    parser.add_argument("--limit", type=int, default=100, help="images to translate, the first ones")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of both")
    args = parser.parse_args()
    with Translator(args.run_dir) as translator, tempfile.TemporaryDirectory() as output:
        options = Translation(input=args.input, output=output)
        jobs = options.jobs(args.limit, translator.target(args.direction))
        images = [files.read(job.source, translator.source(args.direction)) for job in jobs]
        translator(args.direction, images[:3])  # what TensorFlow prepares in the first run is ready
        ratios = []
        for _ in range(args.rounds):
            bare = _seconds(lambda: translator(args.direction, images))
            whole = _seconds(lambda: translate(translator, args.direction, jobs, options))
            ratios.append(bare / whole)
            print(f"from memory {len(jobs) / bare:.2f} images/s, files {len(jobs) / whole:.2f} images/s", flush=True)
    print(f"files at {statistics.median(ratios):.1%} of the bare network's rate, median of {args.rounds} rounds")


def _seconds(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


if __name__ == "__main__":
    main()
