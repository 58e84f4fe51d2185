"""Images of a run by number: kept, skipped, or refused with a sentence."""

import re
import threading

import numpy as np
import pytest
from absl import logging

from common import tensorflow as tf
from common.errors import ImageError, UserError
from common.images import Images, files, pipeline
from common.images.pixels import EIGHT_BITS, Domain
from common.ops import randomness
from pix2pix import Pix2Pix
from tests import small

ASK = "To skip such images, use --on_bad_image skip."


@pytest.fixture
def said(monkeypatch):
    """The warnings that are given."""
    texts = []
    monkeypatch.setattr(logging, "warning", texts.append)
    return texts


@pytest.fixture
def paths(tmp_path):
    """Four gray images of 8 x 4 pixels, whose values are their numbers."""
    every = [tmp_path / f"{number}.png" for number in range(4)]
    for number, path in enumerate(every):
        files.write(path, np.full([8, 4, 1], number, np.uint8))
    return every


def loader(paths, **fields):
    return pipeline.Loader(paths, Domain(1), 0, **fields)


def refused(call, *arguments):
    with pytest.raises(pipeline.BrokenImage) as error:
        call(*arguments)
    return error.value


@pytest.mark.parametrize("skip", [True, False])
def test_a_broken_image_is_named_with_its_cure_and_the_flag_that_skips_it(paths, said, skip):
    paths[1].write_bytes(b"no image")
    broken = refused(loader(paths, skip=skip), 1)
    problem = f"{paths[1]} cannot be read as an image (its content is not in a supported format)."
    assert str(broken) == f"{problem} Replace or remove it." + f" {ASK}" * (not skip)
    assert (broken.path, broken.was_read, broken.index) == (paths[1], False, -1)
    assert said == [f"warning: {problem} Another image takes its place (--on_bad_image skip)."] * skip
    assert str(refused(loader(paths, skip=skip).read, paths[1])) == str(broken)


def test_an_error_without_a_cure_gets_only_the_flag(tmp_path):
    error = pipeline.BrokenImage(UserError("It is odd."), tmp_path, was_read=True, skip=False)
    assert str(error) == f"It is odd. {ASK}" and error.was_read
    assert (
        str(pipeline.BrokenImage(UserError("It is odd."), tmp_path, was_read=False, skip=True)).strip() == "It is odd."
    )
    assert str(pipeline.BrokenImage(ImageError("x.", "y."), tmp_path, was_read=False, skip=False)) == f"x. y. {ASK}"


def test_who_counts_skipped_images_is_called_once_for_each(paths, said):
    for number in (1, 3):
        paths[number].unlink()
    load, counted = loader(paths, skip=True), []
    load.on_skip = counted.append
    assert [load.first(number, load)[0] for number in (0, 1, 2, 3, 1, 3, 1)] == [0, 2, 2, 0, 2, 0, 2]
    assert counted == [paths[1], paths[3]] and len(said) == 2


def test_an_image_that_is_skipped_is_not_read_again(paths, monkeypatch):
    paths[1].unlink()
    read, original = [], files.read
    monkeypatch.setattr(files, "read", lambda path, *more: read.append(path) or original(path, *more))
    for skip, times in ((True, 1), (False, 3)):  # without skipping, it may have been put right
        load = loader(paths, skip=skip)
        read.clear()
        for _ in range(3):
            assert "1.png cannot be read" in str(refused(load, 1))
        assert read == [paths[1]] * times


@pytest.mark.parametrize("skip", [True, False])
def test_the_first_image_that_can_be_read_takes_the_place(paths, skip):
    def read(number):
        tried.append(number)
        if number in broken:
            raise UserError(f"{number} is broken")
        return 10 * number

    for start, broken, expected in ((0, (), 0), (1, (1,), 2), (2, (2, 3, 0), 1), (3, (3,), 0)):
        tried = []
        if skip or not broken:
            assert loader(paths, skip=skip).first(start, read) == (expected, 10 * expected)
            assert tried == [(start + offset) % 4 for offset in range(len(broken) + 1)]
        else:
            with pytest.raises(UserError, match=f"{start} is broken"):
                loader(paths, skip=skip).first(start, read)
            assert tried == [start]
    tried, broken = [], (0, 1, 2, 3)
    with pytest.raises(UserError, match=f"{1 if skip else 2} is broken"):
        loader(paths, skip=skip).first(2, read)
    assert tried == ([2, 3, 0, 1] if skip else [2])


