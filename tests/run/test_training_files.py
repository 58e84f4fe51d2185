"""Changes of the files that a run is trained on, by the tables of names, sizes and digests in its folder."""

import hashlib
import json
import unicodedata

import pytest

from common.errors import UserError
from common.images import Images
from common.images.folders import Files
from common.images.pixels import EIGHT_BITS
from common.run import Run, training_files
from common.run.folder import record_run, refuse_other_files
from tests import small


def make(folder, contents):
    """Files of a domain, {name: content}."""
    folder.mkdir(exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in contents]


@pytest.fixture
def recorded(tmp_path):
    """(run folder, files) of a run of three images of A and one of B, whose tables are written."""
    A = make(tmp_path / "A", {"1.png": b"one", "2.png": b"two.", "3.png": b"three"})
    files = Files(A, make(tmp_path / "B", {"x.png": b"ex"}))
    (tmp_path / "run").mkdir()
    training_files.record(tmp_path / "run", files)
    return tmp_path / "run", files


def table(run_dir, name=training_files.ALL):
    return json.loads((run_dir / name).read_text())


def digest(content):
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def test_a_fingerprint_is_of_names_and_sizes_in_their_order(recorded):
    _, files = recorded
    assert training_files.fingerprint(files.A) == {"count": 3, "names": digest(b"1.png 3\n2.png 4\n3.png 5")}
    assert training_files.fingerprint(files.A[::-1])["names"] == digest(b"3.png 5\n2.png 4\n1.png 3")
    assert training_files.fingerprint([]) == {"count": 0, "names": digest(b"")}


def test_the_table_has_sizes_and_digests(recorded):
    assert table(recorded[0]) == {
        "A": {"1.png": 3, "2.png": 4, "3.png": 5},
        "B": {"x.png": 2},
        "digests": {
            "A": {"1.png": digest(b"one"), "2.png": digest(b"two."), "3.png": digest(b"three")},
            "B": {"x.png": digest(b"ex")},
        },
    }


@pytest.mark.parametrize(
    ("count", "sampled"),
    [
        (0, []),
        (1, [0]),
        (8, range(8)),
        (9, [0, 1, 2, 3, 4, 5, 6, 8]),  # the last is always one of them
        (71, range(0, 71, 10)),
    ],
)
def test_at_most_eight_files_have_a_digest(tmp_path, count, sampled):
    paths = make(tmp_path / "A", {f"{number:02d}": b"%d" % number for number in range(count)})
    training_files.record(tmp_path, Files(paths, make(tmp_path / "B", {"x": b""})))
    assert sorted(table(tmp_path)["digests"]["A"]) == [f"{number:02d}" for number in sampled]


def test_a_digest_is_of_the_first_64_kibibytes(tmp_path):
    begin = b"x" * 65536
    files = Files(make(tmp_path / "A", {"a": begin + b"y"}), make(tmp_path / "B", {"b": begin[:-1]}))
    training_files.record(tmp_path, files)
    assert table(tmp_path)["digests"] == {"A": {"a": digest(begin)}, "B": {"b": digest(begin[:-1])}}


def test_without_files_nothing_is_recorded(tmp_path):
    training_files.record(tmp_path, Files([], []))
    assert list(tmp_path.iterdir()) == []


def test_a_table_is_written_again_only_if_sizes_differ(recorded):
    """Files of unchanged size keep their digests, which are those of the start of the run."""
    run_dir, files = recorded
    before = (run_dir / training_files.ALL).stat().st_ino, table(run_dir)  # writing makes a new file
    files.A[0].write_bytes(b"ONE")
    training_files.record(run_dir, files)
    assert ((run_dir / training_files.ALL).stat().st_ino, table(run_dir)) == before
    files.A[1].write_bytes(b"longer")
    training_files.record(run_dir, files)
    after = table(run_dir)
    assert after["A"] == {"1.png": 3, "2.png": 6, "3.png": 5}
    assert after["digests"]["A"] == {"1.png": digest(b"one"), "2.png": digest(b"longer"), "3.png": digest(b"three")}
    content = {name: value for name, value in after.items() if name != "digests"}
    (run_dir / training_files.ALL).write_text(json.dumps(content))  # as earlier versions wrote it
    training_files.record(run_dir, files)
    assert table(run_dir)["digests"]["A"]["1.png"] == digest(b"ONE")


def test_nothing_has_changed_or_nothing_is_known(recorded):
    run_dir, files = recorded
    assert training_files.changes(run_dir, "A", files.A) == training_files.NO_CHANGES
    (run_dir / training_files.ALL).write_text('{"A": {"1.png": 3}}')
    assert training_files.changes(run_dir, "B", files.B) is None
    (run_dir / training_files.ALL).unlink()
    assert training_files.changes(run_dir, "A", files.A) is None


