"""Downloads of published sets: announced, resumed, compared with what came before, and unpacked safely."""

from __future__ import annotations

import hashlib
import http.client
import json
import pathlib
import re
import shutil
import urllib.error
import urllib.parse
import urllib.request

import tqdm

from common import atomic
from common.errors import UserError
from common.images import archives, catalogue, folders

TIMEOUT = 60.0  # seconds without a byte after which a server has gone
CHUNK = 2**20  # bytes that are read at once
MOST = archives.UNPACKED  # bytes of an archive


def download(name, data_root, address=None):
    """The folder of a published set below `data_root`; it is fetched from `address`, or from where it is known to be.

    What is there already is not fetched again, and an interrupted download goes on. Raises
    UserError, and leaves no folder, if the name is none of SETS, if the server does not give
    the archive, or if that is not what it was before, is damaged, or is not safe to unpack.
    """
    entry, folder = catalogue.entry_of(name), pathlib.Path(data_root, name)
    if folder.is_dir():
        print(f"{folder} is there already: nothing is fetched.")
        return folder
    if not (address or entry.address):
        raise UserError(f"{name} cannot be downloaded. {catalogue.by_hand(entry, folder)}")
    if address:
        _check_web(address)
    print(catalogue.about(name), f"Fetching {address or entry.address} into {folder}", sep="\n", flush=True)
    part = folder.with_name(f".{name}.part")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _fetch(entry, folder, part, address)
    except OSError as error:
        raise UserError(f"{error.filename or part} cannot be written: {error.strerror or error}.") from error
    record = {"name": name, "address": address or entry.address, "bytes": part.stat().st_size, "sha256": _digest(part)}
    try:
        _compare(entry, record, folder.parent, chosen=bool(address))
        archives.unpack(part, folder, record)
    except UserError as error:
        raise UserError(f"{error} The archive is kept as {part}: remove it to fetch it again.") from error
    _remember(folder.parent, record)
    _memory(part).unlink(missing_ok=True)
    part.unlink()
    print(_ready(folder))
    return folder


def _ready(folder):
    """A line that says what was downloaded, and how to train on it."""
    count = len(folders.images_in(folder, recursive=True))
    where = f"--dataset {folder.name}" + f" --data_root {folder.parent}" * (str(folder.parent) != "datasets")
    if all(folders.find(folder, "train")):
        use = f"Train on them with {where}."
    elif folders.images_in(folder / "train"):
        use = f"Train on them with {where} --side_by_side."
    else:
        use = f"There are none to train on in it; --phase translate --input {folder} --recursive translates them."
    return f"{count:,} images are in {folder}. {use}"


