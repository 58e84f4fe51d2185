"""Collects the photographs that a pretrained network was trained on, from packages of Debian 12 and PyPI.

mkdir debs && cd debs && apt-get download gcompris-qt-data lomiri-wallpapers-16.04 palapeli-data && cd ..
python -m pip download --no-deps --only-binary :all: --dest debs scikit-image==0.26.0 scikit-learn==1.9.1
python -m benchmarks.photographs --packages debs --output photos

The photographs, their packages and their sizes are those of the table in the model card. Installed versions of
scikit-image and scikit-learn are used in place of wheels. Each photograph is compared with its size in the table.
list.csv in the output has the rows of those written, for `python -m benchmarks.ship --photographs`. Prints how many
photographs were written and, if some are missing, the reason for each; the exit status is then 1.
"""

from __future__ import annotations

import csv
import fnmatch
import glob
import importlib.util
import io
import pathlib
import re
import shlex
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from PIL import Image

from benchmarks import arguments, qt_resources
from common.atomic import read_text, write_bytes, write_text
from common.errors import UserError, reason
from common.weights import shipped

Members = Mapping[str, Callable[[], bytes]]  # functions that return the content of files, by path


class Photograph(NamedTuple):
    """A row of the table in a model card."""

    file: str
    package: str
    author: str
    licence: str
    size: str
    source: str


class Place(NamedTuple):
    """The folder or Qt resource file of a package that has photographs, and the pattern of their paths in it."""

    path: str
    pattern: str = "{stem}{suffix}"  # of the name without its prefix


class Package(NamedTuple):
    """A package that photographs come from."""

    archive: str  # pattern of the file names of its archives
    download: str  # command that downloads it into the current folder
    module: str = ""  # that it installs, of packages of PyPI


MODULES = {"scikit-image": "skimage", "scikit-learn": "sklearn"}
GCOMPRIS = "usr/share/gcompris-qt/rcc"
PLACES = {  # by prefix of the names in the table
    "gcompris-monument-": Place(f"{GCOMPRIS}/explore_monuments.rcc", "*/resource/*/{stem}{suffix}"),
    "gcompris-farm-": Place(f"{GCOMPRIS}/explore_farm_animals.rcc", "*/resource/animals/{stem}{suffix}"),
    "gcompris-world-": Place(f"{GCOMPRIS}/explore_world_animals.rcc", "*/resource/animals/{stem}{suffix}"),
    "gcompris-erase-": Place(f"{GCOMPRIS}/erase.rcc", "*/resource/{stem}{suffix}"),
    "lomiri-": Place("usr/share/backgrounds", "{stem}_by_*{suffix}"),
    "palapeli-": Place("usr/share/palapeli/collection"),
    "skimage-": Place("skimage/data"),
    "sklearn-": Place("sklearn/datasets/images"),
}


def main() -> None:
    """Runs the command line."""
    parser = arguments.parser("photographs", __doc__)
    parser.add_argument("--packages", required=True, help="folder of downloaded .deb and .whl files")
    parser.add_argument("--output", required=True, help="new folder for the photographs")
    parser.add_argument("--card", default=str(shipped.folder_of("enhancement") / "rain.md"), help="a model card")
    options = parser.parse_args()
    output = pathlib.Path(options.output)
    if output.exists() and any(output.iterdir()):
        parser.error(f"--output {output} is not empty. Use a new folder.")
    try:
        card = read_text(options.card, encoding="utf-8")
    except (OSError, UnicodeError) as error:
        parser.error(f"--card {options.card} cannot be read: {reason(error)}. Use a model card of this program.")
    try:
        photographs = table(card)
        written, problems = collect(photographs, pathlib.Path(options.packages), output)
    except UserError as error:
        parser.exit(2, f"error: {error}\n")
    print(f"{output}: {len(written)} of {len(photographs)} photographs, and list.csv")
    if problems:
        parser.exit(1, "".join(f"missing: {problem}\n" for problem in problems))


def table(card: str) -> list[Photograph]:
    """Returns the rows of the table of photographs in the text of a model card; raises UserError without any."""
    lines = iter(card.splitlines())
    rows = []
    for line in lines:
        if _cells(line) == Photograph._fields:
            next(lines, None)  # the rule below the head
            for row in lines:
                if len(cells := _cells(row)) != len(Photograph._fields):
                    break
                rows.append(Photograph(*cells))
    if not rows:
        raise UserError(f"The model card has no table with the columns {', '.join(Photograph._fields)}. Add one.")
    return rows


def collect(
    photographs: Sequence[Photograph], packages: pathlib.Path, output: pathlib.Path
) -> tuple[list[Photograph], list[str]]:
    """Writes photographs out of a folder of packages, and list.csv; returns those written, and why others are not."""
    output.mkdir(parents=True, exist_ok=True)
    groups: dict[str, list[Photograph]] = {}
    for photograph in photographs:
        groups.setdefault(photograph.package, []).append(photograph)
    written, problems = [], []
    for text, group in groups.items():
        with tempfile.TemporaryDirectory() as scratch:
            try:
                folder = unpacked(package_of(text), packages, pathlib.Path(scratch))
            except UserError as error:
                problems.append(f"{', '.join(photograph.file for photograph in group)}, from {text}: {error}")
                continue
            for photograph in group:
                try:
                    write_bytes(output / photograph.file, content_of(photograph, folder))
                    written.append(photograph)
                except UserError as error:
                    problems.append(f"{photograph.file}: {error}")
    text_of_list = io.StringIO()
    csv.writer(text_of_list).writerows([Photograph._fields, *written])
    write_text(output / "list.csv", text_of_list.getvalue())
    return written, problems


