"""Published sets are fetched whole, never by a typo, as they were before, and unpacked nowhere but in their folder."""

import concurrent.futures
import errno
import gzip
import hashlib
import http.server
import io
import json
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import types
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.errors import UserError
from common.images import archives, catalogue, download, exclusive

DOMAINS = {
    f"facades/{split}{domain}/{n}.jpg": b"%d" % n for split in ("train", "test") for domain in "AB" for n in (1, 2)
}
PAIRS = {f"facades/{split}/{n}.jpg": random.Random(n).randbytes(3000) for split in ("train", "val") for n in range(3)}


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `server.has`, and misbehaves as that says."""

    def do_GET(self):
        has = self.server.has
        has.requests.append(self.headers)
        if self.path.startswith("/moved/"):
            return self.answer(302, b"", Location=has.location)
        if has.status != 200:
            return self.answer(has.status, b"")
        begin = self.headers.get("Range", "").removeprefix("bytes=").removesuffix("-")
        current = self.headers.get("If-Range") in (has.validator, None) or has.ignores_if_range
        if not (begin and has.ranges and current):
            return self.answer(200, has.content, **has.headers)
        if int(begin) >= len(has.content):
            return self.answer(416, b"", **{"Content-Range": f"bytes */{len(has.content)}"})
        span = f"bytes {int(begin) + has.shift}-{len(has.content) - 1}/{len(has.content)}"
        return self.answer(206, has.content[int(begin) :], **{"Content-Range": span}, **has.headers)

    def answer(self, status, body, **headers):
        has = self.server.has
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if has.tells_length:
            self.send_header("Content-Length", len(body) + has.lie)
        self.end_headers()
        self.wfile.write(body[: has.cut])
        self.wfile.flush()
        time.sleep(has.stall)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield served
        served.shutdown()
        thread.join()


def serve(server, content, **switches):
    """What the server has from now on."""
    server.has = types.SimpleNamespace(
        content=content,
        validator=(validator := '"' + hashlib.md5(content).hexdigest() + '"'),
        headers={"ETag": validator},
        requests=[],
        status=200,
        location="",
        ranges=True,
        ignores_if_range=False,
        shift=0,
        tells_length=True,
        lie=0,
        cut=None,
        stall=0.0,
    )
    vars(server.has).update(switches)
    return server.has


def address(server, path="facades.zip"):
    return f"http://127.0.0.1:{server.server_port}/{path}"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def zipped(files, compression=zipfile.ZIP_STORED):
    """A zip archive; what is to be written is bytes, or (ZipInfo, bytes)."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(*(content if isinstance(content, tuple) else (name, content)))
    return packed.getvalue()


def tarred(files, mode="w:gz"):
    """A tar archive; what is to be written is bytes, or a TarInfo."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:
        for name, content in files.items():
            info = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content) if isinstance(content, bytes) else 0
            archive.addfile(info, io.BytesIO(content if isinstance(content, bytes) else b""))
    return packed.getvalue()


def below(folder):
    """The content of every file below a folder, by its path."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in pathlib.Path(folder).rglob("*") if p.is_file()}


def unpacked(files):
    """What a folder must hold of an archive of NAME/..., but for its record."""
    return {name.removeprefix("facades/"): content for name, content in files.items()}


def without_record(folder):
    contents = below(folder)
    del contents["download.json"]
    return contents


def refused(server, root, *words, name="facades", where=None):
    """The text of the UserError that a download raises; it leaves no folder and nothing half unpacked."""
    with pytest.raises(UserError) as error:
        download.download(name, root / "sets", address(server) if where is None else where)
    for word in words:
        assert word in str(error.value)
    kept = {path.name for path in (root / "sets").iterdir()} if (root / "sets").is_dir() else set()
    assert kept <= {f".{name}.part", f".{name}.part.json", "downloads.json"}
    assert {path.name for path in root.iterdir()} <= {"sets", "outside"}
    return str(error.value)


def interrupt(*_, **__):
    raise KeyboardInterrupt


# The catalogue


