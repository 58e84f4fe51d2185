"""The files of checkpoints by their names: which are listed, missing, left over, kept and removed."""

import pathlib

import pytest

from common import tensorflow as tf
from common.cluster import distribute
from common.errors import UserError
from common.run import checkpoint_files, checkpoints
from common.run.checkpoints import Checkpoints
from tests.run.test_process_parts import Member

DATA = "data-00000-of-00001"


def touch(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_checkpoints_are_listed_from_the_oldest_by_their_own_names(tmp_path):
    touch(tmp_path, "model-00000010.index", "model-00000009.index", "model-123456789.index", f"model-00000011.{DATA}")
    touch(tmp_path, "model-1234567.index", "model-best.index", "model-00000009-copy.index")
    assert checkpoint_files.checkpoints_in(tmp_path) == [
        str(tmp_path / f"model-{step}") for step in ("00000009", "00000010", "123456789")
    ]


def test_the_newest_step_is_known_by_names_alone(tmp_path):
    assert checkpoint_files.newest_step(tmp_path) is None
    touch(tmp_path / "checkpoints", "model-00000012.index", "model-00000007.index")
    assert checkpoint_files.newest_step(tmp_path) == 12
    assert checkpoint_files.step_of(f"{tmp_path}/a-1/model-00000012") == 12


def test_what_checkpoints_lack_is_an_index_or_data(tmp_path):
    touch(tmp_path, "model-00000001.index", f"model-00000001.{DATA}")  # whole
    touch(tmp_path, "model-00000002.index", f"model-00000003.{DATA}", "model-00000004.sha256")
    touch(tmp_path, "model-00000001.rank-1-of-2.index", f"model-00000001.rank-2-of-3.{DATA}", "model-best.index")
    assert checkpoint_files.incomplete_in(tmp_path) == [
        f"model-00000001.rank-1-of-2.{DATA}",
        "model-00000001.rank-2-of-3.index",
        f"model-00000002.{DATA}",
        "model-00000003.index",
        "model-00000004.index",
        f"model-00000004.{DATA}",
    ]


def test_leftovers_are_removed_and_nothing_else(tmp_path):
    kept = ["model-00000001.index", f"model-00000001.{DATA}", "model-00000001.sha256", "notes.new", "model-best.index"]
    kept += ["model-00000001.rank-1-of-2.index", "checkpoint", "checkpoint.tmp-of-mine", "model-0000002.index.new"]
    left = [f"model-00000002.{DATA}", "model-00000002.sha256", f"model-00000002.rank-1-of-2.{DATA}"]
    left += ["model-00000001.index.tempstate12", "model-00000001.sha256.new", "checkpoint.tmp0a9"]
    touch(tmp_path, *kept, *left)
    (tmp_path / f"model-00000003.{DATA}").mkdir()
    checkpoint_files.remove_unfinished(tmp_path)
    assert names_in(tmp_path) == sorted([*kept, f"model-00000003.{DATA}"])


def test_a_checkpoint_is_removed_with_all_its_parts(tmp_path):
    touch(tmp_path, "model-00000001.index", f"model-00000001.{DATA}", "model-00000001.sha256")
    touch(tmp_path, "model-00000001.rank-1-of-2.index", "model-000000010.index", "model-00000001")
    checkpoint_files.remove(tmp_path / "model-00000001")
    assert names_in(tmp_path) == ["model-00000001", "model-000000010.index"]


def test_a_checkpoint_is_moved_with_all_its_parts(tmp_path):
    touch(tmp_path, "model-00000001.index", "model-00000001.rank-1-of-2.index", "model-00000002.index")
    for _ in range(2):  # the folder may be there
        checkpoint_files.move(tmp_path / "model-00000001", tmp_path / "damaged")
    assert names_in(tmp_path) == ["damaged", "model-00000002.index"]
    assert names_in(tmp_path / "damaged") == ["model-00000001.index", "model-00000001.rank-1-of-2.index"]


def said(call, *arguments):
    with pytest.raises(UserError) as error:
        call(*arguments)
    return str(error.value)


def test_a_checkpoint_that_is_not_there_is_named_with_those_that_are(tmp_path):
    touch(tmp_path / "checkpoints", "model-00000009.index", "model-00000012.index")
    for call in (checkpoint_files.refuse_missing, checkpoint_files.selected, checkpoint_files.selected_one):
        assert said(call, tmp_path, "10") == (
            f"{tmp_path} has no checkpoint of step 10: it has 9, 12 (see --keep and --keep_every)."
        )
        assert said(call, tmp_path, "best") == (
            f"{tmp_path} has no best checkpoint: it was trained without --eval_every."
        )
    (tmp_path / "best.json").write_text('{"step": 12}')
    twelve = str(tmp_path / "checkpoints" / "model-00000012")
    for which in ("best", "12", "0012"):
        assert checkpoint_files.selected_one(tmp_path, which) == twelve
        assert checkpoint_files.refuse_missing(tmp_path, which) is None
    for which in ("latest", "all"):
        assert checkpoint_files.refuse_missing(tmp_path, which) is None
    assert len(checkpoint_files.selected(tmp_path, "all")) == 2
    assert said(checkpoint_files.selected_one, tmp_path, "all") == (
        "--checkpoint all is only for --phase evaluate: use latest, best, or a step."
    )


def test_without_any_checkpoint_training_comes_first(tmp_path):
    for which in ("latest", "all", "best", "3"):
        assert said(checkpoint_files.refuse_missing, tmp_path, which) == (
            f"{tmp_path} has no checkpoint. Train first with --phase train."
        )


def damage(problems):
    return lambda checkpoint: problems.get(pathlib.Path(checkpoint).name, "")


def test_the_newest_whole_checkpoint_is_used_and_newer_ones_are_warned_of(tmp_path, capsys):
    touch(tmp_path, *(f"model-0000000{step}.index" for step in (1, 2, 3)))
    one, two, three = (str(tmp_path / f"model-0000000{step}") for step in (1, 2, 3))
    assert checkpoint_files.newest(tmp_path, damage({})) == three
    assert capsys.readouterr().err == ""
    assert checkpoint_files.newest(tmp_path, damage({"model-00000001": "x", "model-00000003": "cut"})) == two
    assert capsys.readouterr().err == f"warning: {three} is damaged (cut), so {two} is used instead.\n"
    broken = dict.fromkeys(("model-00000001", "model-00000002", "model-00000003"), "cut")
    assert said(checkpoint_files.newest, tmp_path, damage(broken)) == (
        f"No checkpoint in {tmp_path} is intact ({three}: cut; {two}: cut; {one}: cut). Restore a copy of one, or train"
        " again."
    )
    assert checkpoint_files.newest(tmp_path / "none", damage(broken)) is None


@pytest.mark.parametrize(
    "lines",
    [
        ["{digest}  {name}.index"],  # no data
        ["{digest}  {name}.data-00000-of-00001", "{digest}  {name}.other"],  # no index
        ["{digest}  {name}.index", "{digest}  {name}.index"],
        ["{digest}  {name}.index", "{digest}  model-00000002.data-00000-of-00001"],
        ["{digest}  {name}.index", "{digest} {name}.data-00000-of-00001"],
        ["{digest}0  {name}.index", "{digest}  {name}.data-00000-of-00001"],
        ["{digest}  {name}.index", "{digest}  {name}.data-00000-of-00001", ""],
    ],
)
def test_digests_of_another_form_are_damaged(tmp_path, lines):
    name = "model-00000001"
    touch(tmp_path, f"{name}.index", f"{name}.{DATA}")
    text = "".join(f"{line.format(digest='0' * 64, name=name)}\n" for line in lines)
    (tmp_path / f"{name}.sha256").write_text(text)
    assert checkpoint_files.damage_of(str(tmp_path / name)) == f"{name}.sha256 is damaged"


def test_digests_that_miss_their_last_end_of_line_are_damaged(tmp_path):
    name, empty = "model-00000001", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # of no bytes
    touch(tmp_path, f"{name}.index", f"{name}.{DATA}")
    text = f"{empty}  {name}.index\n{empty}  {name}.{DATA}\n"
    (tmp_path / f"{name}.sha256").write_text(text)
    assert checkpoint_files.damage_of(str(tmp_path / name)) == ""
    (tmp_path / f"{name}.sha256").write_text(text[:-1])
    assert checkpoint_files.damage_of(str(tmp_path / name)) == f"{name}.sha256 is damaged"


def test_a_file_longer_than_what_is_read_at_once_has_the_digest_of_all_of_it(tmp_path, monkeypatch):
    name, abc = "model-00000001", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # of FIPS 180-2
    for suffix in ("index", DATA):
        (tmp_path / f"{name}.{suffix}").write_text("abc")
    monkeypatch.setattr(checkpoint_files, "CHUNK", 2)
    checkpoint_files.seal(tmp_path / name)
    assert (tmp_path / f"{name}.sha256").read_text() == f"{abc}  {name}.index\n{abc}  {name}.{DATA}\n"


@pytest.fixture
def saving():
    """A function that saves steps of a graph with one variable of 3 numbers; it returns Checkpoints."""
    with tf.Graph().as_default(), tf.Session() as session:
        tf.get_variable("a", [3])
        session.run(tf.global_variables_initializer())

        def save(folder, *steps, **fields):
            saver = Checkpoints(folder, **fields)
            for step in steps:
                saver.save(session, step)
            return saver

        yield save


@pytest.mark.parametrize(
    ("keep", "every", "best", "kept"),
    [
        (1, 0, None, [6]),
        (2, 0, None, [5, 6]),
        (None, None, None, [5, 6]),  # unless it is said
        (2, 3, None, [3, 5, 6]),
        (1, 2, None, [2, 4, 6]),
        (1, 0, 3, [3, 6]),
        (6, 0, None, [1, 2, 3, 4, 5, 6]),
    ],
)
def test_the_newest_those_of_every_few_steps_and_the_best_are_kept(tmp_path, saving, keep, every, best, kept):
    if best:
        (tmp_path / "best.json").write_text(f'{{"step": {best}}}')
    saving(tmp_path, *range(1, 7), **({"keep": keep, "keep_every": every} if keep else {}))
    assert list(map(checkpoint_files.step_of, checkpoint_files.checkpoints_in(tmp_path / "checkpoints"))) == kept


def test_a_step_is_written_once(tmp_path, saving, monkeypatch):
    saver = saving(tmp_path)
    assert saver.last_good() == "There is no checkpoint yet."
    saving(tmp_path, 3)
    digest = tmp_path / "checkpoints/model-00000003.sha256"
    digest.write_text("as it was")
    monkeypatch.setattr(Checkpoints, "refuse_not_finite", None)  # what is saved is not looked at again
    saving(tmp_path, 3)
    assert digest.read_text() == "as it was"
    assert saver.last_good() == f"The last good checkpoint is {tmp_path}/checkpoints/model-00000003."


def test_a_part_that_others_do_not_see_is_waited_for_and_then_named(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(checkpoints.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    with tf.Graph().as_default(), tf.Session() as session:
        collections = [tf.GraphKeys.GLOBAL_VARIABLES, distribute.PER_PROCESS]
        tf.get_variable("pool", [3], collections=collections)
        session.run(tf.global_variables_initializer())
        message = said(Checkpoints(tmp_path, group=Member(0, 2)).save, session, 7)
    assert message == (
        f"{tmp_path}/checkpoints/model-00000007.rank-1-of-2 is not visible here: use one --run_dir on a shared disk for"
        " all processes."
    )
    assert 10.0 <= now[0] < 11.0  # seconds
    assert names_in(tmp_path / "checkpoints") == []


def test_a_part_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    def full(path):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(checkpoint_files, "_fsync", full)
    with tf.Graph().as_default(), tf.Session() as session:
        collections = [tf.GraphKeys.GLOBAL_VARIABLES, distribute.PER_PROCESS]
        tf.get_variable("pool", [3], collections=collections)
        tf.get_variable("weight", [5], tf.float64)
        session.run(tf.global_variables_initializer())
        message = said(Checkpoints(tmp_path, group=Member(1, 2)).save, session, 7)
    place = f"{tmp_path}/checkpoints/model-00000007.rank-1-of-2"
    assert message.startswith(
        f"The checkpoint {place} could not be written (No space left on device): it needs about 40 bytes, and "
    )
    assert message.endswith(
        " are free. There is no checkpoint yet. Free disk space, then repeat the same command to resume."
    )
    assert names_in(tmp_path / "checkpoints") == []


def of_process(rank, size, values=3):
    """A graph with a pool of so many numbers, and the Checkpoints of a process."""
    collections = [tf.GraphKeys.GLOBAL_VARIABLES, distribute.PER_PROCESS]
    tf.get_variable("pool", [values], collections=collections)
    tf.get_variable("weight", [5], tf.float64)
    return Member(rank, size, step=0 if rank else 7)


def test_pools_of_another_size_are_named_with_their_part(tmp_path):
    for rank in (1, 0):
        with tf.Graph().as_default(), tf.Session() as session:
            group = of_process(rank, 2)
            session.run(tf.global_variables_initializer())
            Checkpoints(tmp_path, group=group).save(session, 7)
    for values in (3, 4):
        with tf.Graph().as_default(), tf.Session() as session:
            of_process(1, 2, values)
            saver = Checkpoints(tmp_path, group=Member(1, 2, 7))
            if values == 3:
                assert saver.restore(session) == 7
                continue
            assert said(saver.restore, session) == (
                f"The checkpoint {tmp_path}/checkpoints/model-00000007.rank-1-of-2 belongs to a different network: pool"
                " is [4] here and [3] in the checkpoint. Use the --run_dir that it was trained in, with its own"
                " config.json, or a new one."
            )


@pytest.mark.parametrize(("names", "more"), [("abc", ""), ("abcd", "; and 1 more"), ("abcde", "; and 2 more")])
def test_three_variables_that_do_not_fit_are_named(tmp_path, saving, names, more):
    saving(tmp_path, 7)
    with tf.Graph().as_default(), tf.Session() as session:
        for name in names:
            tf.get_variable(name, [4])
        message = said(Checkpoints(tmp_path).restore, session)
    assert message == (
        f"The checkpoint {tmp_path}/checkpoints/model-00000007 belongs to a different network: a is [4] here and [3] in"
        " the checkpoint; b is [4] here and missing in the checkpoint; c is [4] here and missing in the checkpoint"
        f"{more}. Use the --run_dir that it was trained in, with its own config.json, or a new one."
    )
