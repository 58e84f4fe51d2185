"""The error that is for the person at the keyboard."""


class UserError(Exception):
    """Something the person can put right: its text is a sentence that says how."""
