"""Why an image is not translated, as the client is told."""

from __future__ import annotations

NAME = "The image"  # in place of its path, in errors


class Refused(Exception):
    """An image that is not translated: the HTTP status, and a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.sentence = status, sentence
