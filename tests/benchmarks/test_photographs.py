"""Photographs of a model card: taken out of packages, checked against the card's sizes, and listed once more."""

import csv
import io
import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest
from PIL import Image

from benchmarks import photographs, ship
from common.errors import UserError
from tests.benchmarks.test_qt_resources import resource

CARD = pathlib.Path(__file__).parents[2] / "enhancement" / "pretrained" / "rain.md"
HEAD = "| file | package | author | licence | size | source |\n| --- | --- | --- | --- | --- | --- |\n"
OWL = "| gcompris-farm-owl.webp | GCompris 3.1 (Debian gcompris-qt-data 3.1-2) | Lepale | public domain | 6x4 | here |"
LIFE = "| lomiri-life.jpg | Wallpapers (Debian lomiri-wallpapers-16.04 20.04.0-2) | Aitzol | CC BY 4.0 | 8x5 | there |"
CHINA = "| sklearn-china.jpg | scikit-learn 1.9.1 (PyPI) | danielbuechele | CC BY 2.0 | 7x3 | flickr |"
needs_dpkg = pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="needs dpkg-deb")


def image(width, height, kind):
    file = io.BytesIO()
    Image.new("RGB", (width, height), "green").save(file, kind)
    return file.getvalue()


def packed(folder, name, files):
    """Writes a .deb of {path: content}, built by dpkg-deb."""
    tree = folder / f"tree-{name}"
    for path, content in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(content)
    (tree / "DEBIAN").mkdir()
    (tree / "DEBIAN" / "control").write_text(
        f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b.c>\nDescription: d\n"
    )
    subprocess.run(["dpkg-deb", "--build", tree, folder / f"{name}_4%3a1_all.deb"], check=True, capture_output=True)


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Returns a folder with a wheel of scikit-learn, which counts as not installed."""
    monkeypatch.setattr(photographs, "installed", lambda module: None)
    folder = tmp_path / "debs"
    folder.mkdir()
    with zipfile.ZipFile(folder / "scikit_learn-1.9.1-cp311-any.whl", "w") as wheel:
        wheel.writestr("sklearn/datasets/images/china.jpg", image(7, 3, "JPEG"))
        wheel.writestr("sklearn/datasets/images/flower.jpg", image(7, 3, "JPEG"))
    return folder


def run(monkeypatch, packages, output, *rows):
    """Runs the command with a card of these rows; returns its exit status."""
    card = packages.parent / "card.md"
    card.write_text(
        f"# a card\n\n| | |\n|---|---|\n| one | two |\n\n## Photographs\n\n{HEAD}" + "\n".join(rows) + "\n\nEnd."
    )
    arguments = ["photographs", "--packages", packages, "--output", output, "--card", card]
    monkeypatch.setattr(sys, "argv", [*map(str, arguments)])
    try:
        photographs.main()
    except SystemExit as end:
        return end.code
    return 0


def test_the_table_of_the_card_is_the_list(tmp_path):
    rows = photographs.table(CARD.read_text())
    assert len(rows) == 92
    assert rows[0].file == "gcompris-monument-colosseum.webp" and rows[-1].file == "sklearn-flower.jpg"
    for row in rows:
        assert photographs.place_of(row)[1] and photographs.package_of(row.package).download
    with open(tmp_path / "list.csv", "w", newline="") as file:
        csv.writer(file).writerows([photographs.Photograph._fields, *rows])
    assert ship._table(str(tmp_path / "list.csv")) in CARD.read_text()


@needs_dpkg
def test_photographs_of_all_kinds_of_packages(packages, tmp_path, monkeypatch, capsys):
    owl, life = image(6, 4, "WEBP"), image(8, 5, "JPEG")
    path = "usr/share/gcompris-qt/rcc/explore_farm_animals.rcc"
    monkeypatch.setitem(photographs.PLACES, "gcompris-farm-", photographs.Place(path, "animals/{stem}{suffix}"))
    packed(packages, "gcompris-qt-data", {path: resource(3, stored=owl)})
    packed(packages, "lomiri-wallpapers-16.04", {"usr/share/backgrounds/life_by_Aitzol.jpg": life})
    assert run(monkeypatch, packages, tmp_path / "photos", OWL, LIFE, CHINA) == 0
    assert "3 of 3 photographs" in capsys.readouterr().out
    assert (tmp_path / "photos" / "gcompris-farm-owl.webp").read_bytes() == owl
    assert (tmp_path / "photos" / "lomiri-life.jpg").read_bytes() == life
    assert (tmp_path / "photos" / "sklearn-china.jpg").read_bytes() == image(7, 3, "JPEG")
    assert ship._table(str(tmp_path / "photos" / "list.csv")) == HEAD + "\n".join([OWL, LIFE, CHINA])


def test_an_installed_package_needs_no_wheel(packages, tmp_path, monkeypatch):
    site = tmp_path / "site"
    (site / "sklearn/datasets/images").mkdir(parents=True)
    (site / "sklearn/datasets/images/china.jpg").write_bytes(image(7, 3, "PNG"))
    monkeypatch.setattr(photographs, "installed", lambda module: site if module == "sklearn" else None)
    assert run(monkeypatch, packages, tmp_path / "photos", CHINA) == 0
    assert (tmp_path / "photos" / "sklearn-china.jpg").read_bytes() == image(7, 3, "PNG")


def test_where_a_package_is_installed(tmp_path, monkeypatch):
    (tmp_path / "package_of_this_test").mkdir()
    (tmp_path / "package_of_this_test" / "__init__.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    assert photographs.installed("package_of_this_test") == tmp_path
    assert photographs.installed("no_package_of_this_name") is None


def test_missing_photographs_are_listed_with_the_reason(packages, tmp_path, monkeypatch, capsys):
    broken = CHINA.replace("china", "broken")
    with zipfile.ZipFile(packages / "scikit_learn-1.9.1-cp311-any.whl", "a") as wheel:
        wheel.writestr("sklearn/datasets/images/broken.jpg", image(70, 30, "JPEG")[:-200])
    rows = [OWL, CHINA, CHINA.replace("china", "flower").replace("7x3", "3x7"), CHINA.replace("china", "rose"), broken]
    assert run(monkeypatch, packages, tmp_path / "photos", *rows) == 1
    printed = capsys.readouterr()
    assert "1 of 5 photographs" in printed.out
    problems = printed.err.splitlines()
    assert len(problems) == 4
    assert "gcompris-farm-owl.webp, from GCompris 3.1" in problems[0]
    assert problems[0].endswith(f"Run: cd {packages} && apt-get download gcompris-qt-data")
    assert "sklearn-flower.jpg: flower.jpg has 7x3 pixels, expected 3x7" in problems[1]
    assert "sklearn-rose.jpg: sklearn/datasets/images has 0 files rose.jpg, expected 1" in problems[2]
    assert "sklearn-broken.jpg: broken.jpg is not a complete image" in problems[3]
    assert sorted(path.name for path in (tmp_path / "photos").iterdir()) == ["list.csv", "sklearn-china.jpg"]
    assert ship._table(str(tmp_path / "photos" / "list.csv")) == HEAD + CHINA


def test_archives_that_cannot_be_used(packages, tmp_path, monkeypatch, capsys):
    wheel = packages / "scikit_learn-1.9.1-cp311-any.whl"
    wheel.write_bytes(b"PK, but no more")
    assert run(monkeypatch, packages, tmp_path / "one", CHINA) == 1
    assert f"{wheel} cannot be unpacked: it is damaged" in capsys.readouterr().err
    shutil.copy(wheel, packages / "scikit_learn-1.8.0-cp311-any.whl")
    assert run(monkeypatch, packages, tmp_path / "two", CHINA) == 1
    assert "has 2 files scikit_learn-*.whl (scikit_learn-1.8.0" in capsys.readouterr().err
    for path in packages.iterdir():
        path.unlink()
    assert run(monkeypatch, packages, tmp_path / "three", CHINA) == 1
    assert "pip download --no-deps --only-binary :all: scikit-learn==1.9.1" in capsys.readouterr().err


@needs_dpkg
def test_debian_packages_that_cannot_be_used(packages, tmp_path, monkeypatch, capsys):
    packed(packages, "lomiri-wallpapers-16.04", {"usr/share/doc/copyright": b"text"})
    assert run(monkeypatch, packages, tmp_path / "one", LIFE) == 1
    assert "lomiri-life.jpg: the package has no backgrounds" in capsys.readouterr().err
    (packages / "lomiri-wallpapers-16.04_4%3a1_all.deb").write_bytes(b"!<arch>\n")
    assert run(monkeypatch, packages, tmp_path / "two", LIFE) == 1
    assert "_all.deb cannot be unpacked: it is damaged" in capsys.readouterr().err


def test_a_missing_dpkg_deb_is_named(packages, tmp_path, monkeypatch, capsys):
    (packages / "lomiri-wallpapers-16.04_1_all.deb").write_bytes(b"")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run(monkeypatch, packages, tmp_path / "one", LIFE) == 1
    assert "dpkg-deb was not found" in capsys.readouterr().err


def test_what_is_refused(packages, tmp_path, monkeypatch, capsys):
    assert run(monkeypatch, packages, packages, CHINA) == 2
    assert "is not empty" in capsys.readouterr().err
    assert run(monkeypatch, packages, tmp_path / "photos", "") == 2
    assert "no table with the columns file, package" in capsys.readouterr().err
    monkeypatch.setattr(
        sys, "argv", ["photographs", "--packages", "a", "--output", "b", "--card", str(tmp_path / "no")]
    )
    with pytest.raises(SystemExit, match="2"):
        photographs.main()
    assert "no cannot be read: No such file" in capsys.readouterr().err
    row = photographs.table(HEAD + CHINA)[0]
    with pytest.raises(UserError, match=r"moon\.jpg in the table begins with none of gcompris-monument-, "):
        photographs.place_of(row._replace(file="moon.jpg"))
    with pytest.raises(UserError, match=r"Package 'a moon' in the table: expected NAME"):
        photographs.package_of("a moon")
