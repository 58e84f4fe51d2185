"""Image pools of a checkpoint by several processes, for the same and for another number of them."""

import pytest

from common import tensorflow as tf
from common.cluster import distribute
from common.errors import UserError
from common.run.checkpoints import Checkpoints

SIZE = 4  # of a pool


class Member(distribute.SingleProcess):
    """One of `size` processes; they take turns, so nothing is shared. The chief's checkpoint has the step given."""

    def __init__(self, rank, size, step=0):
        self.rank, self.size, self.is_chief, self._step = rank, size, rank == 0, step

    def share(self, session, *numbers):
        return [self._step + 1] if self._step else list(numbers)


@pytest.fixture
def session():
    """A session with a weight and a pool of images of one pixel, as image_pool makes them."""
    with tf.Graph().as_default(), tf.Session() as session:
        tf.get_variable("weight", [2])
        collections = [tf.GraphKeys.GLOBAL_VARIABLES, distribute.PER_PROCESS]
        with tf.variable_scope("A2B/pool"):
            tf.get_variable("kept", [SIZE, 1, 1, 1], initializer=tf.zeros_initializer(), collections=collections)
            tf.get_variable("count", [], tf.int64, initializer=tf.zeros_initializer(), collections=collections)
        yield session


def load(session, pool=(), weight=0.0):
    for variable in tf.global_variables():
        values = {"weight": [weight] * 2, "A2B/pool/count": len(pool)}
        images = [*pool, *[0.0] * (SIZE - len(pool))]
        variable.load(values.get(variable.op.name, [[[[image]]] for image in images]), session)


def save(session, folder, pools, step=7):
    """Writes a checkpoint by as many processes as there are pools; the chief is the last, as it waits for parts."""
    for rank in reversed(range(len(pools))):
        load(session, pools[rank], weight=3.0)
        Checkpoints(folder, group=Member(rank, len(pools))).save(session, step)


def restored(session, folder, processes):
    """The images stored in the pool of each of so many processes."""
    pools = []
    for rank in range(processes):
        load(session, [9.0] * SIZE)
        assert Checkpoints(folder, group=Member(rank, processes, 7)).restore(session) == 7
        weight, images, count = session.run(tf.global_variables())
        assert weight.tolist() == [3.0, 3.0] and not images[count:].any()
        pools.append(images[:count].ravel().tolist())
    return pools


FULL = [[10.0, 11.0, 12.0, 13.0], [20.0, 21.0, 22.0, 23.0]]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (FULL, FULL),
        (FULL, [[10.0, 20.0, 11.0, 21.0]]),
        (FULL, [[10.0, 21.0, 13.0], [20.0, 12.0, 23.0], [11.0, 22.0]]),
        (FULL, [[10.0, 12.0], [20.0, 22.0], [11.0, 13.0], [21.0, 23.0]]),
        ([FULL[0]], [[10.0, 12.0], [11.0, 13.0]]),
        ([[1.0], [2.0], [3.0]], [[1.0, 3.0], [2.0]]),
        ([[1.0], [2.0]], [[1.0], [2.0], []]),
        ([[], []], [[]]),
    ],
    ids=["same", "2 to 1", "2 to 3", "2 to 4", "1 to 2", "3 to 2, filling", "2 to 3, filling", "empty"],
)
def test_images_are_dealt_in_turn(before, after, session, tmp_path):
    save(session, tmp_path, before)
    assert restored(session, tmp_path, len(after)) == after


def test_a_pool_by_another_number_is_saved_and_restored_again(session, tmp_path):
    save(session, tmp_path / "run", FULL)
    dealt = restored(session, tmp_path / "run", 3)
    save(session, tmp_path / "again", dealt)
    assert restored(session, tmp_path / "again", 3) == dealt


def test_a_missing_part_is_damage_for_any_number_of_processes(session, tmp_path):
    save(session, tmp_path, [[1.0], [2.0], [3.0]])
    (tmp_path / "checkpoints" / "model-00000007.rank-1-of-3.index").unlink()
    for processes in (1, 2, 3):
        with pytest.raises(UserError, match=r"rank-1-of-3, the image pools of another process, is missing"):
            Checkpoints(tmp_path, group=Member(0, processes)).restore(session)


def test_other_files_of_a_similar_name_are_no_parts(session, tmp_path):
    save(session, tmp_path, [[1.0, 2.0]])
    for name in ("model-00000007 (copy).rank-1-of-2.index", "model-000000070.rank-1-of-2.index"):
        (tmp_path / "checkpoints" / name).touch()
    assert restored(session, tmp_path, 1) == [[1.0, 2.0]]
