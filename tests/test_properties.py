"""What holds for every image and every step, tried on many."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as some

from common import tensorflow as tf
from common.images import alignment, tensors
from common.train.step import roles_of_passes
from tests import small


@settings(max_examples=15, deadline=None)
@given(
    height=some.integers(1, 90),
    width=some.integers(1, 90),
    preprocess=some.sampled_from(["resize_and_crop", "scale_shortest_and_crop", "scale_width_and_crop"]),
    sides=some.tuples(some.sampled_from([16, 32]), some.sampled_from([16, 20, 32])),
    interpolation=some.sampled_from(["bilinear", "bicubic", "area", "nearest"]),
    antialias=some.booleans(),
    draw=some.none() | some.lists(some.floats(0, 0.875, width=32), min_size=3, max_size=3),
)
def test_an_image_of_any_size_becomes_one_of_the_model(
    height, width, preprocess, sides, interpolation, antialias, draw
):
    size, load = ("x".join(map(str, numbers)) for numbers in (sides, (sides[0] + 5, sides[1] + 1)))
    fields = {"preprocess": preprocess, "interpolation": interpolation, "antialias": antialias}
    dual = small.dualgan(**fields, image_size=size, load_size=load, flip=True)
    image = np.random.default_rng(height * 100 + width).integers(0, 256, [height, width, 3], np.uint8)
    with small.session_of_a_run() as session:
        drawn = None if draw is None else tf.constant(draw, tf.float32)
        prepared = session.run(tensors.prepare(tf.constant(image), dual, drawn))
    assert prepared.shape == (*sides, 3)
    assert all(side <= loaded for side, loaded in zip(sides, alignment.loaded_size((height, width), dual)))
    assert np.isfinite(prepared).all()
    if interpolation != "bicubic":  # which overshoots
        assert np.abs(prepared).max() <= 1.0 + 1e-5


@given(n_critic=some.integers(1, 20), n_gen=some.integers(1, 20))
def test_every_step_has_its_updates_and_its_batches(n_critic, n_gen):
    passes = roles_of_passes(n_critic, n_gen)
    assert len(passes) == max(n_critic, n_gen)
    assert sum("critic" in roles for roles in passes) == n_critic
    assert sum("generator" in roles for roles in passes) == n_gen
    assert "generator" in passes[-1]
    assert "critic" in passes[0]
