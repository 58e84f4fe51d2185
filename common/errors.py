"""The error that is for the person at the keyboard, and what errors of others say."""


class UserError(Exception):
    """Something the person can put right: its text is a sentence that says how."""


def reason(error):
    """The first line of an error that tells anything: TensorFlow's often begin with a heading."""
    lines = (line.strip().rstrip(".") for line in str(error).splitlines())
    return next((line for line in lines if line and line != "Graph execution error:"), type(error).__name__)