@pytest.mark.parametrize("name", catalogue.SETS)
def test_every_entry_is_complete(name):
    entry = catalogue.SETS[name]
    assert all((entry.description, entry.source, entry.terms, entry.layout, entry.alternative))
    assert entry.address is None or entry.address.startswith(("http://", "https://"))
    assert not entry.checked  # none was seen to answer
    assert "http" in entry.alternative or "--download" in entry.alternative
    assert (entry.sha256 is None) == (entry.digest_by == "")
    assert entry.sha256 is None or (len(entry.sha256) == 64 and int(entry.sha256, 16))
    text = catalogue.about(name)
    assert all(fact in text for fact in (entry.description, entry.source, entry.terms, entry.layout, entry.alternative))
    assert ("not checked" in text) == (entry.address is not None)
    assert ("--side_by_side" in text) == entry.side_by_side


def test_the_listing_has_a_line_for_each():
    lines = catalogue.listing().splitlines()
    assert [line.split()[0] for line in lines] == list(catalogue.SETS)
    assert all(("by hand" in line) == (catalogue.SETS[line.split()[0]].address is None) for line in lines)


def test_no_digest_is_there_twice():
    digests = [entry.sha256 for entry in catalogue.SETS.values() if entry.sha256]
    assert len(digests) == len(set(digests)) == 8


def test_tensorflow_is_not_imported():
    code = "import sys; from common.images import download; assert 'tensorflow' not in sys.modules"
    root = pathlib.Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)


# Asking for a set


@pytest.mark.parametrize(
    "typo, meant", [("facade", "facades"), ("Horse2Zebra", "horse2zebra"), ("../facades", "facades")]
)
def test_a_typo_fetches_nothing(server, tmp_path, typo, meant):
    has = serve(server, zipped(DOMAINS))
    refused(server, tmp_path, f"Unknown published dataset {typo!r}", f"Did you mean {meant}", "ukiyoe2photo", name=typo)
    assert has.requests == []
    assert not (tmp_path / "sets").exists()
    with pytest.raises(UserError, match=r"Unknown published dataset 'qqqq'\. Must be one of "):
        catalogue.about("qqqq")


def test_what_is_there_is_not_fetched(server, tmp_path, capsys):
    has = serve(server, zipped(DOMAINS))
    (tmp_path / "facades").mkdir()
    assert download.download("facades", tmp_path, address(server)) == tmp_path / "facades"
    assert has.requests == []
    assert "exists already: nothing to download" in capsys.readouterr().out
    assert below(tmp_path) == {}


def test_two_at_once_fetch_one_archive(server, tmp_path, capsys):
    has = serve(server, zipped(DOMAINS), stall=0.3)  # the second begins while the first is fetched
    with concurrent.futures.ThreadPoolExecutor(2) as processes:
        downloads = [processes.submit(download.download, "facades", tmp_path, address(server)) for _ in range(2)]
    assert [done.result() for done in downloads] == [tmp_path / "facades"] * 2
    assert len(has.requests) == 1
    assert without_record(tmp_path / "facades") == unpacked(DOMAINS)
    assert {path.name for path in tmp_path.iterdir()} == {"facades", "downloads.json"}
    assert "Another process is downloading facades; waiting for it to finish." in capsys.readouterr().out


@pytest.mark.parametrize("name", [name for name, entry in catalogue.SETS.items() if entry.address is None])
def test_what_is_gone_says_where_it_is(server, tmp_path, name):
    text = refused(server, tmp_path, "cannot be downloaded", catalogue.SETS[name].alternative, name=name, where="")
    assert f"Put it into {tmp_path / 'sets' / name} by hand, as " in text


def test_source_and_terms_come_first(server, tmp_path, monkeypatch, capsys):
    serve(server, zipped(DOMAINS))
    entry = catalogue.SETS["facades"]._replace(address=address(server))
    monkeypatch.setitem(catalogue.SETS, "facades", entry)
    monkeypatch.setattr(download, "_fetch", interrupt)
    with pytest.raises(KeyboardInterrupt):
        download.download("facades", tmp_path)
    printed = capsys.readouterr().out
    assert printed.index(entry.source) < printed.index(entry.terms) < printed.index(f"Downloading {entry.address} into")
    assert "not checked for this release" in printed


# What is downloaded


