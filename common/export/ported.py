"""Files of an export, reopened as functions of arrays, to compare them with the run."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy.typing as npt

from common import tensorflow as tf
from common.export.model import Model
from common.export.signatures import Signature
from common.images.pixels import Domain
from common.run.session import open_session

FULL, HALF, DYNAMIC = "float32", "float16", "dynamic-range int8"  # storage types of weights

Array: TypeAlias = npt.NDArray[Any]
Translate: TypeAlias = Callable[[Any], Array]  # images [N, H, W, C], or a list of encoded ones -> the same, translated


class Ported(NamedTuple):
    """One signature of a file."""

    file: str  # relative to the folder of the export
    name: str  # of the signature
    direction: str
    kind: str
    weights: str  # their storage type
    call: Translate | None  # None: closed
    is_needed: bool = False  # whether the export is of no use without this file

    def translate(self, images: Array | Sequence[bytes]) -> Array:
        """Calls the signature on images [N, H, W, C] or on encoded ones; raises ValueError if it is closed."""
        if self.call is None:
            raise ValueError(f"{self.file} {self.name} is closed")
        return self.call(images)


class Format(Protocol):
    """The module of a format."""

    def kinds(self, source: Domain, target: Domain, /) -> list[str]:
        """Returns the kinds of signatures that the format has between two Domains."""

    def write(self, model: Model, folder: pathlib.Path) -> None:
        """Writes the files."""

    def reopen(self, model: Model, folder: pathlib.Path) -> Iterable[Ported]:
        """Opens the files and returns their signatures."""


def of_graph(
    graph: tf.Graph, file: str, signatures: Iterable[Signature], session: tf.Session | None = None
) -> Iterator[Ported]:
    """Yields the Ported of Signatures in a graph, by the names of their tensors.

    Without `session`, each has its own session while it is used, with a copy of the constants.
    """

    def caller(signature: Signature, used: tf.Session) -> Translate:
        image = graph.get_tensor_by_name(signature.image.name)
        translated = graph.get_tensor_by_name(signature.translated.name)
        return lambda images: used.run(translated, {image: images})

    for signature in signatures:
        used = session or tf.Session(graph=graph)
        try:
            yield Ported(file, signature.name, signature.direction, signature.kind, FULL, caller(signature, used))
        finally:
            if used is not session:
                used.close()


def frozen(model: Model, signatures: Iterable[Signature]) -> Any:
    """Returns a GraphDef with only some Signatures of a Model, with the weights as constants."""
    with model.session.graph.as_default():
        names = [signature.translated.op.name for signature in signatures]
        return tf.graph_util.convert_variables_to_constants(model.session, model.session.graph.as_graph_def(), names)


def new_session() -> tf.Session:
    """Opens a session on the default graph, with one thread per core."""
    return open_session(0)
