"""The picture of the packages is the one that the code has now, and tells the truth about it."""

import ast
import functools
import itertools
import pathlib
import re
from xml.etree import ElementTree

import pytest

from docs import architecture

ROOT = pathlib.Path(__file__).parent.parent
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def picture():
    """The text of the picture, for which the code is parsed once; later calls of imports() know what was parsed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(architecture, "imports", functools.cache(architecture.imports))
        yield architecture.picture()


def test_the_committed_picture_is_what_would_be_drawn_now(picture):
    committed = (ROOT / "docs" / "architecture.svg").read_text()
    assert committed == picture, "run `make docs`, or python -m docs.architecture"


def test_every_package_has_a_room_and_a_few_words(picture):
    names = [name for names in architecture.levels() for name in names]
    assert set(names) == set(architecture.ABOUT)
    root = ElementTree.fromstring(picture)
    assert sorted(text.text for text in root.iter(f"{SVG}text") if text.get("class") == "name") == sorted(names)


def test_rooms_do_not_overlap_and_are_inside_the_picture(picture):
    root = ElementTree.fromstring(picture)
    width, height = map(float, root.get("viewBox").split()[2:])
    rooms = [
        [float(rect.get(key)) for key in ("x", "y", "width", "height")]
        for rect in root.iter(f"{SVG}rect")
        if rect.get("class") != "panel"
    ]
    for x, y, wide, high in rooms:
        assert x >= 0 and x + wide <= width and y >= 0 and y + high <= height
    for (x, y, wide, high), (other_x, other_y, *_) in itertools.permutations(rooms, 2):
        assert abs(y - other_y) >= high or abs(x - other_x) >= wide


def test_arrows_point_down_and_say_all_that_is_imported(picture):
    """Whoever follows the arrows finds all packages that a package imports, and only those."""
    rows = [names for names in architecture.levels() if not architecture.is_base(names)]
    row_of = {name: row for row, names in enumerate(rows) for name in names}
    arrows = architecture.arrows(rows)
    assert all(row_of[source] < row_of[target] for source, target in arrows)
    imports = architecture.imports()
    assert all(target in imports[source] for source, target in arrows)
    reached = {name: {target for source, target in arrows if source == name} for name in row_of}
    for _ in rows:
        reached = {name: near.union(*(reached[other] for other in near)) for name, near in reached.items()}
    assert all(imports[name] & set(row_of) <= reached[name] for name in row_of)
    drawn = re.findall(r'class="arrow"', picture)
    assert len(drawn) == len(arrows)


def test_imports_for_the_type_checker_alone_do_not_count():
    tree = ast.parse(
        "from common import run\n"
        "if TYPE_CHECKING:\n    from common.train import loop\n"
        "def later():\n    import common.images\n"
    )
    assert list(architecture.imported(tree)) == ["common.run", "common.images"]
    assert architecture.room_of("common.images.files") == "images"
    assert architecture.room_of("pix2pix.model") == architecture.METHODS
    assert architecture.room_of("numpy.random") == ""