@pytest.mark.parametrize("pack", [zipped, tarred, lambda files: tarred(files, "w"), lambda files: zipped(files, 8)])
def test_any_archive_by_its_content(server, tmp_path, capsys, pack):
    archive = pack(
        DOMAINS | {"__MACOSX/x": b"", "facades/.DS_Store": b"", "facades/trainA/": b""} if pack is zipped else DOMAINS
    )
    serve(server, archive)
    folder = download.download("facades", tmp_path / "sets", address(server, "whatever"))
    assert folder == tmp_path / "sets" / "facades"
    assert without_record(folder) == unpacked(DOMAINS)
    digest = hashlib.sha256(archive).hexdigest()
    assert json.loads((folder / "download.json").read_text()) == {
        "name": "facades",
        "address": address(server, "whatever"),
        "bytes": len(archive),
        "sha256": digest,
    }
    assert json.loads((tmp_path / "sets" / "downloads.json").read_text()) == {"facades": digest}
    assert sorted(path.name for path in (tmp_path / "sets").iterdir()) == ["downloads.json", "facades"]
    printed = capsys.readouterr().out.splitlines()[-1]
    assert printed == f"{folder} holds 8 images. Train on them with --dataset facades --data_root {tmp_path / 'sets'}."


def test_images_side_by_side(server, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    serve(server, tarred(PAIRS))
    download.download("facades", "datasets", address(server))
    assert capsys.readouterr().out.endswith(
        "datasets/facades holds 6 images. Train on them with --dataset facades --side_by_side.\n"
    )
    assert without_record("datasets/facades") == unpacked(PAIRS)


@pytest.mark.parametrize("top", ["", "train/"])
def test_a_split_is_no_name_of_a_set(server, tmp_path, top):
    files = {f"{top}A/1.jpg": b"1", f"{top}B/1.jpg": b"2"}
    serve(server, zipped(files))
    assert without_record(download.download("facades", tmp_path, address(server))) == files


def test_images_to_translate_alone(server, tmp_path, capsys):
    serve(server, zipped({"ae_photos/testA/1.jpg": b"1", "ae_photos/readme.txt": b""}))
    download.download("ae_photos", tmp_path, address(server))
    assert "holds 1 images." in (printed := capsys.readouterr().out)
    assert "has no training images; translate them" in printed


# Going on


def fetch_twice(server, root, content, cut, second=None, **switches):
    """Downloads with the connection cut after `cut` bytes, and again; the headers of all requests."""
    requests = serve(server, content, cut=cut, **switches).requests
    with pytest.raises(UserError, match="Repeat the command to"):
        download.download("facades", root, address(server))
    has = serve(server, content, requests=requests, **switches) if second is None else second
    folder = download.download("facades", root, address(server))
    record = json.loads((folder / "download.json").read_text())
    assert record["sha256"] == hashlib.sha256(has.content).hexdigest()
    return [*requests, *has.requests] if second else requests


WHOLE = tarred(PAIRS, "w:gz")


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, len(WHOLE) - 1))
def test_going_on_makes_the_whole(server, cut):
    with tempfile.TemporaryDirectory() as root:
        requests = fetch_twice(server, root, WHOLE, cut)
        assert [headers.get("Range") for headers in requests] == [None, f"bytes={cut}-" if cut else None]
        assert without_record(pathlib.Path(root, "facades")) == unpacked(PAIRS)


def test_a_date_tells_contents_apart(server, tmp_path):
    date = "Sat, 08 Apr 2017 00:00:00 GMT"
    requests = fetch_twice(
        server, tmp_path, WHOLE, 500, validator=date, headers={"Last-Modified": date, "ETag": 'W/"1"'}
    )
    assert requests[-1]["If-Range"] == date


@pytest.mark.parametrize(
    "switches", [{"ranges": False}, {"headers": {}}, {"headers": {"ETag": 'W/"1"'}}, {"shift": 1}], ids=str
)
def test_a_server_that_cannot_go_on_begins_again(server, tmp_path, switches):
    requests = fetch_twice(server, tmp_path, WHOLE, 500, **switches)
    assert "Range" not in requests[-1] or switches == {"ranges": False}