def place_of(photograph: Photograph) -> tuple[Place, str]:
    """Returns the place of a photograph and its name without the prefix; raises UserError if its prefix is unknown."""
    for prefix, place in PLACES.items():
        if photograph.file.startswith(prefix):
            return place, photograph.file[len(prefix) :]
    raise UserError(f"{photograph.file} in the table begins with none of {', '.join(PLACES)}. Add its place to PLACES.")


def package_of(text: str) -> Package:
    """Returns the package of a cell: "Palapeli (Debian palapeli-data 22.12.3-1)" or "scikit-image 0.26.0 (PyPI)"."""
    if match := re.search(r"\(Debian (\S+) \S+\)$", text):
        return Package(f"{match[1]}_*.deb", f"apt-get download {match[1]}")
    if match := re.match(r"(\S+) (\S+) \(PyPI\)$", text):
        pip = f"python -m pip download --no-deps --only-binary :all: {match[1]}=={match[2]}"
        return Package(f"{match[1].replace('-', '_')}-*.whl", pip, MODULES.get(match[1], match[1]))
    raise UserError(f"Package {text!r} in the table: expected NAME (Debian PACKAGE VERSION) or NAME VERSION (PyPI).")


def unpacked(package: Package, packages: pathlib.Path, scratch: pathlib.Path) -> pathlib.Path:
    """Returns the folder with the files of a package: where it is installed, else `scratch`, unpacked."""
    if package.module and (folder := installed(package.module)):
        return folder
    archives = sorted(packages.glob(package.archive))
    if len(archives) != 1:
        names = f" ({', '.join(archive.name for archive in archives)})" if archives else ""
        raise UserError(
            f"{packages} has {len(archives)} files {package.archive}{names}, expected 1. "
            + ("Remove the others." if archives else f"Run: cd {shlex.quote(str(packages))} && {package.download}")
        )
    try:
        if package.module:
            with zipfile.ZipFile(archives[0]) as wheel:
                wheel.extractall(scratch)
        else:
            command = ["dpkg-deb", "-x", str(archives[0].absolute()), str(scratch)]
            subprocess.run(command, check=True, capture_output=True)  # nosec B603, B607: no shell; a program of Debian
    except FileNotFoundError as error:
        raise UserError("The program dpkg-deb was not found, and unpacks .deb files. Install dpkg.") from error
    except (zipfile.BadZipFile, subprocess.CalledProcessError) as error:
        raise UserError(f"{archives[0]} cannot be unpacked: it is damaged. Download it again.") from error
    return scratch


def installed(module: str) -> pathlib.Path | None:
    """Returns the folder that has an installed module, without importing it; None if it is not installed."""
    spec = importlib.util.find_spec(module)
    return pathlib.Path(spec.origin).parent.parent if spec and spec.origin else None


def members(path: pathlib.Path) -> Members:
    """Returns the files of a folder or of a Qt resource file; raises UserError if there are none."""
    if path.suffix == ".rcc" and path.is_file():
        return qt_resources.members(path.read_bytes())
    if path.is_dir():
        return {file.name: file.read_bytes for file in path.iterdir() if file.is_file()}
    raise UserError(f"the package has no {path.name}. Use the version in the table.")


def content_of(photograph: Photograph, folder: pathlib.Path) -> bytes:
    """Returns the file of a photograph of the package in `folder`.

    Raises UserError if it is missing, damaged, or not of the size in the table.
    """
    place, name = place_of(photograph)
    files = members(folder / place.path)
    stem, suffix = pathlib.Path(name).stem, pathlib.Path(name).suffix
    pattern = place.pattern.format(stem=glob.escape(stem), suffix=suffix)
    paths = [path for path in files if fnmatch.fnmatchcase(path, pattern)]
    if len(paths) != 1:
        raise UserError(
            f"{place.path} has {len(paths)} files {pattern}, expected 1. Use the version in the table: "
            f"{photograph.package}."
        )
    content = files[paths[0]]()
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            size = "x".join(map(str, image.size))
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"{paths[0]} is not a complete image. Download its package again.") from error
    if size != photograph.size:
        raise UserError(
            f"{paths[0]} has {size} pixels, expected {photograph.size}. Use the version in the table: "
            f"{photograph.package}."
        )
    return content


def _cells(line: str) -> tuple[str, ...]:
    """Returns the cells of a row of a Markdown table; none of another line."""
    return tuple(cell.strip() for cell in line.strip("|").split("|")) if line.startswith("|") else ()


if __name__ == "__main__":
    main()
