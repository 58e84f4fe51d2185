"""Archives up to their limits, and what is said of those beyond them."""

import gzip
import io
import tarfile
import tracemalloc
import types
import zipfile

import pytest

from common.errors import UserError
from common.images import archives
from tests.images.test_catalogue import below, tarred, without_record, zipped

TWO = {"trainA/1.jpg": b"1" * 3000, "trainB/1.jpg": b"2" * 2000}


@pytest.fixture
def unpacked(tmp_path):
    """A function that unpacks an archive of these bytes, and returns the files of its folder without the record."""

    def unpack(content):
        (tmp_path / "archive").write_bytes(content)
        archives.unpack(tmp_path / "archive", tmp_path / "set", {"name": "set"})
        assert below(tmp_path / "set")["download.json"] == b'{\n  "name": "set"\n}\n'
        assert sorted(path.name for path in tmp_path.iterdir()) == ["archive", "set"]
        return without_record(tmp_path / "set")

    return unpack


def refusal(unpacked, content):
    with pytest.raises(UserError) as error:
        unpacked(content)
    return str(error.value)


NO_SET = "No dataset needs this, so the archive is not used."


def test_a_million_members_are_the_most():
    allowance = archives._Allowance(100)
    allowance.members = 999_999
    allowance.member()
    with pytest.raises(UserError) as error:
        allowance.member()
    assert str(error.value) == f"The archive has more than 1,000,000 members. {NO_SET}"


@pytest.mark.parametrize(
    ("packed", "most", "words"),
    [
        (2**40, 2**36, "68,719,476,736 bytes"),  # 64 GiB
        (1, 2**30, "200 times its 1 bytes"),
        (5_368_709, 2**30, "200 times its 5,368,709 bytes"),
        (5_368_710, 1_073_742_000, "200 times its 5,368,710 bytes"),
        (343_597_383, 68_719_476_600, "200 times its 343,597,383 bytes"),
    ],
)
def test_an_archive_may_unpack_to_64_gibibytes_and_beyond_one_to_200_times_its_bytes(packed, most, words):
    allowance = archives._Allowance(packed)
    allowance.take(most - 7)
    allowance.take(7)
    with pytest.raises(UserError) as error:
        allowance.take(1)
    assert str(error.value) == f"The archive unpacks to more than {words}. {NO_SET}"


@pytest.mark.parametrize("pack", [zipped, tarred, lambda files: tarred(files, "w")])
@pytest.mark.parametrize(("members", "is_enough"), [(2, True), (1, False)])
def test_each_file_is_a_member(unpacked, monkeypatch, pack, members, is_enough):
    monkeypatch.setattr(archives, "MEMBERS", members)
    if is_enough:
        assert unpacked(pack(TWO)) == TWO
    else:
        assert refusal(unpacked, pack(TWO)) == f"The archive has more than 1 members. {NO_SET}"


@pytest.mark.parametrize(
    ("pack", "total"),
    [
        (zipped, 5000),
        (lambda files: zipped(files, 8), 5000),
        (tarred, 10_240),
        (lambda files: tarred(files, "w"), 10_240),
    ],
    ids=["zip", "deflated", "tar.gz", "tar"],
)
@pytest.mark.parametrize("limits", [{"UNPACKED": 0}, {"RATIO_FROM": 0, "RATIO": 0}], ids=["bytes", "ratio"])
def test_all_unpacked_bytes_are_counted(unpacked, monkeypatch, pack, total, limits):
    """Of a zip archive those of its files, of a tar archive also headers: 20 blocks of 512 bytes."""
    name, *others = limits
    for other in others:
        monkeypatch.setattr(archives, other, 0)
    monkeypatch.setattr(archives, name, total - 1)
    assert "unpacks to more than" in refusal(unpacked, pack(TWO))
    monkeypatch.setattr(archives, name, total)
    assert unpacked(pack(TWO)) == TWO


def test_empty_folders_are_made(unpacked, tmp_path):
    info = tarfile.TarInfo("trainB/empty")
    info.type = tarfile.DIRTYPE
    unpacked(tarred({"trainA/1.jpg": b"1", "x": info}))
    assert (tmp_path / "set/trainB/empty").is_dir()


def test_empty_folders_of_a_zip_are_made(unpacked, tmp_path):
    assert unpacked(zipped({"trainA/1.jpg": b"1", "trainB/empty/": b""})) == {"trainA/1.jpg": b"1"}
    assert (tmp_path / "set/trainB/empty").is_dir()


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_a_folder_of_the_whole_archive_may_be_a_member(unpacked, pack):
    info = tarfile.TarInfo("./")
    info.type = tarfile.DIRTYPE
    whole = {"./": b"" if pack is zipped else info}
    assert unpacked(pack({**whole, **{f"./{name}": content for name, content in TWO.items()}})) == TWO


@pytest.mark.parametrize(
    ("names", "kept"),
    [
        (["set/a.jpg", "set/b/c.jpg"], ["a.jpg", "b/c.jpg"]),
        (["a.jpg"], ["a.jpg"]),
        (["one/a.jpg", "two/a.jpg"], ["one/a.jpg", "two/a.jpg"]),
        (["one/two/a.jpg"], ["two/a.jpg"]),
        *(([f"{name}/a.jpg"], [f"{name}/a.jpg"]) for name in ("A", "B", "train", "valB", "test", "testA")),
    ],
    ids=str,
)
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_a_single_folder_is_left_out_unless_it_is_a_part_of_the_set(unpacked, pack, names, kept):
    assert sorted(unpacked(pack(dict.fromkeys(names, b"x")))) == kept