@pytest.mark.parametrize("ignores_if_range", [False, True])
@pytest.mark.parametrize("longer", [0, 5])
def test_two_contents_are_never_mixed(server, tmp_path, ignores_if_range, longer):
    first = tarred(PAIRS, "w")
    other = tarred({name: bytes(reversed(content)) + bytes(longer) for name, content in PAIRS.items()}, "w")
    requests = serve(server, first, cut=5000).requests
    with pytest.raises(UserError, match="Repeat the command to resume"):
        download.download("facades", tmp_path, address(server))
    serve(server, other, requests=requests, ignores_if_range=ignores_if_range)
    folder = download.download("facades", tmp_path, address(server))
    assert json.loads((folder / "download.json").read_text())["sha256"] == hashlib.sha256(other).hexdigest()
    assert requests[1]["Range"] == "bytes=5000-"


def test_another_length_is_another_content(server, tmp_path):
    date = {"Last-Modified": "Sat, 08 Apr 2017 00:00:00 GMT"}
    requests = serve(server, tarred(PAIRS, "w"), cut=5000, headers=date).requests
    with pytest.raises(UserError, match="Repeat the command to resume"):
        download.download("facades", tmp_path, address(server))
    serve(server, tarred(DOMAINS, "w"), requests=requests, headers=date, ignores_if_range=True)
    assert without_record(download.download("facades", tmp_path, address(server))) == unpacked(DOMAINS)
    assert [headers.get("Range") for headers in requests] == [None, "bytes=5000-", None]


def test_another_address_begins_again(server, tmp_path):
    requests = serve(server, WHOLE, cut=500).requests
    with pytest.raises(UserError):
        download.download("facades", tmp_path, address(server))
    serve(server, WHOLE, requests=requests)
    download.download("facades", tmp_path, address(server, "another"))
    assert "Range" not in requests[-1]


@pytest.mark.parametrize("tells_length", [True, False])
def test_a_complete_archive_is_not_fetched_again(server, tmp_path, monkeypatch, tells_length):
    requests = serve(server, WHOLE, tells_length=tells_length).requests
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(download, "_digest", interrupt)
        download.download("facades", tmp_path, address(server))
    folder = download.download("facades", tmp_path, address(server))
    assert without_record(folder) == unpacked(PAIRS)
    assert [headers.get("Range") for headers in requests] == [None] + [f"bytes={len(WHOLE)}-"] * (not tells_length)


def test_a_memory_that_does_not_read_is_none(server, tmp_path):
    serve(server, WHOLE)
    (tmp_path / ".facades.part").write_bytes(b"rest of something")
    (tmp_path / ".facades.part.json").write_text('{"address"')
    assert without_record(download.download("facades", tmp_path, address(server))) == unpacked(PAIRS)


# Servers


@pytest.mark.parametrize("name", ["facades", "horse2zebra"])
def test_an_address_that_is_gone(server, tmp_path, monkeypatch, name):
    serve(server, b"", status=404)
    entry = catalogue.SETS[name]._replace(address=address(server))
    monkeypatch.setitem(catalogue.SETS, name, entry)
    text = refused(server, tmp_path, "the server answered 404 Not Found", entry.alternative, name=name, where="")
    assert "The address was not checked for this release." in text
    assert f"Put it into {tmp_path / 'sets' / name} by hand, as {entry.layout}." in text
    assert "not checked" not in refused(server, tmp_path, "404", name=name)  # an address of the person's own


def test_no_server_at_all(server, tmp_path):
    refused(server, tmp_path, "facades cannot be downloaded", "refused", where="http://127.0.0.1:9/facades.zip")
    refused(server, tmp_path, "facades cannot be downloaded", where="http://no-such-host.invalid/facades.zip")
    refused(server, tmp_path, "facades cannot be downloaded", where="http://127.0.0.1:port/")


@pytest.mark.parametrize("where", ["file:///etc/hostname", "ftp://127.0.0.1/facades.zip", "facades.zip", "data:,x"])
def test_only_the_web(server, tmp_path, where):
    has = serve(server, WHOLE)
    refused(server, tmp_path, "is not a valid address: it must begin with http:// or https://", where=where)
    has.location = where
    if ":" in where:
        refused(
            server,
            tmp_path,
            "is not a valid address: it must begin with http:// or https://",
            where=address(server, "moved/1"),
        )


