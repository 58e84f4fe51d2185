"""Weights as arrays of NumPy: they come back as they were, and sizes that are not so are refused."""

import io
import os
import zipfile

import numpy as np
import pytest

from common.errors import UserError
from common.weights import npz

ARRAYS = {
    "A2B/generator/in/kernel": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
    "A2B/generator/in/bias": np.array([0.5, -2.0], np.float32),
}
TEXT = '{"dual": {"class": "雨"}}'


def header(shape, dtype="<f4"):
    """The beginning of an .npy file, as its format is published."""
    about = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    about += b" " * (-(len(about) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(about).to_bytes(2, "little") + about


def write(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def refusal(path):
    with pytest.raises(UserError) as error:
        npz.read(path)
    assert str(path) in str(error.value)
    return str(error.value)


def test_there_and_back(tmp_path):
    path = tmp_path / "weights.npz"
    npz.write(path, TEXT, ARRAYS)
    assert npz.is_weights(path)
    text, arrays = npz.read(path)
    assert text == TEXT and arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
    with np.load(path) as archive:  # without this program
        assert archive["config"].tobytes().decode() == TEXT
        np.testing.assert_array_equal(archive["A2B/generator/in/kernel"], ARRAYS["A2B/generator/in/kernel"])
    assert os.listdir(tmp_path) == ["weights.npz"]


def test_as_numpy_writes_it(tmp_path):
    for save in (np.savez, np.savez_compressed):
        path = tmp_path / f"{save.__name__}.npz"
        save(path, config=np.frombuffer(TEXT.encode(), np.uint8), **ARRAYS)
        text, arrays = npz.read(path)
        assert text == TEXT
        np.testing.assert_array_equal(arrays["A2B/generator/in/bias"], ARRAYS["A2B/generator/in/bias"])


def test_other_files(tmp_path):
    np.savez(tmp_path / "without.npz", x=np.zeros(3))
    assert not npz.is_weights(tmp_path / "without.npz")
    for content in (b"", b"PK\x03\x04", b"\x93NUMPY"):
        (tmp_path / "other").write_bytes(content)
        assert not npz.is_weights(tmp_path / "other")
        refusal(tmp_path / "other")


def test_what_is_hostile(tmp_path):
    path = tmp_path / "weights.npz"
    config = ("config.npy", header("(2,)", "|u1") + b"{}")
    objects = io.BytesIO()
    np.lib.format.write_array(objects, np.array([print], object), allow_pickle=True)
    assert "not an array of numbers" in refusal(write(path, [config, ("x.npy", objects.getvalue())]))
    assert "not of the stated size" in refusal(write(path, [config, ("x.npy", header("(99999999999,)") + b"\0" * 8)]))
    assert "not of the stated size" in refusal(write(path, [config, ("x.npy", header("(1,)") + b"\0" * 8)]))
    assert "not of the stated size" in refusal(write(path, [config, ("x.npy", header("(-1, -2)") + b"\0" * 64)]))
    refusal(write(path, [config, ("x.npy", header("__import__('os')"))]))
    refusal(write(path, [("x.npy", header("(0,)"))]))
    refusal(write(path, [("config.npy", header("(2,)") + b"\0" * 8)]))
    with pytest.warns(UserWarning):
        write(path, [config, config])
    assert "two of one name" in refusal(path)
    bomb = header(f"({2**25},)") + b"\0" * 2**27
    write(path, [config, ("x.npy", bomb)], zipfile.ZIP_DEFLATED)
    assert os.path.getsize(path) < 2**18 and "more numbers than it can hold" in refusal(path)


def test_every_cut_is_refused(tmp_path):
    path = tmp_path / "weights.npz"
    npz.write(path, TEXT, ARRAYS)
    content = path.read_bytes()
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        refusal(path)