@pytest.mark.parametrize(("size", "is_refused"), [(10, False), (11, True)])
def test_members_side_by_side_do_not_overlap(size, is_refused):
    """Of 30 bytes before their content, up to the next member at 40, and up to the list of members at 80."""

    def check(sizes):
        members = [
            types.SimpleNamespace(header_offset=40 * number, compress_size=size, filename=f"{number}")
            for number, size in reversed(list(enumerate(sizes)))
        ]
        archives._check_apart(types.SimpleNamespace(infolist=lambda: members, start_dir=80))

    for number, sizes in enumerate(((size, 0), (0, size))):
        if is_refused:
            with pytest.raises(UserError) as error:
                check(sizes)
            assert str(error.value) == f"The archive has a member '{number}' that overlaps another. {NO_SET}"
        else:
            check(sizes)


@pytest.mark.parametrize("flag", [2**bit for bit in range(16)])
def test_encrypted_members_of_a_zip_are_refused(flag):
    """By the ZIP specification bit 0 says so, 6 of strong encryption and 13 of an encrypted directory."""
    member = zipfile.ZipInfo("x.jpg")
    member.flag_bits = flag
    if flag in (1, 0x40, 0x2000):
        with pytest.raises(UserError) as error:
            archives._check_zip(member)
        assert str(error.value) == f"The archive has a member 'x.jpg' that is encrypted. {NO_SET}"
    else:
        archives._check_zip(member)


@pytest.mark.parametrize(("mode", "is_file"), [(0, True), (0o100644, True), (0o040755, True), (0o010644, False)])
def test_pipes_in_a_zip_are_refused(mode, is_file):
    member = zipfile.ZipInfo("x.jpg")
    member.external_attr = mode << 16 | 0xFFFF
    if is_file:
        archives._check_zip(member)
    else:
        with pytest.raises(
            UserError, match=r"^The archive has a member 'x.jpg' that is a link or a device\. No dataset"
        ):
            archives._check_zip(member)


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_what_is_there_twice_is_named(unpacked, pack, monkeypatch):
    monkeypatch.setattr("warnings.warn", lambda *_, **__: None)  # zipfile's, of a duplicate
    infos = {"train/1.jpg": b"1", "./train/1.jpg": b"2", "train": b"3"}
    said = refusal(unpacked, pack({name: infos[name] for name in ("train/1.jpg", "./train/1.jpg")}))
    assert said == f"The archive has two members for '1.jpg'. {NO_SET}"
    said = refusal(unpacked, pack({name: infos[name] for name in ("train", "train/1.jpg")}))
    assert said == f"The archive has both a file and a folder for 'train'. {NO_SET}"


@pytest.mark.parametrize("start", [b"", b"no archive, but text of more than 16 letters", bytes(600)])
def test_a_file_that_is_no_archive_is_told_by_its_first_16_bytes(unpacked, start):
    said = refusal(unpacked, start)
    assert said == f"The downloaded file is neither a zip nor a tar archive: it begins with {start[:16]!r}."


def test_a_zip_member_that_is_shorter_than_it_says_is_damage(unpacked):
    packed = bytearray(zipped({"trainA/1.jpg": b"1" * 9, "trainB/1.jpg": b"2"}))
    at = packed.index(b"PK\1\2") + 24  # of its size, in the list of members
    packed[at : at + 4] = (1009).to_bytes(4, "little")
    said = refusal(unpacked, bytes(packed))
    assert said == "The archive is damaged: 'trainA/1.jpg' does not have its 1,009 bytes."


def test_a_header_that_is_no_header_is_damage(unpacked):
    whole = bytearray(tarred(TWO, "w"))
    whole[148:156] = b"0000000\0"
    assert refusal(unpacked, bytes(whole)) == "The archive is damaged, or ends too early: bad checksum."


def test_the_names_of_files_are_those_of_the_archive_whatever_stands_around_them(unpacked):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in ("trainA//1.jpg", "trainA/./2.jpg", "trainA/..3.jpg", "trainB/__MACOSX/4.jpg", "trainB/.DS_Store"):
            archive.writestr(name, name)
    assert sorted(unpacked(packed.getvalue())) == ["trainA/..3.jpg", "trainA/1.jpg", "trainA/2.jpg"]


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_empty_files_are_files(unpacked, pack):
    files = {"trainA/1.jpg": b"1", "trainA/readme": b""}
    assert unpacked(pack(files)) == files


@pytest.mark.parametrize("squeeze", [bytes, gzip.compress], ids=["tar", "tar.gz"])
def test_a_tar_archive_may_end_with_many_zeros(unpacked, squeeze):
    assert unpacked(squeeze(tarred(TWO, "w") + bytes(200_000))) == TWO


@pytest.mark.parametrize("pack", [zipped, tarred, lambda files: tarred(files, "w")])
def test_large_files_are_unpacked_in_parts(tmp_path, pack):
    (tmp_path / "archive").write_bytes(pack({"trainA/1.jpg": bytes(2**24), "trainB/1.jpg": b"1"}))
    tracemalloc.start()
    try:
        archives.unpack(tmp_path / "archive", tmp_path / "set", {})
        assert tracemalloc.get_traced_memory()[1] < 2**23
    finally:
        tracemalloc.stop()
    assert (tmp_path / "set/trainA/1.jpg").stat().st_size == 2**24
