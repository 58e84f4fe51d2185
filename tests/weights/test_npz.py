"""Weights as arrays of NumPy: they come back as they were, and sizes that are not so are refused."""

import dataclasses
import io
import json
import os
import zipfile

import numpy as np
import pytest

from common.errors import UserError
from common.images import Images
from common.run import Run
from common.weights import Source, import_weights, npz
from cyclegan import CycleGAN
from dualgan import DualGAN
from tests import small

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


def test_the_settings_have_a_name_of_their_own(tmp_path):
    with pytest.raises(ValueError, match="config is reserved for the settings, so no array can have that name"):
        npz.write(tmp_path / "weights.npz", TEXT, {"config": np.zeros(2, np.float32)})
    assert os.listdir(tmp_path) == []


CONFIG = ("config.npy", header("(2,)", "|u1") + b"{}")
ONE = np.float32(1).tobytes()


def test_headers_of_the_second_version_are_read(tmp_path):
    """Their length has four bytes; those of the third, for names of fields, hold no plain arrays."""
    first = header("(1,)")
    later = b"\x93NUMPY\x02\x00" + first[8:10] + b"\0\0" + first[10:]
    path = write(tmp_path / "weights.npz", [CONFIG, ("x.npy", later + ONE)])
    np.testing.assert_array_equal(npz.read(path)[1]["x"], [1])
    refusal(write(path, [CONFIG, ("x.npy", b"\x93NUMPY\x03" + later[7:] + ONE)]))


def test_a_config_is_one_row_of_bytes(tmp_path):
    path = tmp_path / "weights.npz"
    for content in (header("(1, 2)", "|u1") + b"{}", header("(2,)", "|i1") + b"{}"):
        assert "(its config is not a text)" in refusal(write(path, [("config.npy", content)]))
    for size, said in ((2**24, None), (2**24 + 1, "(its config is not a text)")):
        write(path, [("config.npy", header(f"({size},)", "|u1") + b" " * size)])
        assert said in refusal(path) if said else len(npz.read(path)[0]) == size


def test_as_many_members_as_there_may_be(tmp_path, monkeypatch):
    path = write(tmp_path / "weights.npz", [(f"{n}.npy", b"") for n in range(10_001)])
    assert "(too many members, or two of one name)" in refusal(path)
    write(path, [CONFIG, ("x.npy", header("(1,)") + ONE), ("y.npy", header("(1,)") + ONE)])
    monkeypatch.setattr(npz, "MAX_MEMBERS", 3)
    assert npz.read(path)[1].keys() == {"x", "y"}
    monkeypatch.setattr(npz, "MAX_MEMBERS", 2)
    assert "(too many members, or two of one name)" in refusal(path)


@pytest.mark.parametrize("packed", [10, 500_000])
def test_unpacked_numbers_may_be_64_mebibytes_or_200_times_the_file(tmp_path, packed):
    """Sizes that are only stated: the second reason says that they were believed at first."""
    path, reasons = tmp_path / "weights.npz", []
    for more in (0, 1):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x.npy", header("(1,)") + bytes(packed))
        limit = max(2**26, 200 * os.path.getsize(path))
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x.npy", header("(1,)") + bytes(packed))
            archive.getinfo("x.npy").file_size = limit + more
        reasons.append(refusal(path).partition("(")[2])
    assert reasons == [
        "x.npy is not an array of numbers, or not of the stated size).",
        "more numbers than it can hold).",
    ]


def test_every_cut_is_refused(tmp_path):
    path = tmp_path / "weights.npz"
    npz.write(path, TEXT, ARRAYS)
    content = path.read_bytes()
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        refusal(path)


def config(**parts):
    """The text of a config.json of a small DualGAN, with other `parts`."""
    dual = {"class": "dualgan:DualGAN", **dataclasses.asdict(small.dualgan())}
    return json.dumps({"dual": dual, **parts})


@pytest.mark.parametrize(
    ("model", "text", "name", "message"),
    [
        (CycleGAN, config(), "A2B/generator/x", "{path} has weights of DualGAN, not of CycleGAN."),
        (DualGAN, "{}", "A2B/generator/x", "{path} has weights of NoneType, not of DualGAN."),
        *(
            (DualGAN, config(), name, f"{{path}} has {name}, which is not a variable of a network.")
            for name in ("A2C/generator/x", "A2B/heads/x", "A2B", "x")
        ),
        (
            DualGAN,
            config(domains={"A": {"channels": 1, "dtype": "uint8", "low": 0.0, "high": 255.0}}),
            "A2B/generator/x",
            "{path} cannot be read as the settings of a run: domains.A.channels is 1, but dual.channels_A is 3. Correct"
            " it, or restore a copy.",
        ),
    ],
)
def test_weights_of_another_kind_are_not_imported(tmp_path, model, text, name, message):
    path = tmp_path / "weights.npz"
    npz.write(path, text, {name: np.zeros(2, np.float32)})
    with pytest.raises(UserError) as error:
        import_weights(model, Source(str(path)), Run(str(tmp_path / "run")), Images("unknown"))
    assert str(error.value) == message.format(path=path)
    assert os.listdir(tmp_path) == ["weights.npz"]
