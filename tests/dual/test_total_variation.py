"""The example of a loss of one's own, by NumPy."""

import numpy as np

from common import tensorflow as tf
from examples.total_variation import Smooth


def test_total_variation_per_pixel(session, one_block):
    dual = Smooth(image_size=16, load_size=16, ngf=2, ndf=2, n_layers=1, netG="resnet_6blocks")
    images = np.random.default_rng(0).uniform(-1, 1, [2, 16, 16, 3]).astype(np.float32)
    direction, cycle = dual.connect(tf.constant(images), tf.constant(images))[0]
    fake = tf.constant(images)
    weight, variation = dual.generator_losses(direction._replace(fake=fake), cycle)["tv"]
    expected = np.abs(np.diff(images, axis=1)).sum() + np.abs(np.diff(images, axis=2)).sum()
    assert weight == 0.1
    np.testing.assert_allclose(session.run(variation), expected / (2 * 16 * 16), rtol=1e-5)
