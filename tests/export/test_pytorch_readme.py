"""The Python in the README of exported PyTorch weights, run on images."""

import dataclasses

import numpy as np
import PIL.Image
import pytest

from common.export import pytorch_readme
from common.export.model import Model
from common.export.state_dicts import PTH, SAFETENSORS, ReadBack
from common.images.classes import Classes
from common.images.pixels import EIGHT_BITS, Domain
from contrastive import Contrastive
from cyclegan import CycleGAN
from pix2pix import Pix2Pix

COLOURS = np.uint8([[0, 0, 0], [0, 0, 255], [255, 0, 0]])


def test_label_maps_are_read_as_the_networks_see_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    numbers = np.random.default_rng(0).integers(0, 3, [5, 7])
    nearly = np.clip(COLOURS[numbers].astype(int) + 20, 0, 255).astype(np.uint8)  # the nearest colour is the class
    PIL.Image.fromarray(nearly).save("photo.png")
    labelled = dataclasses.replace(EIGHT_BITS, classes=Classes.of(COLOURS, COLOURS))
    read, write = pytorch_readme._pictures(labelled, labelled)
    names = {"np": np, "Image": PIL.Image}
    exec(read, names)
    np.testing.assert_allclose(names["image"], COLOURS[numbers][None] / 127.5 - 1.0, atol=1e-6)
    names["translated"] = -names["image"]  # the opposite of red is nearest to blue or black
    exec(write, names)
    distances = [[np.sum((-(c / 127.5 - 1.0) - (d / 127.5 - 1.0)) ** 2) for d in COLOURS] for c in COLOURS]
    expected = COLOURS[np.argmin(distances, axis=1)[numbers]]
    np.testing.assert_array_equal(np.asarray(PIL.Image.open("translated.png")), expected)


def test_photographs_are_read_and_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    photo = np.random.default_rng(1).integers(0, 256, [5, 7, 3], np.uint8)
    PIL.Image.fromarray(photo).save("photo.png")
    read, write = pytorch_readme._pictures(EIGHT_BITS, EIGHT_BITS)
    names = {"np": np, "Image": PIL.Image}
    exec(read, names)
    np.testing.assert_allclose(names["image"], photo[None] / 127.5 - 1.0, atol=1e-6)
    names["translated"] = names["image"]
    exec(write, names)
    np.testing.assert_array_equal(np.asarray(PIL.Image.open("translated.png")), photo)


def model_of(dual, A=EIGHT_BITS, B=EIGHT_BITS):
    return Model(dual, {"A": A, "B": B}, dual.directions, None, [], [], "{}", 1234)


CYCLEGAN = """\
# CycleGAN, A2B and B2A, at step 1,234

In a clone of github.com/junyanz/pytorch-CycleGAN-and-pix2pix with the files of this folder, after `pip install torch pillow`:

```python
import numpy as np
import torch
from torch import nn
from PIL import Image
from models.networks import ResnetGenerator

network = ResnetGenerator(3, 1, 2, nn.InstanceNorm2d, use_dropout=False, n_blocks=9)
network.load_state_dict(torch.load("latest_net_G_A.pth", weights_only=True))
network.eval()
photo = Image.open("photo.png").convert("RGB")
image = np.asarray(photo, np.float32)[None] / 127.5 - 1.0  # [N, H, W, C]
with torch.no_grad():
    output = network(torch.from_numpy(image).permute(0, 3, 1, 2))
translated = output.permute(0, 2, 3, 1).numpy()
Image.fromarray(np.rint((translated[0, ..., 0] + 1.0) * 127.5).astype(np.uint8)).save("translated.png")
```

- Files: `latest_net_G_A.pth` translates A2B, `latest_net_G_B.pth` translates B2A.
- Images of A have 3 channels of uint8 from 0 to 255, scaled to -1 to 1.
- Images of B have 1 channels of uint8 from 0 to 255, scaled to -1 to 1.
- H and W must be multiples of 4: the published networks do not pad.
- All weights were read back and equal those of the run bit for bit. Outputs were not compared, which needs PyTorch; they are equal except for rounding if the network is built and called as above.
- To create a run from the files, use `python -m MODEL.main --phase import_weights --source latest_net_G_A.pth,latest_net_G_B.pth --image_size 32 --load_size 36 --dropout 0.0 --norm_epsilon 1e-05 --run_dir NEW`.
"""  # noqa: E501
PIX2PIX = """\
# Pix2Pix, B2A, at step 1,234

In a clone of github.com/junyanz/pytorch-CycleGAN-and-pix2pix with the files of this folder, after `pip install torch safetensors numpy`:

```python
import numpy as np
import torch
from torch import nn
import functools
from safetensors.torch import load_file
from models.networks import UnetGenerator

network = UnetGenerator(1, 1, 6, 4, functools.partial(nn.BatchNorm2d, eps=0.001), use_dropout=True)
network.load_state_dict(load_file("latest_net_G.safetensors"))
network.train()  # so that batch norms use the statistics of the image
for layer in network.modules():
    if isinstance(layer, nn.Dropout):
        layer.eval()
image = np.load("photo.npy")[None]  # [N, H, W, 1] of uint16
image = ((image - 500.0) / 1250.0 - 1.0).astype("float32")
with torch.no_grad():
    output = network(torch.from_numpy(image).permute(0, 3, 1, 2))
translated = output.permute(0, 2, 3, 1).numpy()
np.save("translated.npy", (np.rint((translated[0] + 1.0) * 1250.0 + 500.0)).astype("uint16"))
```

- Files: `latest_net_G.safetensors` translates B2A.
- Images of A have 1 channels of uint16 from 500 to 3,000, scaled to -1 to 1.
- Images of B have 1 channels of uint16 from 500 to 3,000, scaled to -1 to 1.
- H and W must be multiples of 64: the published networks do not pad.
- Batch norms use the statistics of the image, so translate images one at a time. This run has no running statistics: the files have those that PyTorch starts with, which `eval()` and `test.py --eval` must not use.
- Dropout is off in the code above. The published networks have a rate of 0.5.
- All weights were read back and equal those of the run bit for bit. Outputs were not compared, which needs PyTorch; they are equal except for rounding if the network is built and called as above.
- To create a run from the files, use `python -m MODEL.main --phase import_weights --source latest_net_G.safetensors --image_size 64 --load_size 0 --dropout 0.25 --norm_epsilon 0.001 --train_direction B2A --run_dir NEW`.
"""  # noqa: E501


