"""What a download says, sends and remembers."""

import contextlib
import hashlib
import http.client
import json
import types
import urllib.request

import pytest

from common.errors import UserError
from common.images import archives, catalogue, download
from tests.images import test_catalogue
from tests.images.test_catalogue import DOMAINS, PAIRS, WHOLE, address, interrupt, serve, tarred, without_record, zipped

server, no_proxy = test_catalogue.server, test_catalogue.no_proxy
DIGEST = hashlib.sha256(WHOLE).hexdigest()


def refusal(root, where, name="facades"):
    """The whole text of the error of a download."""
    with pytest.raises(UserError) as error:
        download.download(name, root, where)
    return str(error.value)


def cut_off(server, root, at, **switches):
    """Downloads WHOLE with the connection cut after some bytes; returns what the server has, for the next time."""
    requests = serve(server, WHOLE, cut=at, **switches).requests
    with pytest.raises(UserError):
        download.download("facades", root, address(server))
    requests.clear()
    return serve(server, WHOLE, requests=requests, **switches)


def test_a_download_tells_what_it_does(server, tmp_path, capsys):
    serve(server, zipped(DOMAINS))
    folder, where = tmp_path / "my sets/facades", address(server)
    download.download("facades", tmp_path / "my sets", where)
    lines = [*catalogue.about("facades").splitlines(), f"Downloading {where} into {folder}"]
    ready = f"Train on them with --dataset facades --data_root '{tmp_path}/my sets'."
    assert capsys.readouterr().out.splitlines() == [*lines, f"{folder} holds 8 images. {ready}"]
    assert download.download("facades", tmp_path / "my sets", where) == folder
    assert capsys.readouterr().out == f"{folder} exists already: nothing to download.\n"


@pytest.mark.parametrize(
    ("files", "use"),
    [
        ({"train/1.jpg": b"1", "val/1.jpg": b"2"}, "Train on them with --dataset ae_photos --side_by_side."),
        (
            {"test/A/1.jpg": b"1", "readme.txt": b"2", "more/of them/2.png": b""},
            "It has no training images; translate them with --phase translate --input datasets/ae_photos --recursive.",
        ),
        ({"trainA/1.jpg": b"1", "trainB/1.jpg": b"2"}, "Train on them with --dataset ae_photos."),
    ],
)
def test_a_download_says_what_its_images_are_for(server, tmp_path, monkeypatch, capsys, files, use):
    monkeypatch.chdir(tmp_path)
    serve(server, zipped(files))
    download.download("ae_photos", "datasets", address(server))
    assert capsys.readouterr().out.splitlines()[-1] == f"datasets/ae_photos holds 2 images. {use}"


def test_a_request_names_the_program_and_wants_no_other_encoding(server, tmp_path):
    requests = serve(server, WHOLE).requests
    download.download("facades", tmp_path, address(server))
    (headers,) = requests
    assert (headers["User-Agent"], headers["Accept-Encoding"]) == ("dual-translation", "identity")
    assert headers["Range"] is None


def test_a_server_may_be_silent_for_a_minute(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        urllib.request.OpenerDirector, "open", lambda self, request, timeout: seen.append(timeout) or interrupt()
    )
    with pytest.raises(KeyboardInterrupt):
        download.download("facades", tmp_path)
    assert seen == [60.0]


def test_what_an_interrupted_download_remembers(server, tmp_path):
    has = cut_off(server, tmp_path, 500)
    part = tmp_path / ".facades.part"
    assert part.read_bytes() == WHOLE[:500]
    memory = {"address": address(server), "validator": has.validator, "length": len(WHOLE)}
    assert (tmp_path / ".facades.part.json").read_text() == json.dumps(memory, indent=2) + "\n"
    download.download("facades", tmp_path, address(server))
    (headers,) = has.requests
    assert (headers["Range"], headers["If-Range"]) == ("bytes=500-", has.validator)


@pytest.mark.parametrize("field", ["address", "validator", "length"])
def test_a_download_begins_again_without_a_field_of_its_record(server, tmp_path, field):
    has = cut_off(server, tmp_path, 500)
    path = tmp_path / ".facades.part.json"
    memory = json.loads(path.read_text())
    del memory[field]
    path.write_text(json.dumps(memory))
    download.download("facades", tmp_path, address(server))
    assert [headers["Range"] for headers in has.requests] == [None]