def test_a_redirect_on_the_web(server, tmp_path):
    serve(server, WHOLE, location="/facades.zip")
    assert without_record(download.download("facades", tmp_path, address(server, "moved/1"))) == unpacked(PAIRS)
    serve(server, WHOLE, location="/moved/1")
    refused(server, tmp_path / "sets", "the server answered 302", where=address(server, "moved/1"))


@pytest.mark.parametrize("lie", [1, 10_000])
def test_less_than_announced(server, tmp_path, lie):
    serve(server, WHOLE, lie=lie)
    refused(
        server, tmp_path, f"ended after {len(WHOLE):,} of {len(WHOLE) + lie:,} bytes", "Repeat the command to resume"
    )
    serve(server, WHOLE, lie=lie, headers={})
    refused(server, tmp_path, "Repeat the command to start over")


def test_a_server_that_falls_silent(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", 0.2)
    serve(server, WHOLE, cut=700, stall=0.6)
    refused(server, tmp_path, "ended after 700 of", "timed out", "Repeat the command to resume")


def test_a_web_page_is_no_archive(server, tmp_path):
    serve(server, b"<html>moved</html>", headers={"Content-Type": "text/html; charset=utf-8"})
    refused(server, tmp_path, "is a web page, not an archive")
    serve(server, b"<html>moved</html>")
    refused(server, tmp_path, "neither a zip nor a tar archive: it begins with b'<html>moved")


def test_no_room(server, tmp_path, monkeypatch):
    serve(server, WHOLE)
    usage = shutil.disk_usage(tmp_path)._replace(free=2 * len(WHOLE) - 1)
    monkeypatch.setattr(download.shutil, "disk_usage", lambda path: usage)
    refused(server, tmp_path, f"The archive has {len(WHOLE):,} bytes", f"only {2 * len(WHOLE) - 1:,} free")


# What it was


def test_another_archive_than_before_is_refused(server, tmp_path):
    first, second = tarred(PAIRS), tarred(DOMAINS)
    serve(server, first)
    shutil.rmtree(download.download("facades", tmp_path / "sets", address(server)))
    serve(server, second)
    digests = [hashlib.sha256(content).hexdigest() for content in (first, second)]
    refused(server, tmp_path, *digests, f"remove facades from {tmp_path / 'sets' / 'downloads.json'}", "is kept as")
    (tmp_path / "sets" / "downloads.json").write_text("{}")
    assert without_record(download.download("facades", tmp_path / "sets", address(server))) == unpacked(DOMAINS)
    shutil.rmtree(tmp_path / "sets" / "facades")
    assert download.download("facades", tmp_path / "sets", address(server))  # the same as before


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_record_that_does_not_read(server, tmp_path, text):
    serve(server, WHOLE)
    (tmp_path / "sets").mkdir()
    (tmp_path / "sets" / "downloads.json").write_text(text)
    refused(server, tmp_path, "downloads.json cannot be read as the digests of downloads", "Repair or remove it.")


def test_another_archive_than_published(server, tmp_path, monkeypatch, capsys):
    serve(server, WHOLE)
    entry = catalogue.SETS["horse2zebra"]._replace(address=address(server))
    monkeypatch.setitem(catalogue.SETS, "horse2zebra", entry)
    digest = hashlib.sha256(WHOLE).hexdigest()
    text = refused(server, tmp_path, digest, entry.sha256, "TensorFlow Datasets", name="horse2zebra", where="")
    assert f"use --download_from {entry.address}." in text
    download.download("horse2zebra", tmp_path / "sets", entry.address)
    assert f"its SHA-256 is {digest}, not {entry.sha256}." in capsys.readouterr().out
    monkeypatch.setitem(catalogue.SETS, "horse2zebra", entry._replace(sha256=digest))
    download.download("horse2zebra", tmp_path / "other")


# Hostile archives


def tar_member(name, kind):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "../../outside"
    return info


def zip_link(name):
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, 0o120777 << 16
    return info, b"../../outside"


def encrypted():
    """A zip archive whose one member says that it is encrypted."""
    packed = bytearray(zipped({"trainA/1.jpg": b"1"}))
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        struct.pack_into("<H", packed, packed.index(signature) + offset, 1)
    return bytes(packed)


OUT = (
    "/outside",
    "../outside",
    "a/../../outside",
    "..\\outside",
    "C:/outside",
    "C:outside",
    "a/C:/outside",
    "\\\\host\\x",
)
KINDS = {"symlink": tarfile.SYMTYPE, "hard link": tarfile.LNKTYPE, "pipe": tarfile.FIFOTYPE, "device": tarfile.BLKTYPE}


@pytest.mark.parametrize("name", OUT)
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_names_that_lead_out(server, tmp_path, pack, name):
    serve(server, pack({"trainA/1.jpg": b"1", name: b"out"}))
    refused(server, tmp_path, "whose path is outside the dataset's folder", "is kept as")
    assert not list(tmp_path.rglob("outside"))


@pytest.mark.parametrize("kind", KINDS)
def test_links_and_devices(server, tmp_path, kind):
    serve(server, tarred({"trainA/1.jpg": b"1", "trainA/x": tar_member("trainA/x", KINDS[kind]), "trainA/x/y": b"y"}))
    refused(server, tmp_path, "'trainA/x' that is a link or a device")


def test_links_and_secrets_in_a_zip(server, tmp_path):
    serve(server, zipped({"trainA/x": zip_link("trainA/x"), "trainA/x/y": b"y"}))
    refused(server, tmp_path, "'trainA/x' that is a link or a device")
    serve(server, encrypted())
    refused(server, tmp_path, "'trainA/1.jpg' that is encrypted", where=address(server, "2"))
    serve(server, zipped({"trainA/1.jpg": b"1"}, zipfile.ZIP_BZIP2))
    refused(server, tmp_path, "by method 12, which is not supported", where=address(server, "3"))


@pytest.mark.parametrize("second", ["trainA/1.jpg", "./trainA//1.jpg", "trainA/1.jpg/2.jpg", "trainA/1.jpg/"])
def test_names_there_twice(server, tmp_path, monkeypatch, second):
    monkeypatch.setattr("warnings.warn", lambda *_, **__: None)  # zipfile's, of a duplicate
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("trainA/1.jpg", b"1")
        archive.writestr(second, b"" if second.endswith("/") else b"2")
    serve(server, packed.getvalue())
    assert "1.jpg" in refused(server, tmp_path, "The archive has ")
    infos = [("trainA/1.jpg", tarfile.REGTYPE), (second, tarfile.DIRTYPE if second[-1] == "/" else tarfile.REGTYPE)]
    has = serve(server, tarred({str(n): tar_member(*info) for n, info in enumerate(infos)}))
    assert "1.jpg" in refused(server, tmp_path, "The archive has ", where=address(server, "2"))
    assert has.requests


@pytest.mark.parametrize("pack", [lambda files: zipped(files, zipfile.ZIP_DEFLATED), tarred])
@pytest.mark.parametrize(
    "limits, words",
    [
        ({"MEMBERS": 3}, "more than 3 members"),
        ({"UNPACKED": 50_000}, "unpacks to more than 50,000 bytes"),
        ({"RATIO_FROM": 50_000, "RATIO": 10}, "unpacks to more than 10 times its"),
    ],
    ids=["members", "bytes", "ratio"],
)
def test_bombs(server, tmp_path, monkeypatch, pack, limits, words):
    for name, limit in limits.items():
        monkeypatch.setattr(archives, name, limit)
    serve(server, pack({f"trainA/{n}.jpg": bytes(40_000) for n in range(4)}))
    refused(server, tmp_path, words, "No dataset needs this")


@pytest.mark.parametrize("before", [{}, {"trainA/0.jpg": b"0"}])
def test_a_header_that_is_a_bomb(server, tmp_path, before):
    info = tarfile.TarInfo("trainA/1.jpg")
    info.pax_headers = {"comment": "x" * 3_000_000}
    serve(server, tarred(before | {"x": info}))
    refused(server, tmp_path, "a header of more than 32,768 bytes")


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK])
@pytest.mark.parametrize(
    "content", [b"9" * 2_000_000, pytest.param(b"9" * 30_000, marks=pytest.mark.thorough), b"x" * 30_000]
)
def test_headers_that_take_long(server, tmp_path, kind, content):
    """`tarfile` takes a time that is quadratic in the length of some."""
    info = tarfile.TarInfo("long")
    info.type = kind
    packed = tarred({"trainA/1.jpg": b"1"}, "w")
    info.size = len(content)
    filled = content + bytes(-len(content) % 512)
    serve(server, info.tobuf(tarfile.USTAR_FORMAT) + filled + packed)
    began = time.process_time()
    refused(server, tmp_path, "The archive")
    assert time.process_time() - began < 5


