"""What a batch holds depends on its number alone."""

import time

import numpy as np
import pytest

from common import tensorflow as tf
from common.errors import UserError
from common.images import Images, pipeline
from common.images.pixels import EIGHT_BITS
from examples.semi_supervised import SemiSupervised
from pix2pix import Pix2Pix
from tests import small


def read(root, count, batch_size=1, start=0, seed=1, dual=None, **fields):
    """`count` training batches from global sample index `start`, as arrays."""
    dual, images = dual or small.dualgan(image_size=16), Images("set", data_root=str(root), **fields)
    with small.session_of_a_run() as session:
        tf.set_random_seed(seed)
        position = tf.placeholder(tf.int64, [])
        files = images.training_files(dual)
        loaders, partners = images.loaders(dual, files, images.domains(dual, files)), images.partners(dual, files)
        batch, begin = pipeline.training_batches(loaders, dual, batch_size, position, partners, shuffle=images.shuffle)
        session.run(begin, {position: start})
        with pipeline.naming_failures(loaders):
            return [session.run(batch) for _ in range(count)]


def numbers(images):
    """The numbers of the files, from the colours that the fixture gave them."""
    return np.rint((images[:, 0, 0, 0] + 1.0) * 127.5 / 8).astype(int).tolist()


def test_batches_hold_the_files_that_they_name(dataset):
    batches = read(dataset(train_A=5, train_B=5), 6, batch_size=2)
    for batch in batches:
        assert numbers(batch.A) == batch.file_A.tolist()
        assert numbers(batch.B) == batch.file_B.tolist()
        assert batch.A.shape == (2, 16, 16, 3)
        assert batch.waited >= 0.0
    assert np.concatenate([batch.index for batch in batches]).tolist() == list(range(12))


def test_every_epoch_holds_every_file_and_the_smaller_domain_begins_again(dataset):
    batches = read(dataset(train_A=6, train_B=4), 6, batch_size=2)
    A = np.concatenate([batch.file_A for batch in batches]).reshape(2, 6)
    B = np.concatenate([batch.file_B for batch in batches]).reshape(3, 4)
    assert [sorted(epoch) for epoch in A.tolist()] == [list(range(6))] * 2
    assert [sorted(epoch) for epoch in B.tolist()] == [list(range(4))] * 3
    assert A[0].tolist() != A[1].tolist()


