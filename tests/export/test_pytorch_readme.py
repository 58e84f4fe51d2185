"""The Python in the README of exported PyTorch weights, run on images."""

import dataclasses

import numpy as np
import PIL.Image

from common.export import pytorch_readme
from common.images.classes import Classes
from common.images.pixels import EIGHT_BITS

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
