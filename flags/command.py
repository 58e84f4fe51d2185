"""The command line of any dual: python -m MODEL.main --phase PHASE [--FLAG VALUE ...]."""

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
from flags import fields, messages, processor, quiet, streams, version
from flags import help as help_page
from flags.parsing import parse, phase_of
from flags.phases import PHASES
from flags.program import command_name, importable

DEBUG = {"--debug", "-debug", "--debug=true", "--debug=True", "--debug=1"}
HELP = {"--help", "-help", "-h", "--helpshort", "--helpfull"}
VERSION = {"--version", "-version"}


def main(model: type[Dual], argv: list[str] | None = None) -> None:
    """Does what the command line asks of the class `model`; exits with code 1 and a sentence if it cannot."""
    argv, model = sys.argv if argv is None else argv, importable(model)
    streams.outlive_readers()
    messages.show(model.__module__)
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what it says of a broken file, we say
    if HELP & set(argv):
        others = [argument for argument in argv if argument not in HELP]
        print(help_page.text(model, phase_of(others, default=None), command_name(model, argv)), end="")
    elif VERSION & set(argv):
        print(version.text())
    elif DEBUG & set(argv):
        _perform(model, argv)
    else:
        try:
            _perform(model, argv)
        except KeyboardInterrupt:
            sys.exit("Stopped. What was saved before is as it was.")
        except Exception as error:
            if not (sentence := _sentence(error)):
                raise
            if not isinstance(error, Restart):
                sys.exit(f"error: {in_one_line(sentence)}")
            print(f"error: {in_one_line(sentence)}", file=sys.stderr)
            sys.exit(RESTART)


def _perform(model: type[Dual], argv: list[str]) -> None:
    request = parse(model, argv)
    if request.values.download or request.values.download_from:
        _download(request.values)
    processor.decide(request.values.precise)
    phase = PHASES[request.values.phase]
    if not request.values.debug and phase.tensorflow(request):
        quiet.import_tensorflow()
    phase.perform(request)


def _download(values: flags.FlagValues) -> None:
    """Fetches a published set, unless it is there; without a name, tells what there is, and ends."""
    if not values.dataset and not values.dir_A:
        print(f"{catalogue.listing()}\nSay --dataset NAME; of those by hand, it tells where they are had now.")
        sys.exit(0)
    fields.read(Images, values)  # says what is wrong with them before anything is fetched
    download(values.dataset, values.data_root, values.download_from or None)


def _sentence(error: Exception) -> str | None:
    """What to say of an error that is not a mistake in the program; None if it is one."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, OSError):
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        cure = (
            "Make room on its disk, and give the same command again." if full else "--debug shows what was being done."
        )
        return f"{error.filename or 'A file'}: {error.strerror or error}. {cure}"
    if type(error).__name__ == "ResourceExhaustedError":
        return (
            f"There is not enough memory: {reason(error)}. Use a smaller --batch_size or --image_size, or"
            " --precision bf16; to translate large images, --tile; or close what else uses the GPU. --phase plan says"
            " how much a training takes."
        )
    if type(error).__module__.startswith("tensorflow."):
        return f"TensorFlow says: {reason(error)}. (--debug shows where.)"
    return None