def test_a_download_begins_again_without_its_part(server, tmp_path):
    has = cut_off(server, tmp_path, 500)
    (tmp_path / ".facades.part").unlink()
    assert without_record(download.download("facades", tmp_path, address(server)))
    assert [headers["Range"] for headers in has.requests] == [None]


@pytest.mark.parametrize("validates", [True, False])
@pytest.mark.parametrize("tells_length", [True, False])
def test_a_download_that_ends_early_says_how_far_it_came(server, tmp_path, validates, tells_length):
    """Without a length, only an error of the connection shows that it ended early: then the archive is damaged."""
    serve(server, WHOLE, cut=500, tells_length=tells_length, **({} if validates else {"headers": {}}))
    said = refusal(tmp_path, address(server))
    again = "resume" if validates else "start over: this server does not support resuming"
    if tells_length:
        assert said == (
            f"{address(server)} ended after 500 of {len(WHOLE):,} bytes (too early). Repeat the command to {again}."
        )
    else:
        part = tmp_path / ".facades.part"
        assert said.startswith("The archive is damaged: ")
        assert said.endswith(f" The archive is kept as {part}: remove it to download it again.")


def test_a_file_that_is_gone_is_not_begun_again(server, tmp_path):
    cut_off(server, tmp_path, 500)
    requests = serve(server, WHOLE, status=404).requests
    said = refusal(tmp_path, address(server))
    entry = catalogue.SETS["facades"]
    assert said == (
        f"facades cannot be downloaded from {address(server)}: the server answered 404 Not Found."
        f" {entry.alternative} Put it into {tmp_path}/facades by hand, as {entry.layout}."
    )
    assert len(requests) == 1 and (tmp_path / ".facades.part").read_bytes() == WHOLE[:500]


def test_a_longer_part_than_the_archive_begins_again(server, tmp_path):
    """As when the archive was replaced by a shorter one, of the same date."""
    date = {"Last-Modified": "Sat, 08 Apr 2017 00:00:00 GMT"}
    cut_off(server, tmp_path, len(WHOLE) - 10, headers=date, tells_length=False)
    shorter = tarred(dict(list(DOMAINS.items())[:5]))
    assert len(shorter) < len(WHOLE) - 10
    requests = serve(server, shorter, headers=date, ignores_if_range=True).requests
    folder = download.download("facades", tmp_path, address(server))
    assert json.loads((folder / "download.json").read_text())["bytes"] == len(shorter)
    assert [headers["Range"] for headers in requests] == [f"bytes={len(WHOLE) - 10}-", None]


def test_other_records_are_kept(server, tmp_path):
    (tmp_path / "downloads.json").write_text('{"maps": "00"}')
    serve(server, WHOLE)
    download.download("facades", tmp_path, address(server))
    assert (tmp_path / "downloads.json").read_text() == f'{{\n  "maps": "00",\n  "facades": "{DIGEST}"\n}}\n'