def test_the_readme_of_two_resnets():
    dual = CycleGAN(netG="resnet_9blocks", ngf=2, channels_B=1, image_size=32, load_size=36, dropout=0.0)
    read_back = [ReadBack("latest_net_G_A.pth", "A2B", 36), ReadBack("latest_net_G_B.pth", "B2A", 36)]
    assert pytorch_readme.text(model_of(dual, B=Domain(1)), PTH, read_back) == CYCLEGAN


def test_the_readme_of_a_unet_of_other_images():
    dual = Pix2Pix(netG="unet_64", ngf=4, image_size=64, load_size=0, channels_A=1, channels_B=1)
    dual = dataclasses.replace(dual, train_direction="B2A", dropout=0.25, norm_epsilon=0.001)
    deep = Domain(1, "uint16", 500.0, 3000.0)
    read_back = [ReadBack("latest_net_G.safetensors", "B2A", 58)]
    assert pytorch_readme.text(model_of(dual, deep, deep), SAFETENSORS, read_back) == PIX2PIX


@pytest.mark.parametrize(
    ("fields", "layer", "mode"),
    [
        ({"norm": "instance"}, "nn.InstanceNorm2d", "network.eval()"),
        (
            {"norm": "instance", "norm_epsilon": 0.25},
            "functools.partial(nn.InstanceNorm2d, eps=0.25)",
            "network.eval()",
        ),
        ({"norm": "instance_affine"}, "functools.partial(nn.InstanceNorm2d, affine=True)", "network.eval()"),
        (
            {"norm": "instance_affine", "norm_epsilon": 0.25},
            "functools.partial(nn.InstanceNorm2d, affine=True, eps=0.25)",
            "network.eval()",
        ),
        ({"norm": "bare", "norm_epsilon": 0.25, "norm_bias": False}, "nn.Identity", "network.eval()"),
        ({"norm": "batch"}, "nn.BatchNorm2d", "network.train()"),
        ({"norm": "batch", "running_statistics": True}, "nn.BatchNorm2d", "network.eval()"),
    ],
)
def test_each_norm_is_that_of_pytorch(fields, layer, mode):
    dual = CycleGAN(netG="resnet_6blocks", ngf=2, image_size=32, load_size=36, dropout=0.0, **fields)
    code = pytorch_readme.example(model_of(dual), PTH)
    assert f"network = ResnetGenerator(3, 3, 2, {layer}, use_dropout=False, n_blocks=6)" in code
    assert mode in code and ("import functools" in code) == ("functools" in layer)
    notes = pytorch_readme.text(model_of(dual), PTH, [])
    assert ("This run has no running statistics" in notes) == (mode == "network.train()")
    assert ("--running_statistics" in notes) == dual.running_statistics


def test_networks_that_blur_are_those_of_cut():
    dual = Contrastive(netG="resnet_6blocks_blur", ngf=2, image_size=32, load_size=36)
    text = pytorch_readme.text(model_of(dual), PTH, [])
    assert "In a clone of github.com/taesungp/contrastive-unpaired-translation with the files" in text


@pytest.mark.parametrize("channels", [1, 3])
def test_label_maps_of_numbers_are_pictures_too(tmp_path, monkeypatch, channels):
    monkeypatch.chdir(tmp_path)
    values = COLOURS if channels == 3 else np.uint8([[7], [90], [200]])
    numbers = np.random.default_rng(0).integers(0, 3, [5, 7])
    stored = values[numbers]
    PIL.Image.fromarray(stored if channels == 3 else stored[..., 0]).save("photo.png")
    labelled = Domain(channels, classes=Classes.of(values, COLOURS))
    read, write = pytorch_readme._pictures(labelled, labelled)
    names = {"np": np, "Image": PIL.Image}
    exec(read, names)
    np.testing.assert_allclose(names["image"], COLOURS[numbers][None] / 127.5 - 1.0, atol=1e-6)
    names["translated"] = names["image"][:, ::-1]
    exec(write, names)
    written = np.asarray(PIL.Image.open("translated.png"))
    np.testing.assert_array_equal(written.reshape(stored.shape), stored[::-1])


def test_gray_photographs_are_read_and_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    photo = np.random.default_rng(1).integers(0, 256, [5, 7], np.uint8)
    PIL.Image.fromarray(photo).save("photo.png")
    names = {"np": np, "Image": PIL.Image}
    read, write = pytorch_readme._pictures(Domain(1), Domain(1))
    exec(read, names)
    np.testing.assert_allclose(names["image"], photo[None, ..., None] / 127.5 - 1.0, atol=1e-6)
    names["translated"] = names["image"]
    exec(write, names)
    np.testing.assert_array_equal(np.asarray(PIL.Image.open("translated.png")), photo)