def test_changes_are_told_by_their_kind(recorded):
    run_dir, files = recorded
    files.A[0].write_bytes(b"x" * 1234)
    new = make(files.A[0].parent, {"4.png": b"", "5\n.png": b""})
    assert training_files.changes(run_dir, "A", [*files.A[:2], *new]) == (
        [],
        [],
        "changed: 1.png (3 bytes then, 1,234 now); new: 4.png, 5\\n.png; gone: 3.png",
    )


@pytest.mark.parametrize(("count", "more"), [(5, ""), (6, " and 1 more"), (1007, " and 1,002 more")])
def test_five_files_of_a_kind_are_named(recorded, monkeypatch, count, more):
    run_dir, files = recorded
    content = table(run_dir)
    content["B"] = {f"{number:04d}": 1 for number in range(count)} | content["B"]
    (run_dir / training_files.ALL).write_text(json.dumps(content))
    others = training_files.changes(run_dir, "B", files.B).others
    assert others == f"gone: 0000, 0001, 0002, 0003, 0004{more}"


def test_files_that_could_not_be_read_may_be_replaced_and_those_skipped_are_told(recorded):
    run_dir, files = recorded
    training_files.note_unreadable(run_dir, files.A[0], files)
    training_files.note_skipped(run_dir, files.A[1], files)
    assert table(run_dir, training_files.UNREADABLE) == {"A": {"1.png": 3}}
    assert table(run_dir, training_files.SKIPPED) == {"A": {"2.png": 4}}
    for path in files.A:
        path.write_bytes(b"replaced")
    assert training_files.changes(run_dir, "A", files.A) == (
        ["1.png"],
        ["2.png"],
        "changed: 3.png (5 bytes then, 8 now)",
    )
    training_files.record(run_dir, files)  # with the sizes of now
    assert training_files.changes(run_dir, "A", files.A) == training_files.NO_CHANGES
    files.A[0].write_bytes(b"replaced twice")
    assert training_files.changes(run_dir, "A", files.A).others == "changed: 1.png (8 bytes then, 14 now)"


def test_a_file_is_noted_with_the_size_that_the_table_has(recorded):
    run_dir, files = recorded
    files.A[0].write_bytes(b"grown while it was read")
    training_files.note_unreadable(run_dir, files.A[0], files)
    training_files.note_unreadable(run_dir, files.B[0], files)
    assert table(run_dir, training_files.UNREADABLE) == {"A": {"1.png": 3}, "B": {"x.png": 2}}
    new, gone = make(files.A[0].parent, {"4.png": b"four"})[0], files.A[0].with_name("none.png")
    for path in (new, gone, files.A[0].parent):
        training_files.note_skipped(run_dir, path, Files([*files.A, new, gone], files.B))
    assert table(run_dir, training_files.SKIPPED) == {"A": {"4.png": 4}}


def test_files_keep_the_order_of_the_table_if_they_are_the_same(recorded):
    run_dir, files = recorded
    content = table(run_dir)
    content["A"] = {name: content["A"][name] for name in ("3.png", "1.png", "2.png")}
    (run_dir / training_files.ALL).write_text(json.dumps(content))
    ordered = training_files.in_recorded_order(run_dir, files)
    assert ordered == Files([files.A[2], files.A[0], files.A[1]], files.B)
    fewer = Files(files.A[:2], files.B)
    assert training_files.in_recorded_order(run_dir, fewer) == fewer


def test_an_accent_in_another_form_is_the_same_name(tmp_path):
    composed, decomposed = (unicodedata.normalize(form, "\u00e9.png") for form in ("NFC", "NFD"))
    paths = make(tmp_path / "A", {decomposed: b"one"})
    training_files.record(tmp_path, Files(paths, make(tmp_path / "B", {"x": b""})))
    assert list(table(tmp_path)["A"]) == [composed]
    assert training_files.changes(tmp_path, "A", paths) == training_files.NO_CHANGES
    assert not training_files.hold_others(tmp_path, "A", paths)
    paths[0].write_bytes(b"ONE")
    assert training_files.hold_others(tmp_path, "A", paths)


def test_a_set_is_another_only_if_no_compared_file_is_the_same(recorded):
    run_dir, files = recorded
    assert not training_files.hold_others(run_dir, "A", files.A)
    for path, content in zip(files.A[:2], (b"ONE", b"TWO.")):
        path.write_bytes(content)
    assert not training_files.hold_others(run_dir, "A", files.A)
    files.A[2].write_bytes(b"THREE")
    assert training_files.hold_others(run_dir, "A", files.A)
    assert not training_files.hold_others(run_dir, "B", files.B)
    for path in files.A:  # of other sizes: not compared
        path.write_bytes(b"of another size")
    assert not training_files.hold_others(run_dir, "A", files.A)


