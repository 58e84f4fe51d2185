"""Trainings that are killed at random moments end in the same bits; see kill."""

import random
import shutil

import pytest

from common.images import Images
from common.run import Run, checkpoint_files
from common.train import train
from tests import small
from tests.reliability import kill


@pytest.mark.slow
@pytest.mark.parametrize("model", kill.MODELS)
def test_bits_are_those_of_an_undisturbed_run(model, tmp_path):
    tally = kill.rounds(model, tmp_path, 100, random.Random(f"{model} 1"))
    assert tally.rounds == 100 and tally.steps > 50
    assert tally.different == []


def test_ended_in_the_middle_of_a_save_it_ends_in_the_same_bits(dataset, monkeypatch):
    """As by SIGKILL: the file of the third checkpoint is written, its digest is not, and nothing is cleared away.

    The run folder is copied at that moment, and the copy is resumed.
    """
    root, seal = dataset(train_A=3, train_B=3), checkpoint_files.seal

    def train_to_six(run):
        images = Images("set", data_root=str(root))
        return train(small.Gain(), images, Run(str(root / run), steps=6, save_every=1, tensorboard=False))

    def copy_at_three(checkpoint):
        if checkpoint.endswith("3"):
            shutil.copytree(root / "whole", root / "killed")
        seal(checkpoint)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint_files, "seal", copy_at_three)
        train_to_six("whole")
    assert not (root / "killed/checkpoints/model-00000003.sha256").exists()
    assert train_to_six("killed")[:3] == (3, 6, 6)
    assert kill.differences(root) == []