def _digest(path):
    """The SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _records(data_root):
    """The SHA-256 of every archive that was downloaded, by the name of its set."""
    path = data_root / "downloads.json"
    try:
        records = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise UserError(f"{path} does not read as the digests of downloads: {error}. Repair or remove it.") from error
    if not isinstance(records, dict):
        raise UserError(f"{path} does not read as the digests of downloads. Repair or remove it.")
    return records


def _remember(data_root, record):
    atomic.write_text(data_root / "downloads.json", _json({**_records(data_root), record["name"]: record["sha256"]}))


def _json(facts):
    return json.dumps(facts, indent=2) + "\n"


def _compare(entry, record, data_root, chosen):
    """Raises UserError if an archive is not what it was earlier, or is not what its publisher says.

    Whoever has `chosen` the address may have another archive than the published one: a line says so.
    """
    name, found = record["name"], record["sha256"]
    earlier = _records(data_root).get(name, found)
    if found != earlier:
        raise UserError(
            f"{name} is not what it was: the archive's SHA-256 is {found}, that of an earlier download was {earlier}."
            f" If you trust the new one, remove {name} from {data_root / 'downloads.json'} and run again."
        )
    if entry.sha256 in (None, found):
        return
    text = f"{name} is not the archive that {entry.digest_by} knows: its SHA-256 is {found}, not {entry.sha256}."
    if not chosen:
        raise UserError(f"{text} If you trust it, give its address yourself: {record['address']}.")
    print(text, flush=True)


def _check_web(address):
    if urllib.parse.urlsplit(address).scheme.lower() not in ("http", "https"):
        raise UserError(f"{address} is neither an http nor an https address: nothing is fetched from it.")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a server to another address on the web, and nowhere else."""

    def http_error_302(self, request, file, code, message, headers):
        _check_web(urllib.parse.urljoin(request.full_url, headers.get("location", "")))
        return super().http_error_302(request, file, code, message, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _ask(address, headers):
    """The response to a GET request; the only protocols are http and https."""
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


def _fetch(entry, folder, part, address):
    """Fetches the archive of `folder` to the file `part`, from where an earlier run left it."""
    url = address or entry.address
    known = _known(part, url)
    have = part.stat().st_size if known else 0
    if known and have == known["length"]:
        return
    try:
        response, have = _response(url, known, have)
    except (OSError, http.client.HTTPException, ValueError) as error:
        unchecked = "" if address or entry.checked else " The address was not checked when this was released."
        raise UserError(
            f"{url} does not give {folder.name}: {_why(error)}.{unchecked} {catalogue.by_hand(entry, folder)}"
        ) from error
    if response is None:
        return
    with response:
        if response.headers.get_content_type() == "text/html":
            raise UserError(f"{url} gives a web page and no archive. {catalogue.by_hand(entry, folder)}")
        _save(response, part, url, have)


def _known(part, url):
    """What was kept of the earlier download of `url` to `part`; {}: there is nothing to go on from."""
    try:
        known = json.loads(_memory(part).read_text())
        usable = known["address"] == url and known["validator"] and "length" in known and part.is_file()
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return known if usable else {}


def _memory(part):
    return part.with_name(f"{part.name}.json")


def _response(url, known, have):
    """(the response, how many bytes it goes on from); (None, `have`) if these are all."""
    if have:
        try:
            response = _ask(url, {"Range": f"bytes={have}-", "If-Range": known["validator"]})
        except urllib.error.HTTPError as error:
            if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise
            if error.headers.get("Content-Range") == f"bytes */{have}" and known["length"] is None:
                return None, have
        else:
            if response.status != http.client.PARTIAL_CONTENT:
                return response, 0
            if _goes_on(response, known, have):
                return response, have
            response.close()
    return _ask(url, {}), 0


def _goes_on(response, known, have):
    """Whether a partial response is of the content that was begun, and begins where that ends."""
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    return (
        match is not None
        and int(match[1]) == have
        and (known["length"] is None or match[2] == str(known["length"]))
        and _validator(response) == known["validator"]
    )


def _validator(response):
    """What tells one content of an address from another: its strong ETag, else its date; "" if there is neither."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified", "")


def _save(response, part, url, have):
    """Writes what a response has beyond the first `have` bytes to `part`; raises UserError if it ends early."""
    length = None if response.length is None else have + response.length
    validator = _validator(response)
    _check_room(part, have, length)
    with open(part, "ab" if have else "wb") as file:  # emptied before its memory says of which content it is
        atomic.write_text(_memory(part), _json({"address": url, "validator": validator, "length": length}))
        failure = _copy(response, file, have, length)
        size = file.tell()
    if failure or size != (length or size):
        of = "" if length is None else f" of {length:,}"
        again = "go on from there" if validator else "begin again: this server does not let a download go on"
        raise UserError(f"{url} ended after {size:,}{of} bytes ({failure or 'too early'}). Run again to {again}.")


def _copy(response, file, have, length):
    """Copies a response to a file; what broke it off, "" if nothing did."""
    name = pathlib.Path(file.name).name.removeprefix(".").removesuffix(".part")
    with tqdm.tqdm(total=length, initial=have, desc=name, unit="B", unit_scale=True, disable=None) as bar:
        while True:
            try:
                chunk = response.read1(CHUNK)
            except (OSError, http.client.HTTPException, ValueError) as error:
                return _why(error)
            if not chunk:
                return ""
            if file.tell() + len(chunk) > MOST:
                raise UserError(f"What is fetched has more than {MOST:,} bytes: no set of images is as large.")
            file.write(chunk)
            bar.update(len(chunk))


def _check_room(part, have, length):
    """Raises UserError if the disk holds neither the rest of an archive nor what it unpacks to, as much again."""
    free = shutil.disk_usage(part.parent).free
    if length is not None and free < 2 * length - have:
        raise UserError(
            f"The archive has {length:,} bytes, and needs as many again to be unpacked, but {part.parent} has"
            f" room for {free:,}. Make room, or say another --data_root."
        )


def _why(error):
    """What went wrong with a server, as a few words."""
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code} {error.reason}"
    reason = getattr(error, "reason", error)
    return str(getattr(reason, "strerror", None) or reason or type(error).__name__).rstrip(".")
