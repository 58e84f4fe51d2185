"""What makes this toolkit's steps fast, each undone alone, and what it leaves alone, done: see benchmarks.levers."""

import contextlib
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple
from unittest import mock


class Lever(NamedTuple):
    """One thing that is changed: code before the graph is built, the environment of the process, or its threads."""

    change: Callable = contextlib.nullcontext  # () -> context manager
    environment: Mapping = MappingProxyType({})
    threads: int = 0  # 0: as all have


def _calls_of_single_images(role):
    """Networks of a role take the images of a batch one by one, where real images and others are one batch."""
    from common import tensorflow as tf
    from common.dual.dual import Network

    called = Network.__call__

    def call(self, *images):
        if not self.scope.endswith(role) or images[0].shape[0] == 1:
            return called(self, *images)
        count = int(images[0].shape[0])
        parts = [[None] * count if each is None else tf.split(each, count) for each in images]
        return tf.concat([called(self, *one) for one in zip(*parts)], axis=0)

    return mock.patch.object(Network, "__call__", call)


def _fakes_computed_again():
    """In the same run, but by generators that are called anew for the critics, which have no pool then."""
    from common import tensorflow as tf
    from common.train import step

    def recalled(dual, direction):
        fake = tf.stop_gradient(direction.generator(direction.real, direction.key))
        return direction._replace(fake=fake), []

    return mock.patch.object(step, "_recalled", recalled)


def _a_run_for_each_update():
    from common.train import step

    return mock.patch.object(step, "roles_of_passes", lambda *_: [("critic",), ("generator",)])


def _nothing_read_ahead():
    """Which changes the cases that read files, DualGAN's."""
    from common.images import pipeline

    return mock.patch.multiple(pipeline, AHEAD=0, THREADS=None)


def _single_convolutions():
    from common.ops import convolution

    return mock.patch.object(convolution, "_library_chooses", lambda x: True)


def _library():
    from common.ops.formulations import Library

    return Library


def _without(**limits):
    """Limits of shapes beyond which a formulation is chosen, so that it is not."""
    from common.ops import convolution

    return mock.patch.multiple(convolution, **limits)


def _norms_by_their_formula():
    from common import tensorflow as tf
    from common.ops import layers

    def standardized(x, axes, epsilon):
        centred = x - tf.reduce_mean(x, axes, keepdims=True)
        return centred * tf.rsqrt(tf.reduce_mean(tf.square(centred), axes, keepdims=True) + epsilon)

    return mock.patch.object(layers, "_standardized", standardized)


def _graphs_rewritten():
    from common.run import run

    configured = run.session_config

    def config(*given):
        found = configured(*given)
        found.graph_options.rewrite_options.disable_meta_optimizer = False
        return found

    return mock.patch.object(run, "session_config", config)


LEVERS = {
    "generators-image-by-image": Lever(lambda: _calls_of_single_images("generator")),
    "critics-image-by-image": Lever(lambda: _calls_of_single_images("critic")),
    "fakes-computed-again": Lever(_fakes_computed_again),
    "a-run-for-each-update": Lever(_a_run_for_each_update),
    "nothing-read-ahead": Lever(_nothing_read_ahead),
    "single-convolutions": Lever(_single_convolutions),
    "no-winograd": Lever(lambda: _without(MANY=sys.maxsize)),
    "no-matrices": Lever(lambda: _without(Strided=_library())),
    "no-columns": Lever(lambda: _without(FEW=0)),
    "no-taps": Lever(lambda: _without(TINY=0)),
    "norms-by-their-formula": Lever(_norms_by_their_formula),
    "one-thread": Lever(threads=1),
    "onednn-off": Lever(environment={"TF_ENABLE_ONEDNN_OPTS": "0"}),
    "graphs-rewritten": Lever(_graphs_rewritten),
    "bfc": Lever(environment={"TF_CPU_ALLOCATOR_USE_BFC": "1"}),
    "one-arena": Lever(environment={"MALLOC_ARENA_MAX": "1"}),
    "huge-pages": Lever(environment={"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}),
}
