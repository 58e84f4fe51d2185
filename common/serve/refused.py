"""Refused: the reason why an image is not translated, for the client."""

from __future__ import annotations

NAME = "The image"  # replaces its path in errors


class Refused(Exception):
    """An image is not translated: the HTTP status, and a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.sentence = status, sentence