@pytest.mark.parametrize("note", [training_files.note_unreadable, training_files.note_skipped])
def test_a_file_that_could_not_be_read_is_not_compared(recorded, note):
    run_dir, files = recorded
    note(run_dir, files.B[0], files)
    files.B[0].write_bytes(b"EX")
    assert not training_files.hold_others(run_dir, "B", files.B)


@pytest.mark.parametrize(
    ("A", "B", "now", "exchanged"),
    [
        ({"1": b"one"}, {"1": b"two"}, ("B", "A"), True),
        ({"1": b"one"}, {"1": b"two"}, ("A", "B"), False),
        ({"1": b"one"}, {"2": b"two"}, ("B", "A"), True),
        ({"1": b"one"}, {"1": b"one"}, ("B", "A"), False),  # nothing tells them apart
        ({"1": b"one", "2": b"two"}, {"1": b"one", "2": b"owt"}, ("B", "A"), True),
        ({"1": b"one"}, {"1": b"two"}, ("A", "A"), False),
        ({"1": b"one"}, {"2": b"two"}, ("B", "B"), False),
    ],
)
def test_domains_are_exchanged_if_each_is_what_the_other_was(tmp_path, A, B, now, exchanged):
    places = {"A": make(tmp_path / "A", A), "B": make(tmp_path / "B", B)}
    training_files.record(tmp_path, Files(places["A"], places["B"]))
    assert training_files.are_exchanged(tmp_path, Files(*(places[name] for name in now))) == exchanged


def test_without_both_domains_in_the_table_nothing_is_exchanged(recorded):
    run_dir, files = recorded
    (run_dir / training_files.ALL).write_text('{"A": {"1.png": 3}}')
    assert not training_files.are_exchanged(run_dir, Files(files.B, files.A))


@pytest.fixture
def begun(recorded):
    """The same, with a config.json."""
    run_dir, files = recorded
    domains = {"A": EIGHT_BITS, "B": EIGHT_BITS}
    record_run(Run(str(run_dir)), small.Gain(), Images("none"), files, domains)
    return run_dir, files


def refusal(run_dir, files):
    with pytest.raises(UserError) as error:
        refuse_other_files(str(run_dir), files)
    return str(error.value)


def test_a_run_is_resumed_with_its_own_files_alone(begun):
    run_dir, files = begun
    folder = files.A[0].parent
    cure = f"Or start a new run in a new --run_dir, afresh or with its weights: --init_from {run_dir}."
    assert refuse_other_files(str(run_dir), files) == []
    files.A[0].write_bytes(b"x" * 1234)
    assert refusal(run_dir, Files(files.A[:2], files.B)) == (
        f"The images of A have changed since {run_dir} started: 3 files then, 2 now, in {folder}; changed: 1.png (3"
        f" bytes then, 1,234 now); gone: 3.png. Restore them as they were to resume. {cure}"
    )
    (run_dir / training_files.ALL).unlink()
    assert refusal(run_dir, files) == (
        f"The images of A have changed since {run_dir} started: 3 files then, 3 now, in {folder}; the changed files are"
        " not known, as the run was started by a version that kept no list. Restore them as they were to resume."
        f" {cure}"
    )


def test_replaced_files_are_told_of_and_skipped_ones_are_refused(begun):
    run_dir, files = begun
    training_files.note_unreadable(run_dir, files.A[0], files)
    files.A[0].write_bytes(b"replaced")
    assert refuse_other_files(str(run_dir), files) == [
        f"{files.A[0]} was replaced. It could not be read before and was not trained on: training resumes with the new"
        " file."
    ]
    training_files.note_skipped(run_dir, files.B[0], files)
    files.B[0].write_bytes(b"replaced")
    assert refusal(run_dir, files) == (
        f"{files.B[0]} could not be read before and was skipped (--on_bad_image skip). It was replaced since, which"
        " would change the order of the images. Restore the unreadable file to resume. Or start a new run in a new"
        f" --run_dir, afresh or with its weights: --init_from {run_dir}."
    )


def test_exchanged_domains_are_refused_with_the_cure(begun):
    run_dir, files = begun
    assert refusal(run_dir, Files(files.B, files.A)) == (
        f"A and B are swapped: the images of A, in {files.B[0].parent}, were those of B when {run_dir} started, and"
        " vice versa. Swap the folders, such as --dir_A and --dir_B, to resume. Or start a new run in a new --run_dir."
    )
