"""A U-Net of residual blocks with kernels that look at one place alone, worked out by hand."""

import numpy as np
import pytest

from common import tensorflow as tf
from common.dual.residual_unet import residual_unet

KERNELS = {"coarse": 3.0, "out": 0.5}  # of other convolutions: 1


def build(session, value, **options):
    images = tf.fill([1, 8, 8, 1], value)
    maps = residual_unet(images, 1, 1, stride=2, **options)
    session.run(tf.global_variables_initializer())
    return maps


def load(session):
    for variable in tf.global_variables():
        kernel = np.zeros(variable.shape.as_list(), np.float32)
        if variable.op.name.endswith("kernel"):
            middle = kernel.shape[0] // 2
            kernel[middle, middle] = KERNELS.get(variable.op.name.split("/")[0], 1.0)
        variable.load(kernel, session)


@pytest.mark.parametrize(
    ("value", "blocks", "coarse", "fine"),
    [
        # 2x2 pixels are added: 4; a block doubles: 8; below, four of these: 32, doubled: 64; 8 + 64, doubled: 144
        (1.0, 1, 432.0, 72.0),
        # two blocks: 4 x 4 = 16; 64 x 4 = 256; 16 + 256 = 272, times 4
        (1.0, 2, 3264.0, 544.0),
        # what is negative is cut off in blocks and passes beside them: 4; 16; 4 + 16
        (-1.0, 1, -60.0, -10.0),
    ],
)
def test_blocks_and_the_encoder_are_added(session, value, blocks, coarse, fine):
    maps = build(session, value, levels=2, blocks=blocks, coarse=2)
    load(session)
    found = session.run(maps)
    np.testing.assert_allclose(found.fine, np.full([1, 8, 8, 1], fine))
    np.testing.assert_allclose(found.coarse, np.full([1, 4, 4, 2], coarse))


def test_the_coarse_map_is_that_of_the_second_to_last_level(session):
    """Sides of 4, 2 and 1 with three levels; the fine map is of the full size."""
    maps = build(session, 1.0, levels=3, coarse=1)
    assert maps.fine.shape.as_list() == [1, 8, 8, 1]
    assert maps.coarse.shape.as_list() == [1, 2, 2, 1]
    assert not np.any(session.run(maps.fine)) and not np.any(session.run(maps.coarse))


def test_without_coarse_channels_there_is_no_coarse_map(session):
    assert build(session, 1.0, levels=2).coarse is None
    assert not [variable for variable in tf.global_variables() if variable.op.name.startswith("coarse")]