def test_an_image_that_has_changed_is_refused_and_was_read_before(paths):
    load = loader(paths)
    assert (load(2) == 2).all()
    files.write(paths[2], np.full([8, 4, 1], 99, np.uint8))
    broken = refused(load, 2)
    assert str(broken) == (
        f"{paths[2]} has changed since it was first read: images must not change during training. Restore it to"
        f" resume, or start a new run with a different --run_dir. {ASK}"
    )
    assert broken.was_read
    files.write(paths[2], np.full([8, 4, 1], 2, np.uint8))
    assert (load(2) == 2).all()


@pytest.mark.parametrize(("sides", "fits"), [("8x4", True), ("4x4", True), ("12x4", False), ("8x8", False)])
def test_an_image_may_be_as_small_as_the_crop(paths, sides, fits):
    load = loader(paths, dual=small.dualgan(preprocess="crop", image_size=sides, depth=2))
    if fits:
        assert load(0).shape == (8, 4, 1)
        return
    assert str(refused(load, 0)) == (
        f"{paths[0]} is 8x4, smaller than the crop of {sides} that --preprocess crop takes. Remove it, make"
        f" --image_size smaller, or use --preprocess resize_and_crop. {ASK}"
    )
    assert loader(paths, dual=small.dualgan(image_size=sides, depth=2))(0).shape == (8, 4, 1)  # which resizes


@pytest.mark.parametrize("preprocess", ["scale_shortest_and_crop", "scale_width_and_crop", "resize_and_crop", "crop"])
def test_an_image_too_narrow_to_be_scaled_is_refused(tmp_path, preprocess):
    files.write(tmp_path / "a.png", np.zeros([9000, 8, 1], np.uint8))
    dual = small.dualgan(preprocess=preprocess, image_size=8 if preprocess == "crop" else 512, depth=2)
    load = loader([tmp_path / "a.png"], dual=dual)
    if preprocess.startswith("scale"):
        problem = "has 9000x8 pixels and would become 576000x512 for these networks"
        assert str(refused(load, 0)).startswith(f"{tmp_path}/a.png {problem}")
    else:
        assert load(0).shape == (9000, 8, 1)


def test_a_failed_session_names_the_first_image_that_was_asked_for(paths):
    first, second = loader(paths), loader(paths)
    failures = [pipeline.BrokenImage(UserError(str(index)), paths[0], was_read=False, skip=True) for index in (9, 4, 7)]
    for failure, index in zip(failures, (9, 4, 7)):
        failure.index = index
    first.failures, second.failures = failures[:1], failures[1:]
    other = tf.errors.InternalError(None, None, "something else")
    with pytest.raises(UserError, match=r"^4"), pipeline.naming_failures([first, second]):
        raise other
    second.failures.append(UserError("of a pair"))  # at no index
    with pytest.raises(UserError, match=r"^of a pair"), pipeline.naming_failures([first, second]):
        raise other
    with pytest.raises(tf.errors.InternalError), pipeline.naming_failures([loader(paths)]):
        raise other


@pytest.mark.parametrize("instead", [True, False])
def test_an_image_has_its_channels_as_a_tensor_and_a_failure_is_noted(paths, session, instead):
    paths[1].unlink()
    load, number = loader(paths, skip=True), tf.placeholder(tf.int64, [])
    image = load.tensor(number, instead=instead)
    assert image.shape.as_list() == [None, None, 1] and image.dtype == tf.uint8
    assert (session.run(image, {number: 3}) == 3).all()
    if instead:
        assert (session.run(image, {number: 1}) == 2).all() and load.failures == []
    else:
        with pytest.raises(pipeline.BrokenImage), pipeline.naming_failures([load]):
            session.run(image, {number: 1})
        assert [failure.path for failure in load.failures] == [paths[1]]


