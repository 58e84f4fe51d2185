"""The command line of any dual: python -m MODEL.main --phase PHASE [--FLAG VALUE ...]."""

import errno
import logging
import sys

from common.cluster import Cluster
from common.cluster.watchdog import RESTART
from common.errors import Restart, UserError, reason
from common.images import Images, catalogue
from common.images.download import download
from common.run import Run
from flags import help as help_page
from flags import messages, phases, processor, quiet, streams, version
from flags import settings as flag_settings
from flags.parsing import OF_ONE_PHASE, OF_USE, Command, importable, model_name, parse, program_name

DEBUG = {"--debug", "-debug", "--debug=true", "--debug=True", "--debug=1"}
HELP = {"--help", "-help", "-h", "--helpshort", "--helpfull"}
VERSION = {"--version", "-version"}
PHASES = {
    "train": phases.train_phase,
    "test": phases.test_phase,
    "evaluate": phases.evaluate_phase,
    "translate": phases.translate_phase,
    "compare": phases.compare_phase,
    "plan": phases.plan_phase,
    "check_data": phases.check_data_phase,
    "import_weights": phases.import_phase,
    "export": phases.export_phase,
    "serve": phases.serve_phase,
}


def main(dual, argv=None):
    """Does what the command line asks of the class `dual`; exits with code 1 and a sentence if it cannot."""
    argv, dual = sys.argv if argv is None else argv, importable(dual)
    streams.outlive_readers()
    messages.show()
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what it says of a broken file, we say
    if HELP & set(argv):
        parts = (Command, dual, Images, Run, Cluster, *OF_USE)
        print(help_page.text(program_name(dual), model_name(dual), parts, OF_ONE_PHASE))
    elif VERSION & set(argv):
        print(version.text())
    elif DEBUG & set(argv):
        _do(dual, argv)
    else:
        try:
            _do(dual, argv)
        except KeyboardInterrupt:
            sys.exit("Stopped. What was saved before is as it was.")
        except Exception as error:
            if not (said := _sentence(error)):
                raise
            if not isinstance(error, Restart):
                sys.exit(f"error: {said}")
            print(f"error: {said}", file=sys.stderr)
            sys.exit(RESTART)


def _do(dual, argv):
    asked = parse(dual, argv)
    if asked.values.download or asked.values.download_from:
        _download(asked.values)
    processor.decide()
    if not (asked.values.debug or asked.values.phase == "check_data" or phases.supervises(asked)):
        quiet.import_tensorflow()
    PHASES[asked.values.phase](dual, asked)


def _download(values):
    """Fetches a published set, unless it is there; without a name, tells what there is, and ends."""
    if not values.dataset and not values.dir_A:
        print(f"{catalogue.listing()}\nSay --dataset NAME; of those by hand, it tells where they are had now.")
        sys.exit(0)
    flag_settings.read(Images, values)  # says what is wrong with them before anything is fetched
    download(values.dataset, values.data_root, values.download_from or None)


def _sentence(error):
    """What to say of an error that is not a mistake in the program; None if it is one."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, OSError):
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        cure = (
            "Make room on its disk, and give the same command again." if full else "--debug shows what was being done."
        )
        return f"{error.filename or 'A file'}: {error.strerror or error}. {cure}"
    if type(error).__module__.startswith("tensorflow."):
        return f"TensorFlow says: {reason(error)}. (--debug shows where.)"
    return None