@pytest.mark.parametrize("size", [-1, -512, -(2**62), 2**62, 2**70])
def test_sizes_that_cannot_be(server, tmp_path, size):
    """Of a member of a tar archive, whose field holds numbers of 95 bits and a sign."""
    packed = bytearray(tarred({"trainA/1.jpg": b"1", "trainA/2.jpg": b"2"}, "w"))
    number = (size % 2**96).to_bytes(12, "big")
    packed[124:136] = (b"\xff" if size < 0 else b"\x80") + number[1:]
    packed[148:156] = b"        "
    packed[148:156] = b"%06o\0 " % sum(packed[:512])
    serve(server, bytes(packed))
    began = time.process_time()
    refused(server, tmp_path, "The archive")
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "headers",
    [
        {"path": "../../outside"},
        {"path": "/outside"},
        {"linkpath": "../../outside"},
        {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "../outside", "GNU.sparse.realsize": "9"},
        {"GNU.sparse.map": "0,1", "GNU.sparse.size": "99999999999", "path": "trainA/1.jpg"},
        {"size": "99999999999"},
        {"path": "a/" * 3000 + "b"},
        {"path": "x" * 300},
    ],
    ids=lambda headers: " ".join(f"{k}={v}" for k, v in headers.items())[:40],
)
def test_extended_headers_are_checked_as_the_names_that_they_replace(server, tmp_path, headers):
    info = tarfile.TarInfo("trainA/1.jpg")
    info.pax_headers = headers
    if "linkpath" in headers:
        info.type = tarfile.SYMTYPE
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info)
    serve(server, packed.getvalue())
    refused(server, tmp_path, "The archive ")
    assert not list(tmp_path.rglob("outside"))


