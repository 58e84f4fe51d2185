"""A plan estimates what a training run would take."""

import math
import resource
import sys

import pytest

from common.errors import UserError
from common.images import Images
from common.run import Run
from common.train import plan
from tests import small
from tests.reliability.little.pix2pix import Pix2Pix as Little

pytestmark = pytest.mark.usefixtures("one_block")


def peak():
    """The peak memory of this process in bytes; the system has it in KiB, or on macOS in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def test_a_plan_names_all_networks_and_counts_steps(dataset, capsys):
    images = Images("set", data_root=str(dataset(train_A=4, train_B=3)))
    dual = small.dualgan(netD="patch_2017", kernel=5, gan_loss="lsgan")
    before = peak()
    found = plan.plan(dual, images, Run("unused", epochs=5), timed=1)
    assert [each.name for each in found.networks] == [
        "A2B generator",
        "A2B critic",
        "B2A generator",
        "B2A critic",
    ]
    # a U-Net of 2 halvings, 4 filters; by hand: kernels, biases, one norm of 4 and one of 8 channels below
    assert found.networks[0].parameters == (25 * 3 * 4 + 4) + (25 * 4 * 8 + 8) + (25 * 8 * 4 + 4 + 8) + (25 * 8 * 3 + 3)
    assert found.networks[1].output == (4, 4, 1)
    assert found.networks[1].sees == 93
    assert (found.steps, found.epochs) == (20, 5.0)  # 20 images, one a step
    assert found.seconds > 0 and found.peak > found.variables > 0
    assert before <= found.peak <= peak()
    text = plan.text(found)
    assert "93x93 pixels (more than its 32)" in text
    assert "20 steps, 5.0 epochs" in text


@pytest.mark.thorough
def test_a_plan_counts_the_operations_of_all_parts_of_a_batch(dataset):
    images = Images("set", data_root=str(dataset(train_A=4, train_B=4)))
    dual = Little(image_size=8, load_size=0, ngf=2, ndf=2, netG="resnet_6blocks", netD="pixel")
    once, parts = (
        plan.plan(dual, images, Run("unused", epochs=5, batch_size=4 // count, accumulate=count), timed=1)
        for count in (1, 2)
    )
    assert parts.operations == once.operations > 0
    assert (parts.steps, parts.variables, parts.networks) == (once.steps, once.variables, once.networks)
    assert (parts.steps, parts.epochs, once.epochs) == (5, 5.0, 5.0)  # a step is an epoch


@pytest.mark.thorough
def test_a_global_critic_sees_the_whole_image(dataset):
    images = Images("set", data_root=str(dataset(train_A=1, train_B=1)))
    found = plan.plan(small.dualgan(gan_loss="lsgan"), images, Run("unused", steps=1), timed=1)
    assert found.networks[1].sees == math.inf
    assert "the whole image" in plan.text(found)


def test_without_images_there_is_no_plan(tmp_path):
    with pytest.raises(UserError, match="the folder does not exist"):
        plan.plan(small.dualgan(), Images("none", data_root=str(tmp_path)), Run("unused"))


def test_the_time_of_a_training_is_that_of_its_steps():
    planned = plan.Plan([], 2 * 10**9, 2**20, 2**21, 0.5, 7200, 2.0)
    text = plan.text(planned)
    assert text.endswith("7,200 steps, 2.0 epochs: 1 h 0 min")
    assert "2.0 GFLOP, 0.5 s on this machine, 4 GFLOP/s" in text
    assert "1 MiB of variables, 2 MiB of main memory at peak" in text


def test_variables_are_counted_in_bytes_and_epochs_by_the_images_of_a_step(dataset, monkeypatch):
    """Four gains of 4 bytes and two counters of 8; 5 steps of 2 x 2 images are 2.5 epochs of 8."""
    monkeypatch.setattr(plan, "_networks", lambda *_: [])
    images = Images("set", data_root=str(dataset(train_A=8, train_B=3)))
    found = plan.plan(small.Gain(n_critic=2), images, Run("unused", steps=5, batch_size=2), timed=1)
    assert found.variables == 4 * 4 + 2 * 8
    assert (found.steps, found.epochs) == (5, 2.5)


@pytest.mark.parametrize(
    ("output", "sees", "words"),
    [
        ((4, 4, 1), 31.0, "4x4x1         31x31 pixels"),
        ((4, 4, 1), 32.0, "4x4x1         32x32 pixels"),
        ((4, 4, 1), 33.0, "4x4x1         33x33 pixels (more than its 32)"),
        ((4, 4, 1), math.inf, "4x4x1         the whole image"),
        ((), 0.0, "              only in training"),
    ],
)
def test_a_row_of_the_table_has_what_a_network_sees(output, sees, words):
    planned = plan.Plan([plan.NetworkPlan("A2B critic", 1234, output, sees, 32)], 1, 1, 1, 1.0, 1, 1.0)
    assert plan.text(planned).splitlines()[1] == f"A2B critic               1,234   {words}"
