"""Downloads of published datasets: announced, resumed, compared with earlier ones, and unpacked safely."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import pathlib
import re
import shlex
import shutil
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import IO, Any, BinaryIO, TypedDict

from absl import logging

from common import atomic, documents, progress
from common.documents import Entries, Misfit, Text
from common.errors import UserError
from common.images import archives, catalogue, exclusive, folders

TIMEOUT = 60.0  # seconds without a byte after which a server counts as gone
CHUNK = 2**20  # bytes read at a time
MOST = archives.UNPACKED  # maximum bytes of an archive


class Record(TypedDict):
    """The content of download.json: the archive of a dataset."""

    name: str
    address: str
    bytes: int
    sha256: str


class Memory(TypedDict):
    """The state of an unfinished download, from which it resumes."""

    address: str
    validator: str  # see _validator
    length: int | None  # bytes of the archive; None: unknown


def download(name: str, data_root: str | os.PathLike[str], address: str | None = None) -> pathlib.Path:
    """Downloads a published dataset from `address`, or its known one, and returns its folder below `data_root`.

    An existing folder is not downloaded again, and an interrupted download is resumed. Raises UserError, and leaves no
    folder, if the name is not one of SETS, the server does not deliver the archive, or the archive differs from an
    earlier one, is damaged, or is not safe to unpack.
    """
    entry, folder = catalogue.entry_of(name), pathlib.Path(data_root, name)
    if folder.is_dir():
        logging.info(f"{folder} exists already: nothing to download.")
        return folder
    url = address or entry.address
    if not url:
        raise UserError(f"{name} cannot be downloaded. {catalogue.by_hand(entry, folder)}")
    if address:
        _check_web(address)
    for line in (*catalogue.about(name).splitlines(), f"Downloading {url} into {folder}"):
        logging.info(line)
    waiting = f"Another process is downloading {name}; waiting for it to finish."
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with exclusive.exclusive(folder.with_name(f".{name}.lock"), waiting):
            if not folder.is_dir():  # which another process may have made meanwhile
                _download(entry, folder, url, chosen=bool(address))
    except OSError as error:
        cause = error.strerror or error
        raise UserError(
            f"{error.filename or folder} cannot be written: {cause}. Choose a different --data_root, or free space."
        ) from error
    logging.info(_ready(folder))
    return folder


def _download(entry: catalogue.Published, folder: pathlib.Path, url: str, *, chosen: bool) -> None:
    """Fetches and unpacks an archive as `folder`; no other process may do so.

    `chosen`: whether the user chose the address. Raises UserError as `download` does, or OSError.
    """
    part = folder.with_name(f".{folder.name}.part")
    _fetch(entry, folder, part, url, chosen=chosen)
    record: Record = {"name": folder.name, "address": url, "bytes": part.stat().st_size, "sha256": _digest(part)}
    try:
        _compare(entry, record, folder.parent, chosen=chosen)
        archives.unpack(part, folder, record)
    except UserError as error:
        raise UserError(f"{error} The archive is kept as {part}: remove it to download it again.") from error
    with exclusive.exclusive(folder.with_name(".downloads.lock"), "Another process records its download: waiting."):
        _remember(folder.parent, record)
    _memory(part).unlink(missing_ok=True)
    part.unlink()


def _ready(folder: pathlib.Path) -> str:
    """A log line with the number of downloaded images and the flags to use them."""
    count = len(folders.images_in(folder, recursive=True))
    flags = f"--dataset {shlex.quote(folder.name)}"
    if str(folder.parent) != "datasets":
        flags += f" --data_root {shlex.quote(str(folder.parent))}"
    if all(folders.find(folder, "train")):
        use = f"Train on them with {flags}."
    elif folders.images_in(folder / "train"):
        use = f"Train on them with {flags} --side_by_side."
    else:
        translated = f"--phase translate --input {shlex.quote(str(folder))} --recursive"
        use = f"It has no training images; translate them with {translated}."
    return f"{folder} holds {count:,} images. {use}"


def _digest(path: pathlib.Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _records(data_root: pathlib.Path) -> dict[str, str]:
    """The SHA-256 of every downloaded archive, by the name of its dataset."""
    path = data_root / "downloads.json"
    try:
        records: dict[str, str] = documents.read(path, Entries(Text()))
    except FileNotFoundError:
        return {}
    except Misfit as misfit:
        raise UserError(
            f"{path} cannot be read as the digests of downloads: {misfit}. Repair or remove it."
        ) from misfit
    return records


def _remember(data_root: pathlib.Path, record: Record) -> None:
    atomic.write_text(data_root / "downloads.json", _json({**_records(data_root), record["name"]: record["sha256"]}))


def _json(facts: Mapping[str, Any]) -> str:
    return json.dumps(facts, indent=2) + "\n"


def _compare(entry: catalogue.Published, record: Record, data_root: pathlib.Path, chosen: bool) -> None:
    """Raises UserError if an archive differs from an earlier download, or from the published digest.

    `chosen`: whether the user chose the address. A difference from the published digest is then only logged.
    """
    name, digest = record["name"], record["sha256"]
    earlier = _records(data_root).get(name, digest)
    if digest != earlier:
        raise UserError(
            f"The archive of {name} has changed: its SHA-256 is {digest}, that of an earlier download was {earlier}."
            f" If you trust the new one, remove {name} from {data_root / 'downloads.json'} and repeat the command."
        )
    if entry.sha256 in (None, digest):
        return
    text = (
        f"The archive of {name} differs from the one listed by {entry.digest_by}: its SHA-256 is {digest}, not"
        f" {entry.sha256}."
    )
    if not chosen:
        raise UserError(f"{text} If you trust it, use --download_from {shlex.quote(record['address'])}.")
    logging.info(text)


def _check_web(address: str) -> None:
    """Raises UserError if an address is neither http nor https."""
    if urllib.parse.urlsplit(address).scheme.lower() not in ("http", "https"):
        raise UserError(f"{address} is not a valid address: it must begin with http:// or https://.")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http and https addresses only."""

    def http_error_302(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
    ) -> Any:
        _check_web(urllib.parse.urljoin(req.full_url, headers.get("location", "")))
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _ask(address: str, headers: Mapping[str, str]) -> http.client.HTTPResponse:
    """The response to a GET request, by http or https only."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
        _Redirects,
    ):
        opener.add_handler(handler())
    headers = {"Accept-Encoding": "identity", "User-Agent": "dual-translation", **headers}
    return opener.open(urllib.request.Request(address, headers=headers), timeout=TIMEOUT)


def _fetch(entry: catalogue.Published, folder: pathlib.Path, part: pathlib.Path, url: str, *, chosen: bool) -> None:
    """Downloads the archive of `folder` to the file `part`, resuming where an earlier run stopped.

    `chosen`: whether the user chose the address.
    """
    memory = _recalled(part, url)
    have = part.stat().st_size if memory else 0
    if memory and have == memory["length"]:
        return
    try:
        response, have = _response(url, memory, have)
    except (OSError, http.client.HTTPException, ValueError) as error:
        unchecked = "" if chosen or entry.checked else " The address was not checked for this release."
        raise UserError(
            f"{folder.name} cannot be downloaded from {url}: {_why(error)}.{unchecked}"
            f" {catalogue.by_hand(entry, folder)}"
        ) from error
    if response is None:
        return
    with response:
        if response.headers.get_content_type() == "text/html":
            raise UserError(f"{url} is a web page, not an archive. {catalogue.by_hand(entry, folder)}")
        _save(response, part, url, have)


def _recalled(part: pathlib.Path, url: str) -> Memory | None:
    """The Memory of an earlier download of `url` to `part`; None if there is nothing to resume."""
    try:
        memory = json.loads(_memory(part).read_text())
        usable = memory["address"] == url and memory["validator"] and "length" in memory and part.is_file()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return memory if usable else None


def _memory(part: pathlib.Path) -> pathlib.Path:
    """The file of the Memory of the download to `part`."""
    return part.with_name(f"{part.name}.json")


def _response(url: str, memory: Memory | None, have: int) -> tuple[http.client.HTTPResponse | None, int]:
    """Returns the response and the number of bytes before it; (None, `have`) if the download is complete."""
    if memory and have:
        try:
            response = _ask(url, {"Range": f"bytes={have}-", "If-Range": memory["validator"]})
        except urllib.error.HTTPError as error:
            if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise
            if error.headers.get("Content-Range") == f"bytes */{have}" and memory["length"] is None:
                return None, have
        else:
            if response.status != http.client.PARTIAL_CONTENT:
                return response, 0
            if _resumes(response, memory, have):
                return response, have
            response.close()
    return _ask(url, {}), 0


def _resumes(response: http.client.HTTPResponse, memory: Memory, have: int) -> bool:
    """Whether a partial response continues the content that was begun."""
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    return (
        match is not None
        and int(match[1]) == have
        and (memory["length"] is None or match[2] == str(memory["length"]))
        and _validator(response) == memory["validator"]
    )


def _validator(response: http.client.HTTPResponse) -> str:
    """Identifies the content of an address: its strong ETag, else its date; "" if there is neither."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified", "")