def lying(**fields):
    """A zip archive of which the first member, in both its headers, says other things of itself than are true."""
    packed = bytearray(zipped({"trainA/1.jpg": b"1" * 5000, "trainA/2.jpg": b"2"}, zipfile.ZIP_DEFLATED))
    local, central = 0, packed.index(b"PK\1\2")
    places = {"crc": (14, 16), "compressed": (18, 20), "size": (22, 24), "offset": (None, 42)}
    for name, value in fields.items():
        for begin, place in zip((local, central), places[name]):
            if place is not None:
                struct.pack_into("<I", packed, begin + place, value)
    return bytes(packed)


@pytest.mark.parametrize(
    "fields",
    [
        {"size": 10},
        {"size": 2**32 - 2},
        {"compressed": 3},
        {"compressed": 2**32 - 2},
        {"crc": 1},
        {"offset": 2**31},
        {"size": 0, "compressed": 0},
    ],
    ids=str,
)
def test_a_zip_that_lies_of_sizes(server, tmp_path, fields):
    serve(server, lying(**fields))
    refused(server, tmp_path, "The archive ")


def test_members_that_lie_over_each_other(server, tmp_path):
    """A bomb of a few bytes for each member: all have the content of one."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("trainA/1.jpg", bytes(100_000))
        archive.filelist += archive.filelist * 9
    serve(server, packed.getvalue())
    refused(server, tmp_path, "The archive has a member 'trainA/1.jpg' that overlaps another")


def test_names_that_differ_in_their_case(server, tmp_path):
    """Both are kept, or where the disk does not tell them apart nothing is."""
    names = {"trainA/a.jpg": b"1", "trainA/A.jpg": b"2"}
    serve(server, zipped(names))
    try:
        folder = download.download("facades", tmp_path / "sets", address(server))
        assert without_record(folder) == names
    except UserError as error:
        assert "two members for" in str(error)


def test_a_body_without_end(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "MOST", 5000)
    serve(server, WHOLE, tells_length=False)
    assert len(WHOLE) > 5000
    refused(server, tmp_path, "The download exceeds 5,000 bytes")
    assert (tmp_path / "sets" / ".facades.part").stat().st_size <= 5000


def test_what_is_left_out_may_be_large(server, tmp_path):
    serve(server, tarred(PAIRS | {"__MACOSX/x": bytes(3_000_000), "facades/a/b/.DS_Store": b"x"}))
    assert without_record(download.download("facades", tmp_path, address(server))) == unpacked(PAIRS)


@pytest.mark.parametrize(
    ("archive", "said"),
    [
        (zipped({}), "The archive is empty."),
        (tarred({}), "The archive is empty."),
        (tarred({}, "w"), "neither a zip nor a tar archive"),  # all zeros
    ],
    ids=["zip", "tar.gz", "tar"],
)
def test_nothing_in_it(server, tmp_path, archive, said):
    serve(server, archive)
    refused(server, tmp_path, said)


@pytest.mark.parametrize("squeeze", [bytes, gzip.compress], ids=["tar", "tar.gz"])
@pytest.mark.parametrize("damage", ["ends", "header", "half a header"])
def test_a_tar_archive_that_ends_early(server, tmp_path, squeeze, damage):
    whole = tarred({"trainA/1.jpg": bytes(range(256)) * 2, "trainA/2.jpg": b"2"}, "w")
    damaged = {"ends": whole[:1024], "header": whole[:1024] + b"x" * 512 + whole[1536:], "half a header": whole[:1200]}
    serve(server, squeeze(damaged[damage]))
    refused(server, tmp_path, "The archive is damaged, or ends too early")


def test_a_checksum_is_compared(server, tmp_path):
    whole = bytearray(tarred(PAIRS))
    whole[-8] ^= 1  # of the CRC-32 at the end of a gzip file
    serve(server, bytes(whole))
    refused(server, tmp_path, "The archive is damaged: CRC check failed")


@settings(max_examples=60, deadline=None)
@given(
    whole=st.sampled_from([zipped(PAIRS), zipped(PAIRS, 8), tarred(PAIRS), tarred(PAIRS, "w")]),
    share=st.floats(0, 1, exclude_max=True),
    flip=st.integers(0, 255),
)
def test_damage_is_an_error_or_does_no_harm(whole, share, flip):
    """An archive that ends early never unpacks; one with a changed byte does so inside its folder, or not at all."""
    at = int(share * len(whole))
    end = len(whole) if whole[:2] in (b"PK", b"\x1f\x8b") else whole.rindex(b"ustar") + 512 + 3000  # zeros follow
    damaged = whole[: min(at, end)] if not flip else whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :]
    with tempfile.TemporaryDirectory() as root:
        archive, folder = pathlib.Path(root, "archive"), pathlib.Path(root, "set")
        archive.write_bytes(damaged)
        try:
            archives.unpack(archive, folder, {})
        except UserError:
            assert [path.name for path in pathlib.Path(root).iterdir()] == ["archive"]
        else:
            assert flip
            assert sorted(path.name for path in pathlib.Path(root).iterdir()) == ["archive", "set"]


def test_another_process_that_was_faster(server, tmp_path, monkeypatch):
    serve(server, WHOLE)
    unpack = archives._unpack_tar

    def slowly(archive, beside):
        unpack(archive, beside)
        (tmp_path / "facades").mkdir()
        (tmp_path / "facades" / "theirs").write_text("")

    monkeypatch.setattr(archives, "_unpack_tar", slowly)
    assert download.download("facades", tmp_path, address(server)) == tmp_path / "facades"
    assert below(tmp_path / "facades") == {"theirs": b""}
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_without_locks_it_is_downloaded_with_a_warning(server, tmp_path, monkeypatch, capsys):
    def fail(file, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(exclusive.fcntl, "flock", fail)
    serve(server, zipped(DOMAINS))
    assert download.download("facades", tmp_path, address(server)) == tmp_path / "facades"
    assert "cannot be locked (No locks available): let only one process download" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"facades", "downloads.json"}
