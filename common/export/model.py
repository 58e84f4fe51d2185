"""What is exported: a run's generators in a graph of their own, with its weights in a session."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from typing import NamedTuple

from common import tensorflow as tf
from common.export import signatures
from common.ops import convolution
from common.run.checkpoints import Checkpoints, selected_one
from common.run.folder import config_path, load_trained
from common.run.session import open_session


class Model(NamedTuple):
    """Generators to be exported."""

    dual: object
    domains: dict  # {"A": Domain, "B": Domain}
    directions: tuple
    session: tf.Session
    signatures: list
    variables: list  # of the generators
    config: str  # the text of the run's config.json
    step: int  # of the checkpoint

    def ends(self, direction):
        """The Domains of what a direction takes and of what it makes."""
        return self.domains[direction[0]], self.domains[direction[-1]]


def graph_of(dual, domains, directions, kinds):
    """The Signatures of all `directions`, in the graph that is the default."""
    return [
        each
        for direction in directions
        for each in signatures.build(dual, direction, domains[direction[0]], domains[direction[-1]], kinds)
    ]


@contextlib.contextmanager
def opened(run_dir, use, directions, kinds, test_dropout, threads=0):
    """The Model of a trained run, within it; `use` is an Inference: its weights and its checkpoint."""
    saved = load_trained(run_dir)
    dual, domains = dataclasses.replace(saved.dual, test_dropout=test_dropout), saved.domains
    with tf.Graph().as_default():
        tf.set_random_seed(saved.run.seed)
        with convolution.plain():  # which other programs know, at any size
            found = graph_of(dual, domains, directions, kinds)
        variables = tf.get_collection(tf.GraphKeys.MODEL_VARIABLES)
        checkpoints = Checkpoints(run_dir, variables=use.restored(dual, variables))
        with open_session(threads) as session:
            step = checkpoints.restore(session, selected_one(run_dir, use.checkpoint))
            config = pathlib.Path(config_path(run_dir)).read_text(encoding="utf-8", errors="surrogateescape")
            yield Model(dual, domains, directions, session, found, variables, config, step)
