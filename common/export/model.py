"""The exported model: a run's generators in a graph of their own, with their weights in a session."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from common import tensorflow as tf
from common.dual import Dual
from common.export import signatures
from common.export.signatures import Kinds, Signature
from common.images.pixels import Domain
from common.ops import gradients, placement
from common.run.checkpoint_files import selected_one, step_of
from common.run.checkpoints import Checkpoints
from common.run.folder import config_path, load_trained
from common.run.session import open_session
from common.translate import Inference


class Model(NamedTuple):
    """Generators to export."""

    dual: Dual
    domains: dict[str, Domain]  # {"A": ..., "B": ...}
    directions: Sequence[str]
    session: tf.Session
    signatures: list[Signature]
    variables: list[tf.Variable]  # of the generators
    config: str  # the text of the run's config.json
    step: int  # of the checkpoint

    def ends(self, direction: str) -> tuple[Domain, Domain]:
        """Returns the Domains of a direction's source and target."""
        return self.domains[direction[0]], self.domains[direction[-1]]


def build_signatures(
    dual: Dual, domains: Mapping[str, Domain], directions: Sequence[str], kinds: Kinds
) -> list[Signature]:
    """Builds the Signatures of all `directions` in the default graph."""
    built: list[Signature] = []
    for direction in directions:
        built += signatures.build(dual, direction, domains[direction[0]], domains[direction[-1]], kinds)
    return built


@contextlib.contextmanager
def open_model(
    run_dir: str | os.PathLike[str],
    inference: Inference,
    directions: Sequence[str],
    kinds: Kinds,
    *,
    test_dropout: bool,
    threads: int = 0,
) -> Iterator[Model]:
    """Yields the Model of a trained run, with an open session. `inference`: which weights and which checkpoint."""
    saved = load_trained(run_dir)
    dual, domains = dataclasses.replace(saved.dual, test_dropout=test_dropout), saved.domains
    with tf.Graph().as_default():
        tf.set_random_seed(saved.run.seed)
        with placement.plain(), gradients.derived():  # operations that other programs support, at any size
            built = build_signatures(dual, domains, directions, kinds)
        variables = tf.get_collection(tf.GraphKeys.MODEL_VARIABLES)
        checkpoints = Checkpoints(run_dir, variables=inference.restored(dual, variables))
        with open_session(threads) as session:
            checkpoint = selected_one(run_dir, inference.checkpoint)
            checkpoints.restore(session, checkpoint)
            config = pathlib.Path(config_path(run_dir)).read_text(encoding="utf-8", errors="surrogateescape")
            yield Model(dual, domains, directions, session, built, variables, config, step_of(checkpoint))
