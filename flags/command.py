"""The command line of every method: python -m METHOD.main --phase PHASE [--FLAG VALUE ...]."""

from __future__ import annotations

import errno
import logging
import sys

from absl import flags

from common.cluster.watchdog import RESTART
from common.dual import Dual
from common.errors import Restart, UserError, in_one_line, reason
from common.images import Images, catalogue
from common.images.download import download
from flags import fields, messages, processor, quiet, refusals, streams, version
from flags import help as help_page
from flags.parsing import parse, phase_of
from flags.phases import PHASES
from flags.program import command_name, importable

DEBUG = {"--debug", "-debug", "--debug=true", "--debug=True", "--debug=1"}
HELP = {"--help", "-help", "-h"}
HELP_FULL = {"--helpfull", "-helpfull", "--helpshort", "-helpshort"}  # absl's other names of help
VERSION = {"--version", "-version"}


def main(model: type[Dual], argv: list[str] | None = None) -> None:
    """Runs a command line for the class `model`; on an error, prints one sentence and exits with status 1."""
    argv, model = sys.argv if argv is None else argv, importable(model)
    streams.outlive_readers()
    messages.show(model.__module__)
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # broken files are reported by this toolkit
    if (HELP | HELP_FULL) & set(argv):
        _help(model, argv)
    elif VERSION & set(argv):
        print(version.text())
    elif DEBUG & set(argv):
        _perform(model, argv)
    else:
        try:
            _perform(model, argv)
        except KeyboardInterrupt:
            sys.exit("Interrupted; existing checkpoints are intact.")
        except Exception as error:
            if not (sentence := _sentence(error)):
                raise
            if not isinstance(error, Restart):
                sys.exit(f"error: {in_one_line(sentence)}")
            print(f"error: {in_one_line(sentence)}", file=sys.stderr)
            sys.exit(RESTART)


def _help(model: type[Dual], argv: list[str]) -> None:
    """Prints the first page of help, that of the phase, or all flags; exits with status 1 if there is no such phase."""
    command, others = command_name(model, argv), [word for word in argv if word not in HELP | HELP_FULL]
    bare = (word for word in others[1:] if word in PHASES)  # as in: train --help
    phase = phase_of(others, default=None) or next(bare, None)
    if HELP_FULL & set(argv):
        page = help_page.full_page(model, command)
    elif phase is None:
        page = help_page.first_page(model, command)
    elif phase in PHASES:
        page = help_page.phase_page(model, phase, command)
    else:
        sys.exit(f"error: {in_one_line(refusals.bad_choice('phase', phase, PHASES))}")
    print(page, end="")


def _perform(model: type[Dual], argv: list[str]) -> None:
    request = parse(model, argv)
    if request.values.download or request.values.download_from:
        _download(request.values)
    processor.decide(request.values.precise)
    if not request.values.debug:
        quiet.silence()
    PHASES[request.values.phase].perform(request)


def _download(values: flags.FlagValues) -> None:
    """Downloads a published dataset if it is missing; without a name, lists the known datasets and exits."""
    if not values.dataset and not values.dir_A:
        print(f"{catalogue.listing()}\nUse --dataset NAME; for datasets fetched by hand, it prints where they are.")
        sys.exit(0)
    fields.read(Images, values)  # refuses bad settings before anything is downloaded
    download(values.dataset, values.data_root, values.download_from or None)


def _sentence(error: Exception) -> str | None:
    """Returns the message for an error that the user can fix; None for a bug in the program."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, OSError):
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        cure = "Free space on its disk, then repeat the same command." if full else "Use --debug to see the traceback."
        return f"{error.filename or 'A file'}: {error.strerror or error}. {cure}"
    if type(error).__name__ == "ResourceExhaustedError":
        return (
            f"Not enough memory: {reason(error)}. Use a smaller --batch_size, with --accumulate for the same updates,"
            " or a smaller --image_size, or --precision bf16; for large images, use --tile; or close other programs on"
            " the GPU. --phase plan measures the memory of a training."
        )
    if type(error).__module__.startswith("tensorflow."):
        return f"TensorFlow failed: {reason(error)}. Use --debug to see the traceback."
    return None
