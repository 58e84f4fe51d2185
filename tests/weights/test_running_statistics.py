"""Running statistics are imported on request alone, used, and not trained with."""

import re

import numpy as np
import pytest

from common.images import files
from common.run.folder import has_begun, load_run
from cyclegan import CycleGAN
from pix2pix import Pix2Pix
from tests.published_arrays import resnet, save, unet
from tests.weights.test_importing import refusal, run, values

LINE = "--phase import_weights --source net_G.pth --run_dir run"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save("net_G.pth", unet(3, 3, 1))


def test_on_request_alone(capsys):
    run(Pix2Pix, f"{LINE} --running_statistics")
    printed = capsys.readouterr().out
    assert "use their running statistics, as with test.py --eval; dropout is off" in printed
    assumed = "--image_size 64, --dropout 0.5. Use these flags if other values were trained."
    assert f"Assumed, as the files do not store it: {assumed}\n" in printed
    arrays, stored = values("run"), unet(3, 3, 1)
    first = "model.model.1.model.2"  # the first norm
    for name, own in (("running_mean", "running_mean"), ("running_variance", "running_var")):
        np.testing.assert_array_equal(arrays[f"A2B/generator/down_1/{name}"], stored[f"{first}.{own}"])
    run(Pix2Pix, LINE.replace("run_dir run", "run_dir plain"))
    assert not load_run("plain").dual.running_statistics and load_run("plain").dual.test_dropout
    assert not [name for name in values("plain") if "running" in name]
    with_them, without = (re.findall(r"([\d,]+) parameters", text) for text in (printed, capsys.readouterr().out))
    assert with_them == without != []


@pytest.mark.thorough
def test_they_are_used_with_noise_on_request():
    run(Pix2Pix, f"{LINE} --running_statistics --test_dropout")
    assert load_run("run").dual.test_dropout
    files.write("in/x.png", np.full([64, 64, 3], 200, np.uint8))
    run(Pix2Pix, "--phase translate --run_dir run --input in --output out")
    assert files.decode("out/x.png").pixels.shape == (64, 64, 3)


def test_what_has_none_is_refused():
    save("instance.pth", resnet(3, 3, 2))
    line = "--phase import_weights --run_dir run --running_statistics --source"
    assert "instance.pth has no running statistics" in refusal(CycleGAN, f"{line} instance.pth")
    old = {**resnet(3, 3, 2), "model.2.running_mean": np.zeros(2, np.float32)}  # as early files have it
    message = refusal(CycleGAN, f"{line} {save('old.pth', old)}")
    assert "is only for --norm batch, but these generators have --norm instance" in message
    arrays = unet(3, 3, 1)
    negative = {**arrays, "model.model.1.model.2.running_var": np.float32([-1, 1])}
    assert "negative variances" in refusal(Pix2Pix, f"{line} {save('x.pth', negative)}")
    missing = {name: array for name, array in arrays.items() if name != "model.model.1.model.2.running_var"}
    assert "model.model.1.model.2.running_var [2] is missing" in refusal(Pix2Pix, f"{line} {save('x.pth', missing)}")
    assert not has_begun("run")


@pytest.mark.thorough
def test_training_goes_without_unless_asked(dataset, capsys):
    dataset("set", size=64, train_A=1, train_B=1)
    own = "--dataset set --data_root . --notensorboard"
    run(Pix2Pix, f"{LINE} --running_statistics --load_size 64")
    more = "--phase train --init_from run --run_dir more --n_layers 1 --ndf 1 --steps 1 --lr_G 0 --lr_D 0"
    more += " --norunning_statistics"
    run(Pix2Pix, f"{more} {own}")
    assert "Without its running statistics" in capsys.readouterr().out
    assert not load_run("more").dual.running_statistics
    before, after = values("run"), values("more")
    weights = {name for name in before if "running" not in name}
    assert len(weights) < len(before) and not [name for name in after if "running" in name]
    for name in weights:
        np.testing.assert_array_equal(after[name], before[name], err_msg=name)
