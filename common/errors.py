"""The error that is for the person at the keyboard, and what errors of others say."""


class UserError(Exception):
    """Something the person can put right: its text is a sentence that says how."""


class NotFinite(UserError):
    """A loss or a weight is not finite, of which a training may recover: see recovery."""

    def __init__(self, said, read=0):
        super().__init__(said)
        self.read = read  # which of the batches of its step was read last, from 0


def reason(error):
    """The first line of an error that tells anything: TensorFlow's often begin with a heading."""
    lines = (line.strip().rstrip(".") for line in str(error).splitlines())
    return next((line for line in lines if line and line != "Graph execution error:"), type(error).__name__)