def test_reading_can_begin_anywhere(dataset):
    root = dataset(train_A=5, train_B=3, size=24)
    dual = small.dualgan(image_size=16, load_size=24, flip=True)
    whole, part = read(root, 6, 2, dual=dual), read(root, 3, 2, start=6, dual=dual)
    for one, other in zip(whole[3:], part):
        for name in ("index", "A", "B", "file_A", "file_B"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_batch_size_does_not_change_the_sequence(dataset):
    root = dataset(train_A=5, train_B=3)
    ones, threes = read(root, 9), read(root, 3, batch_size=3)
    np.testing.assert_array_equal(np.concatenate([b.A for b in ones]), np.concatenate([b.A for b in threes]))


def test_unpaired_sets_do_not_turn_into_pairs(dataset):
    """With equal counts, A_i meets B_i in 1 of 20: of 200, 10 ± 3 x 3.1 (see test_randomness for other seeds)."""
    batches = read(dataset(train_A=20, train_B=20, size=1), 200, dual=small.Gain(image_size=1))
    met = sum(int(batch.file_A[0] == batch.file_B[0]) for batch in batches)
    assert 1 <= met <= 19


def test_pairs_stay_pairs_with_one_crop_and_one_flip(dataset):
    root = dataset(train_A=6, train_B=6, size=32)
    stripes = np.broadcast_to(np.arange(32, dtype=np.uint8)[None, :, None] * 4, [32, 32, 3])
    for number in range(6):
        for domain in "AB":
            pipeline.files.write(root / "set" / "train" / domain / f"{number:03d}.png", stripes + 8 * np.uint8(number))
    dual = Pix2Pix(image_size=16, load_size=0, preprocess="crop", netG="resnet_6blocks", n_layers=1)
    batches = read(root, 12, dual=dual)
    for batch in batches:
        assert batch.file_A == batch.file_B
        np.testing.assert_array_equal(batch.A, batch.B)
    assert len({batch.A[0, 0, 0, 0] for batch in batches}) > 6


def test_halves_of_files_of_one_stem_stay_together(tmp_path):
    for name, shade in (("x.bmp", 10), ("x.png", 90), ("y.png", 200)):
        halves = np.concatenate(
            [np.full([16, 16, 3], shade, np.uint8), np.full([16, 16, 3], shade + 5, np.uint8)], axis=1
        )
        pipeline.files.write(tmp_path / "set" / "train" / name, halves)
    dual = Pix2Pix(image_size=16, load_size=0, netG="resnet_6blocks", n_layers=1)
    for batch in read(tmp_path, 6, dual=dual, side_by_side=True):
        assert batch.file_A == batch.file_B
        np.testing.assert_allclose(batch.B - batch.A, 5 / 127.5, atol=1e-6)


def test_some_pairs_come_together_and_the_others_do_not(dataset):
    root = dataset(train_A=6, train_B=6, size=32)
    for number in (4, 5):  # of A they have no partner
        (root / "set" / "train" / "A" / f"{number:03d}.png").rename(root / "set" / "train" / "A" / f"x{number}.png")
    dual = SemiSupervised(image_size=16, load_size=24, netG="resnet_6blocks", n_layers=1)
    batches = read(root, 60, dual=dual)
    for batch in batches:
        assert batch.matched == (batch.file_A < 4)
        if batch.matched:
            assert batch.file_A == batch.file_B
    alone = [int(batch.file_B[0]) for batch in batches if not batch.matched]
    assert len(alone) == 20 and len(set(alone)) > 2
    with pytest.raises(UserError, match="No image in A matches one in B"):
        read(_without_pairs(root), 1, dual=dual)


def _without_pairs(root):
    for path in (root / "set" / "train" / "A").iterdir():
        path.rename(path.with_name(f"a{path.name}"))
    return root


def test_without_shuffling_every_epoch_has_the_order_of_names_and_other_crops(dataset):
    root, dual = dataset(train_A=5, train_B=3, size=24), small.dualgan(image_size=16, load_size=24, flip=True)
    batches = read(root, 10, 2, dual=dual, shuffle=False)
    assert np.concatenate([batch.file_A for batch in batches]).tolist() == 4 * [0, 1, 2, 3, 4]
    assert np.concatenate([batch.file_B for batch in batches]).tolist() == [number % 3 for number in range(20)]
    begun = read(root, 3, 2, start=8, dual=dual, shuffle=False)
    np.testing.assert_array_equal([batch.file_A for batch in begun], [[3, 4], [0, 1], [2, 3]])
    np.testing.assert_array_equal([batch.file_B for batch in begun], [[2, 0], [1, 2], [0, 1]])


def test_without_shuffling_pairs_come_in_the_order_of_names_with_random_crops(tmp_path):
    for number, name in enumerate(("c", "a", "b")):
        for domain in "AB":
            image = np.random.default_rng(number).integers(0, 256, [24, 24, 3], np.uint8)
            pipeline.files.write(tmp_path / "set" / "train" / domain / f"{name}.png", image)
    dual = Pix2Pix(image_size=16, load_size=0, preprocess="crop", netG="resnet_6blocks", n_layers=1)
    batches = read(tmp_path, 9, dual=dual, shuffle=False)
    assert [int(batch.file_A[0]) for batch in batches] == 3 * [0, 1, 2]  # of a, b, c
    for batch in batches:
        np.testing.assert_array_equal(batch.A, batch.B)
    assert len({batch.A[0].tobytes() for batch in batches}) == 9


def test_another_seed_is_another_order(dataset):
    root = dataset(train_A=20, train_B=20)
    orders = [[int(batch.file_A[0]) for batch in read(root, 20, seed=seed)] for seed in (1, 2)]
    assert orders[0] != orders[1]


def test_crops_and_flips_differ_between_images_and_epochs(dataset):
    root = dataset(train_A=1, train_B=1, size=32)
    stripes = np.broadcast_to(np.arange(32, dtype=np.uint8)[None, :, None] * 4, [32, 32, 3])
    pipeline.files.write(root / "set" / "train" / "A" / "000.png", stripes)
    batches = read(root, 40, dual=small.dualgan(image_size=16, preprocess="crop", flip=True))
    firsts = {int(np.rint((batch.A[0, 0, 0, 0] + 1) * 127.5 / 4)) for batch in batches}
    rising = {bool(batch.A[0, 0, 1, 0] > batch.A[0, 0, 0, 0]) for batch in batches}
    assert len(firsts) > 10
    assert rising == {True, False}


@pytest.mark.parametrize("cache_gb", [0.0, 1.0])
def test_what_is_remembered_is_read_once(dataset, monkeypatch, cache_gb):
    root, reads = dataset(train_A=2, train_B=2), []
    original = pipeline.files.read
    monkeypatch.setattr(pipeline.files, "read", lambda *arguments: reads.append(arguments) or original(*arguments))
    read(root, 10, cache_gb=cache_gb)
    if cache_gb:  # threads that begin together may read a file at the same time
        assert len(reads) <= 4 + pipeline.THREADS
    else:
        assert len(reads) >= 20


def test_an_image_smaller_than_the_crop_is_named(dataset):
    with pytest.raises(UserError, match=r"000.png is 16x16, smaller than the crop of 32x32 .*resize_and_crop"):
        read(dataset(train_A=1, train_B=1), 1, dual=small.dualgan(preprocess="crop"))


def test_an_image_that_does_not_read_is_named(dataset):
    root = dataset(train_A=1, train_B=1)
    (root / "set" / "train" / "B" / "000.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"train/B/000.png cannot be read as an image"):
        read(root, 1)


def test_all_images_come_once_and_in_order(dataset):
    dual, images = small.dualgan(image_size=16), Images("set", data_root=str(dataset(train_A=5, train_B=1)))
    with small.session_of_a_run() as session:
        files = images.training_files(dual)
        loader, _ = images.loaders(dual, files, images.domains(dual, files))
        batch, begin = pipeline.all_images(loader, dual, 2)
        session.run(begin)
        batches = [session.run(batch) for _ in range(3)]
        with pytest.raises(tf.errors.OutOfRangeError):
            session.run(batch)
    assert [list(number) for number, _ in batches] == [[0, 1], [2, 3], [4]]
    assert [numbers(images) for _, images in batches] == [[0, 1], [2, 3], [4]]


def test_the_clock_is_one_that_deterministic_kernels_allow(session):
    seconds = pipeline._now()
    assert seconds.op.type != "Timestamp"
    assert session.run(seconds) == pytest.approx(time.time(), abs=5.0)


def test_the_cache_holds_no_more_than_its_room(dataset, monkeypatch):
    """Of three images of 16 x 16 x 3 = 768 bytes it holds two; half of --cache_gb is for each domain."""
    images = Images("set", data_root=str(dataset(train_A=3, train_B=1)), cache_gb=4 * 768 / 2**30)
    dual = small.dualgan()
    loader, _ = images.loaders(dual, images.training_files(dual), {"A": EIGHT_BITS, "B": EIGHT_BITS})
    reads, original = [], pipeline.files.read
    monkeypatch.setattr(pipeline.files, "read", lambda path, *more: reads.append(path.stem) or original(path, *more))
    for number in (0, 1, 2, 0, 1, 2):
        loader(number)
    assert reads == ["000", "001", "002", "002"]