def _save(response: http.client.HTTPResponse, part: pathlib.Path, url: str, have: int) -> None:
    """Writes a response, which begins after the first `have` bytes, to `part`; raises UserError if it ends early."""
    length = None if response.length is None else have + response.length
    validator = _validator(response)
    _check_room(part, have, length)
    memory: Memory = {"address": url, "validator": validator, "length": length}
    with open(part, "ab" if have else "wb") as file:  # emptied before its memory names its content
        atomic.write_text(_memory(part), _json(memory))
        failure = _copy(response, file, have, length)
        size = file.tell()
    if failure or size != (length or size):
        total = "" if length is None else f" of {length:,}"
        again = "resume" if validator else "start over: this server does not support resuming"
        raise UserError(
            f"{url} ended after {size:,}{total} bytes ({failure or 'too early'}). Repeat the command to {again}."
        )


def _copy(response: http.client.HTTPResponse, file: BinaryIO, have: int, length: int | None) -> str:
    """Copies a response to a file; returns the reason if it was interrupted, else ""."""
    name = pathlib.Path(file.name).name.removeprefix(".").removesuffix(".part")
    with progress.bar(total=length, initial=have, desc=name, unit="B", unit_scale=True) as bar:
        while True:
            try:
                chunk = response.read1(CHUNK)
            except (OSError, http.client.HTTPException, ValueError) as error:
                return _why(error)
            if not chunk:
                return ""
            if file.tell() + len(chunk) > MOST:
                raise UserError(f"The download exceeds {MOST:,} bytes, the largest archive that is accepted.")
            file.write(chunk)
            bar.update(len(chunk))


def _check_room(part: pathlib.Path, have: int, length: int | None) -> None:
    """Raises UserError if the disk lacks room for the rest of an archive and for its unpacked files."""
    free = shutil.disk_usage(part.parent).free
    if length is not None and free < 2 * length - have:
        raise UserError(
            f"The archive has {length:,} bytes and needs as many again to be unpacked, but {part.parent} has only"
            f" {free:,} free. Free some space, or choose a different --data_root."
        )


def _why(error: Exception) -> str:
    """The reason why a request failed, in a few words."""
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code} {error.reason}"
    reason = getattr(error, "reason", error)
    return str(getattr(reason, "strerror", None) or reason or type(error).__name__).rstrip(".")