@pytest.mark.parametrize("pairing", ["partner", "alone"])
def test_a_pair_is_read_with_its_numbers(paths, session, pairing):
    partners = np.array([3, 2, 1, 0] if pairing == "partner" else [-1] * 4)
    read = pipeline.Pairs([loader(paths), loader(paths)], partners, small.dualgan())
    tensors = read.tensors(*(tf.constant(number, tf.int64) for number in (50, 1, 0)))
    assert [tensor.shape.as_list() for tensor in tensors] == [[None, None, 1]] * 2 + [[]] * 3
    image_A, image_B, number_A, number_B, matched = session.run(tensors)
    assert image_A.max() == number_A == 1
    assert image_B.max() == number_B == (2 if pairing == "partner" else 0)
    assert matched == (pairing == "partner")


def test_a_broken_image_of_a_pair_knows_at_which_index_it_was_asked_for(paths, session):
    paths[1].unlink()
    first, second = loader(paths), loader(paths)
    tensors = pipeline.Pairs([first, second], np.arange(4), small.dualgan()).tensors(
        *(tf.constant(number, tf.int64) for number in (50, 1, 0))
    )
    with pytest.raises(pipeline.BrokenImage) as error, pipeline.naming_failures([first, second]):
        session.run(tensors)
    assert error.value.index == 50 and first.failures == [error.value]


@pytest.mark.parametrize("skip", [True, False])
def test_pairs_whose_crops_differ_are_refused_and_where_images_are_skipped_told(paths, said, skip):
    files.write(paths[1], np.zeros([8, 5, 1], np.uint8))
    dual = small.dualgan(preprocess="crop", image_size=4, depth=2)
    load = loader(paths, skip=skip)
    read = pipeline.Pairs([load, loader(paths, skip=skip)], np.array([1, 2, 3, 0]), dual)
    why = f"{paths[0]} and {paths[1]} are 8x4 and 8x5, but --preprocess crop crops both at the same place"
    if skip:
        assert [int(number) for number in read(np.int64(0), np.int64(0))[2:4]] == [2, 3]
        assert said == [f"warning: {why}: they are left out. (Shown once for {paths[0].parent}.)"]
    else:
        with pytest.raises(UserError, match=f"^{re.escape(why)}. Resize the images of each pair to one size"):
            read(np.int64(0), np.int64(0))
        assert said == []


@pytest.mark.parametrize(
    ("shard", "repeat", "expected"),
    [
        ((1, 1), False, [[0, 1], [2, 3]]),
        ((1, 3), False, [[0, 3]]),
        ((2, 3), False, [[1]]),
        ((1, 1), True, [[0, 1], [2, 3], [0, 1]]),
        ((3, 3), True, [[2, 2], [2, 2]]),
    ],
)
def test_the_images_of_a_shard_come_once_or_again_and_again(paths, session, shard, repeat, expected):
    dual = small.dualgan(preprocess="crop", image_size=4, depth=2)
    (numbers, images), begin = pipeline.all_images(loader(paths), dual, 2, repeat, shard)
    assert images.shape.as_list() == [None, 4, 4, 1]
    session.run(begin)
    found = [session.run((numbers, images)) for _ in expected]
    assert [list(number) for number, _ in found] == expected
    for number, image in found:
        np.testing.assert_allclose(image[:, 0, 0, 0], number / 127.5 - 1.0, atol=1e-6)
    if not repeat:
        with pytest.raises(tf.errors.OutOfRangeError):
            session.run(numbers)


@pytest.mark.parametrize("repeat", [True, False])
def test_only_where_images_come_again_another_takes_the_place_of_a_broken_one(paths, session, repeat):
    paths[1].unlink()
    load = loader(paths, skip=True)
    dual = small.dualgan(preprocess="crop", image_size=4, depth=2)
    (_, images), begin = pipeline.all_images(load, dual, 4, repeat)
    session.run(begin)
    if repeat:
        values = session.run(images)[:, 0, 0, 0]
        assert np.rint((values + 1.0) * 127.5).tolist() == [0, 2, 2, 3]
    else:
        with pytest.raises(pipeline.BrokenImage, match=r"1\.png"), pipeline.naming_failures([load]):
            session.run(images)


