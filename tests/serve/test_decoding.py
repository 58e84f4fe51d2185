"""The process that decodes for the server: what it reads, its limits, and that it is replaced."""

import contextlib
import io
import os
import struct
import threading
import time

import numpy as np
import PIL.Image
import pytest

from common.errors import UserError
from common.images import files
from common.serve import decoder as decoder_program
from common.serve import decoding
from common.serve.decoding import Decoder
from common.serve.refused import Refused
from common.serve.service import Service
from tests.reliability import image_fuzz


@pytest.fixture(scope="module")
def decoder():
    with contextlib.closing(Decoder(4_194_304, 2**25)) as decoder:
        yield decoder


def test_it_decodes_as_this_process_does(decoder, tmp_path):
    for name, content in image_fuzz.originals().items():
        path = tmp_path / name
        path.write_bytes(content)
        image, expected = decoder.decode(path), files.decode(path)
        np.testing.assert_array_equal(image.pixels, expected.pixels, name)
        assert image.pixels.dtype == expected.pixels.dtype and (image.alpha is None) == (expected.alpha is None)
        if image.alpha is not None:
            np.testing.assert_array_equal(image.alpha, expected.alpha, name)
        assert (image.place, image.notes) == (expected.place, expected.notes), name


def test_a_process_that_does_not_start_is_ended(monkeypatch, tmp_path):
    monkeypatch.setattr(decoding, "_starts", lambda process: False)
    with contextlib.closing(Decoder(100, 2**20)) as decoder:
        process = decoder._process
        with pytest.raises(RuntimeError, match="the decoding process does not start"):
            decoder.decode(tmp_path / "a.png")
        assert process.poll() is not None


def test_without_statistics_all_memory_may_be_mapped(monkeypatch):
    def fail(path):
        raise OSError

    monkeypatch.setattr(decoder_program.pathlib.Path, "read_text", fail)
    assert decoder_program._address_space() == 2**40  # bytes, more than machines have


def test_the_largest_limits_let_images_through(tmp_path):
    largest = Service(max_pixels=10**12, max_mb=2**20)
    with pytest.raises(UserError, match=f"--max_mb {2**20 + 1} is too large"):
        Service(max_mb=2**20 + 1)
    (tmp_path / "a.png").write_bytes(image_fuzz.originals()["rgb.png"])
    with contextlib.closing(Decoder(largest.max_pixels, largest.max_mb * 2**20)) as decoder:
        np.testing.assert_array_equal(
            decoder.decode(tmp_path / "a.png").pixels, files.decode(tmp_path / "a.png").pixels
        )


def test_what_cannot_be_read_is_refused_without_its_path(decoder, tmp_path):
    for number in range(60):
        path = tmp_path / str(number)
        path.write_bytes(image_fuzz.mutated(5, number)[1])
        try:
            image = decoder.decode(path)
        except Refused as refused:
            assert str(tmp_path) not in refused.sentence and refused.status in (400, 413, 507)
            if refused.status == 400:
                with pytest.raises(UserError):
                    files.decode(path)
        else:
            np.testing.assert_array_equal(image.pixels, files.decode(path).pixels)


def test_too_many_pixels_are_refused(decoder, tmp_path):
    PIL.Image.new("L", (4097, 1024)).save(tmp_path / "large.png")
    with pytest.raises(Refused, match="The image has 4,195,328 pixels, but the limit is 4,194,304") as error:
        decoder.decode(tmp_path / "large.png")
    assert error.value.status == 413


def slow(path):
    """An image that takes longer to decode than a tenth of a second."""
    noise = np.random.default_rng(0).integers(0, 256, [2000, 2000, 3], np.uint8)
    PIL.Image.fromarray(noise).save(path, "JPEG", progressive=True, quality=90)


def test_a_decode_that_takes_too_long_is_ended_and_the_next_is_done(tmp_path):
    slow(tmp_path / "slow")
    PIL.Image.new("L", (8, 8)).save(tmp_path / "fast", "PNG")
    with contextlib.closing(Decoder(4_194_304, seconds=0.05)) as decoder:
        assert decoder.decode(tmp_path / "fast").pixels.shape == (8, 8, 1)
        first = decoder._process.pid
        began = time.monotonic()
        with pytest.raises(Refused, match=r"The image takes longer to decode than 0.05 seconds") as error:
            decoder.decode(tmp_path / "slow")
        assert time.monotonic() - began < 5.0 and error.value.status == 400
        assert not os.path.exists(f"/proc/{first}")
        assert decoder.decode(tmp_path / "fast").pixels.shape == (8, 8, 1)


@pytest.mark.thorough
def test_a_process_that_is_gone_is_replaced(decoder, tmp_path):
    PIL.Image.new("L", (8, 8)).save(tmp_path / "image.png")
    decoder.decode(tmp_path / "image.png")
    decoder._process.kill()
    decoder._process.wait()
    assert decoder.decode(tmp_path / "image.png").pixels.shape == (8, 8, 1)


def test_memory_is_bounded(decoder, tmp_path):
    """An array whose header does not say how much a decode takes: 4 megapixels of 600 channels."""
    array = tmp_path / "array"
    header = "{'descr': '|u1', 'fortran_order': False, 'shape': (2048, 2048, 600), }"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    with open(array, "wb") as file:
        file.write(b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header.encode())
        file.truncate(10 + len(header) + 2048 * 2048 * 600)  # sparse
    with pytest.raises(Refused, match="too much memory"):
        decoder.decode(array)
    content = io.BytesIO()
    PIL.Image.new("RGB", (2000, 2000)).save(content, "PNG")
    (tmp_path / "image").write_bytes(content.getvalue())
    assert decoder.decode(tmp_path / "image").pixels.shape == (2000, 2000, 3)


@pytest.mark.thorough
def test_closing_ends_a_decode_in_hand(tmp_path):
    slow(tmp_path / "slow")
    PIL.Image.new("L", (8, 8)).save(tmp_path / "fast", "PNG")
    decoder = Decoder(4_194_304)
    decoder.decode(tmp_path / "fast")  # its process has started
    errors = []

    def decode():
        try:
            while True:
                decoder.decode(tmp_path / "slow")
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=decode)
    thread.start()
    time.sleep(0.3)
    began = time.monotonic()
    decoder.close()
    thread.join()
    assert time.monotonic() - began < 5.0
    assert [(error.status, str(error)) for error in errors] == [
        (503, "The server is shutting down. Send the image again later.")
    ]


def test_the_room_is_of_pixels_and_bytes(decoder):
    assert decoder._room == 671_088_640  # 2**28 + 64 bytes for each of 4,194,304 pixels + 4 x 32 MiB
