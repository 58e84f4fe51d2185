"""The folders of a dataset, and the pairs of its images."""

from __future__ import annotations

import os
import pathlib
import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple, NoReturn

from common.errors import UserError
from common.images import passed_over
from common.images.catalogue import SETS
from common.images.files import SUFFIXES

LAYOUTS = {"train": ("train/{}", "train{}"), "val": ("val/{}", "val{}", "test/{}", "test{}")}
SIDE_BY_SIDE = {"train": ("train",), "val": ("val", "test")}


class Files(NamedTuple):
    """The image files of both domains, each in the order of their names."""

    A: list[pathlib.Path]
    B: list[pathlib.Path]


def dataset_name(dataset: str, dir_A: str, dir_B: str) -> str:
    """Returns the name of a dataset: its own, or those of its two folders, "A-B"."""
    return dataset or f"{pathlib.PurePath(dir_A).name}-{pathlib.PurePath(dir_B).name}"


def find(root: str | os.PathLike[str], split: str) -> Files:
    """Finds the images of a split, "train" or "val", of the dataset in the folder `root`; either list may be empty.

    The layouts are NAME/{train,val}/{A,B} and NAME/{trainA,trainB,valA,valB}; test is another name for val.
    Raises UserError if `root` is not a folder.
    """
    if not pathlib.Path(root).is_dir():
        published = " It is a published dataset: use --download to get it." if pathlib.Path(root).name in SETS else ""
        raise UserError(
            f"No dataset at {root}: the folder does not exist.{published} A dataset is a folder with train/A, train/B,"
            " val/A and val/B (or trainA, trainB, testA, testB). Put it there, use --dataset with another path, or try"
            " --dataset toy, which is drawn by the program."
        )
    return Files(*(_first(_candidates(root, split, domain)) for domain in Files._fields))


def find_all(root: str | os.PathLike[str], split: str) -> Files:
    """Does the same, but raises UserError if a domain has no images."""
    files = find(root, split)
    for domain in Files._fields:
        if not getattr(files, domain):
            looked = "; ".join(_what_is_in(folder) for folder in _candidates(root, split, domain))
            halves = (
                " If each file of train holds both domains, use --side_by_side."
                if images_in(pathlib.Path(root, split))
                else ""
            )
            used = "validate" if split == "val" else split
            raise UserError(f"No images of {domain} to {used} on: {looked}.{halves} Supported: {' '.join(SUFFIXES)}.")
    return files


def find_anywhere(dir_A: str | os.PathLike[str], dir_B: str | os.PathLike[str]) -> Files:
    """Finds the images of two folders, of A and of B; raises UserError if one of them has none."""
    files = Files(images_in(pathlib.Path(dir_A)), images_in(pathlib.Path(dir_B)))
    for domain, folder in zip(Files._fields, (dir_A, dir_B)):
        if not getattr(files, domain):
            looked = _what_is_in(pathlib.Path(folder))
            raise UserError(f"No images of {domain} to train on: {looked}. Supported: {' '.join(SUFFIXES)}.")
    return files


def find_side_by_side(root: str | os.PathLike[str], split: str) -> Files:
    """Finds the images of a dataset in which A is the left half of each file and B the right one.

    They are in NAME/{train,val,test}/*. Raises UserError if `root` is not a folder, or has none to train on.
    """
    find(root, split)  # raises if the folder is missing
    paths = _first([pathlib.Path(root, name) for name in SIDE_BY_SIDE[split]])
    if not paths and split == "train":
        raise UserError(
            f"No images to train on: {_what_is_in(pathlib.Path(root, 'train'))}. With --side_by_side, put the files,"
            " which hold A and B, into that folder."
        )
    return Files(paths, paths)


def pair(files: Files) -> tuple[Files, list[pathlib.Path]]:
    """Returns the files of A and B that share a stem, in the same order, and the files without a partner."""
    A, B = ({stem(path): path for path in paths} for paths in files)
    stems = sorted(A.keys() & B.keys())
    alone = [path for paths, other in ((files.A, B), (files.B, A)) for path in paths if stem(path) not in other]
    return Files([A[stem] for stem in stems], [B[stem] for stem in stems]), alone


