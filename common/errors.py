"""The error that is for the person at the keyboard, and what errors of others say."""

import contextlib


class UserError(Exception):
    """Something the person can put right: its text is a sentence that says how."""


class Restart(UserError):
    """A training cannot go on, and can when it is started again: another process of it is gone."""


class NotFinite(UserError):
    """A loss or a weight is not finite, of which a training may recover: see recovery."""

    def __init__(self, said, read=0):
        super().__init__(said)
        self.read = read  # which of the batches of its step was read last, from 0


@contextlib.contextmanager
def naming(path, partial=None):
    """Within it, an OSError that names no file, as those of writing do, or `partial`, becomes one that names `path`."""
    try:
        yield
    except OSError as error:
        if error.filename not in (None, str(partial), partial) or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def reason(error):
    """The first line of an error that tells anything: TensorFlow's often begin with where in the graph they arose."""
    text = str(error)
    if text.startswith("Graph execution error:") and "\nNode: " in text:
        _, _, text = text.partition("\nNode: ")[2].partition("\n")
    lines = (line.strip().rstrip(".") for line in text.splitlines())
    return next((line for line in lines if line and line != "Graph execution error:"), type(error).__name__)