@pytest.mark.parametrize("chunk", [1, 1000, len(WHOLE)])
def test_an_archive_is_read_in_parts(server, tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(download, "CHUNK", chunk)
    serve(server, WHOLE)
    folder = download.download("facades", tmp_path, address(server))
    assert without_record(folder) == {name.removeprefix("facades/"): content for name, content in PAIRS.items()}
    assert (folder / "download.json").read_text() == (
        f'{{\n  "name": "facades",\n  "address": "{address(server)}",\n  "bytes": {len(WHOLE)},\n'
        f'  "sha256": "{DIGEST}"\n}}\n'
    )


def test_a_mebibyte_is_asked_for_at_a_time(server, tmp_path, monkeypatch):
    sizes, read = set(), http.client.HTTPResponse.read1
    monkeypatch.setattr(http.client.HTTPResponse, "read1", lambda self, size: sizes.add(size) or read(self, size))
    serve(server, WHOLE)
    download.download("facades", tmp_path, address(server))
    assert sizes == {2**20}


def test_the_bar_begins_where_an_earlier_download_ended(server, tmp_path, monkeypatch):
    cut_off(server, tmp_path, 500)
    seen = []

    @contextlib.contextmanager
    def bar(**options):
        seen.append(options)
        yield types.SimpleNamespace(update=seen.append)

    monkeypatch.setattr(download.progress, "bar", bar)
    download.download("facades", tmp_path, address(server))
    options, *counts = seen
    assert options == {"total": len(WHOLE), "initial": 500, "desc": "facades", "unit": "B", "unit_scale": True}
    assert sum(counts) == len(WHOLE) - 500


@pytest.mark.parametrize(("most", "is_enough"), [(len(WHOLE), True), (len(WHOLE) - 1, False)])
@pytest.mark.parametrize("tells_length", [True, False])
def test_an_archive_of_the_greatest_size_is_fetched(server, tmp_path, monkeypatch, most, is_enough, tells_length):
    assert download.MOST == archives.UNPACKED == 64 * 2**30
    monkeypatch.setattr(download, "MOST", most)
    cut_off(server, tmp_path, 500, tells_length=True)
    serve(server, WHOLE, tells_length=tells_length)
    if is_enough:
        assert download.download("facades", tmp_path, address(server))
    else:
        said = refusal(tmp_path, address(server))
        assert said == f"The download exceeds {most:,} bytes, the largest archive that is accepted."


@pytest.mark.parametrize(("have", "length", "least"), [(0, 100, 200), (60, 100, 140), (100, 100, 100), (60, None, 0)])
def test_room_for_the_rest_and_for_the_files_is_needed(tmp_path, monkeypatch, have, length, least):
    monkeypatch.setattr(download.shutil, "disk_usage", lambda path: types.SimpleNamespace(free=least))
    download._check_room(tmp_path / "x", have, length)
    if length is not None:
        monkeypatch.setattr(download.shutil, "disk_usage", lambda path: types.SimpleNamespace(free=least - 1))
        with pytest.raises(UserError) as error:
            download._check_room(tmp_path / "x", have, length)
        assert str(error.value) == (
            f"The archive has 100 bytes and needs as many again to be unpacked, but {tmp_path} has only {least - 1}"
            " free. Free some space, or choose a different --data_root."
        )


def test_a_place_that_cannot_be_written_is_named_with_the_reason(server, tmp_path):
    serve(server, WHOLE)
    (tmp_path / "file").write_text("")
    said = refusal(tmp_path / "file", address(server))
    assert said == (f"{tmp_path}/file cannot be written: File exists. Choose a different --data_root, or free space.")


def test_a_set_without_an_address_is_described(tmp_path):
    entry = catalogue.SETS["oil-chinese"]
    assert refusal(tmp_path, None, "oil-chinese") == (
        f"oil-chinese cannot be downloaded. {entry.alternative} Put it into {tmp_path}/oil-chinese by hand, as train/A,"
        " train/B, val/A and val/B."
    )


def test_an_archive_that_differs_from_the_published_one_is_refused_in_whole_sentences(server, tmp_path, monkeypatch):
    serve(server, WHOLE)
    entry = catalogue.SETS["horse2zebra"]._replace(address=address(server))
    monkeypatch.setitem(catalogue.SETS, "horse2zebra", entry)
    part = tmp_path / ".horse2zebra.part"
    assert refusal(tmp_path, None, "horse2zebra") == (
        "The archive of horse2zebra differs from the one listed by TensorFlow Datasets (url_checksums/cycle_gan.txt):"
        f" its SHA-256 is {DIGEST}, not {entry.sha256}. If you trust it, use --download_from {address(server)}. The"
        f" archive is kept as {part}: remove it to download it again."
    )
    (tmp_path / "downloads.json").write_text('{"horse2zebra": "00"}')
    assert refusal(tmp_path, None, "horse2zebra") == (
        f"The archive of horse2zebra has changed: its SHA-256 is {DIGEST}, that of an earlier download was 00. If you"
        f" trust the new one, remove horse2zebra from {tmp_path}/downloads.json and repeat the command. The archive is"
        f" kept as {part}: remove it to download it again."
    )