def stem(path: pathlib.PurePath) -> str:
    """The name of a file without its extension, normalized."""
    return normalized(path.stem)


def normalized(name: str) -> str:
    """A name with its accents in NFC form; file systems use several forms."""
    return unicodedata.normalize("NFC", name)


def on_disk(path: str | os.PathLike[str]) -> pathlib.Path:
    """A path with its accents in the form used on disk; missing parts stay as they are."""
    path = pathlib.Path(path)
    if str(path).isascii() or os.path.lexists(path) or path == path.parent:
        return path
    parent = on_disk(path.parent)
    entries = parent.iterdir() if parent.is_dir() else ()
    alike = [entry for entry in entries if normalized(entry.name) == normalized(path.name)]
    return alike[0] if len(alike) == 1 else parent / path.name


def alike(paths: Iterable[pathlib.Path]) -> Iterator[tuple[pathlib.Path, pathlib.Path]]:
    """Yields pairs of files of a folder whose names, without extensions, differ only in how accents are written."""
    first: dict[str, pathlib.Path] = {}
    for path in paths:
        if (other := first.setdefault(stem(path), path)).stem != path.stem:
            yield other, path


def refuse_alike(files: Files) -> Files:
    """Returns `files`; raises UserError, with two names, if a folder has such a pair."""
    for paths in files:
        for one, other in alike(paths):
            raise UserError(f"{sentence_on_alike(one, other)}. Rename or remove one of them.")
    return files


def sentence_on_alike(one: pathlib.Path, other: pathlib.Path) -> str:
    """A clause on two names that differ only in the form of accents; both are shown in ASCII, as they look alike."""
    return f"{one} and {other.name} differ only in how accents are encoded: {one.name!a}, {other.name!a}"


def images_in(folder: pathlib.Path, recursive: bool = False) -> list[pathlib.Path]:
    """The image files in a folder, optionally also in all folders below it, sorted, without hidden ones."""
    if not folder.is_dir():
        return []
    paths = _files_below(folder) if recursive else folder.iterdir()
    return sorted(path for path in paths if _is_image(path) and not _is_hidden(path.relative_to(folder)))


def _files_below(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields all files below a folder; raises UserError if a folder cannot be read."""

    def refuse(error: OSError) -> NoReturn:
        raise UserError(
            f"The folder {error.filename} cannot be read ({error.strerror}). Leave it out, or change its permissions."
        )

    for parent, _, names in os.walk(folder, onerror=refuse):
        yield from (pathlib.Path(parent, name) for name in names)


def _is_image(path: pathlib.Path) -> bool:
    return path.suffix.lower() in SUFFIXES and path.is_file()


def _is_hidden(path: pathlib.PurePath) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _candidates(root: str | os.PathLike[str], split: str, domain: str) -> list[pathlib.Path]:
    return [pathlib.Path(root, layout.format(domain)) for layout in LAYOUTS[split]]


def _first(folders: Iterable[pathlib.Path]) -> list[pathlib.Path]:
    """The images of the first folder that has any."""
    return next((files for files in map(images_in, folders) if files), [])


def _what_is_in(folder: pathlib.Path) -> str:
    """A clause that describes a folder without images: missing, empty, or its other content."""
    if not folder.is_dir():
        return f"{folder} is {'a broken link' if folder.is_symlink() else 'missing'}"
    contents = passed_over.in_folder(folder)
    return f"{folder} has no images, but {contents}" if contents else f"{folder} is empty"


def passed_over_in(root: str | os.PathLike[str], layouts: Iterable[str]) -> list[str]:
    """Sentences on the entries that are not read in the folders `layouts` below `root`.

    Only the first folder that has images is read; others that have images get a sentence, too.
    """
    candidates = [folder for layout in layouts if (folder := pathlib.Path(root, layout)).is_dir()]
    read = next((folder for folder in candidates if images_in(folder)), None)
    sentences = []
    for folder in candidates:
        if read in (None, folder):
            sentences += [f"Passed over in {folder}: {text}." for text in [passed_over.in_folder(folder)] if text]
        elif images := images_in(folder):
            count = f"{len(images):,} {'image' if len(images) == 1 else 'images'}"
            sentences.append(f"Passed over: {folder} with {count}, because {read} has images.")
    return sentences