def batches(root, session, dual, batch_size=2, start=6, **more):
    """A training batch of a set, and a function that evaluates it, from a start that its session is told."""
    images, position = Images("set", data_root=str(root)), tf.placeholder(tf.int64, [])
    found = images.training_files(dual)
    loaders, partners = images.loaders(dual, found, images.domains(dual, found)), images.partners(dual, found)
    batch, begin = pipeline.training_batches(loaders, dual, batch_size, position, partners, **more)
    session.run(begin, {position: start})
    return batch, lambda: session.run(batch)


def test_several_processes_share_the_images_of_a_batch_between_them(dataset, session):
    root, dual = dataset(train_A=5, train_B=3), small.dualgan(image_size=16)
    _, whole = batches(root, session, dual, 2)
    every = [whole() for _ in range(4)]
    for rank in range(2):
        _, own = batches(root, session, dual, 2, rank=rank, processes=2)
        for expected, found in zip(every[rank::2], (own(), own()), strict=True):
            assert found.index.tolist() == expected.index.tolist()
            for name in ("A", "B", "file_A", "file_B", "matched"):
                np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_a_batch_has_its_shape_before_it_is_read(dataset, session):
    dual = small.dualgan(image_size="16x8")
    batch, read = batches(dataset(train_A=2, train_B=2), session, dual, 3)
    shapes = {name: tensor.shape.as_list() for name, tensor in batch._asdict().items() if name != "waited"}
    scalars = ("index", "matched", "file_A", "file_B")
    assert shapes == {"A": [3, 16, 8, 3], "B": [3, 16, 8, 3], **{name: [3] for name in scalars}}
    assert read().A.shape == (3, 16, 8, 3)


def test_crops_and_flips_are_drawn_by_the_index_and_for_a_pair_once(dataset, session):
    """Corner (top, left) is ⌊draw x 17⌋ of 32 pixels, 16 of which are kept; a third draw below a half mirrors."""
    rows, columns = np.mgrid[:32, :32]
    root = dataset(train_A=1, train_B=1)
    for domain in "AB":
        files.write(root / f"set/train/{domain}/000.png", np.stack([8 * rows, 8 * columns, rows], -1).astype(np.uint8))
    pairs = Pix2Pix(image_size=16, load_size=0, preprocess="crop", flip=True, netG="resnet_6blocks", n_layers=1)
    for dual, names in ((small.dualgan(image_size=16, preprocess="crop", flip=True), "AB"), (pairs, ("pair", "pair"))):
        _, read = batches(root, session, dual, 4, start=70)
        batch = read()
        keys = [randomness.key(f"{name}/crop", 0, tf.constant(batch.index)) for name in names]
        for images, draws in zip((batch.A, batch.B), session.run([randomness.uniform(key, [3]) for key in keys])):
            corners = np.rint((images[:, 0, :, :2] + 1.0) * 127.5 / 8).astype(int)  # [N, 16, (row, column)]
            assert corners[:, 0, 0].tolist() == np.floor(draws[:, 0] * 17).tolist()
            assert corners[:, :, 1].min(axis=1).tolist() == np.floor(draws[:, 1] * 17).tolist()
            assert (corners[:, 0, 1] > corners[:, -1, 1]).tolist() == (draws[:, 2] < 0.5).tolist()


def test_the_time_that_is_waited_for_a_batch_is_told(dataset, session, monkeypatch):
    """Files are read only once a batch is waited for; the clock then shows 100 and, when it is there, 107.5 seconds."""
    asked, seconds, read_file = threading.Event(), iter([100.0, 107.5, *range(200, 300)]), files.read

    def clock():
        now = np.float64(next(seconds))
        asked.set()
        return now

    monkeypatch.setattr(pipeline, "_clock", clock)
    monkeypatch.setattr(files, "read", lambda *about: asked.wait(60) and read_file(*about))
    _, read = batches(dataset(train_A=2, train_B=2), session, small.dualgan(image_size=16))
    assert read().waited == 7.5


def test_domains_of_8_bits_are_read_as_they_are(paths):
    assert pipeline.Loader(paths, EIGHT_BITS, 0)(3).tolist() == np.full([8, 4, 3], 3).tolist()
