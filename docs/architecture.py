"""The packages and their imports as a picture: `python -m docs.architecture` writes docs/architecture.svg.

Each row is a level of the import order that tests/test_architecture.py checks. An arrow stands for all imports from one
package to another. It is left out if a longer path of arrows leads to the same package. The lowest levels, which all
others may import, have no arrows.
"""

from __future__ import annotations

import ast
import html
import itertools
import math
import pathlib
from collections.abc import Iterator
from typing import NamedTuple

from common import atomic, methods

DOCS = pathlib.Path(__file__).parent
ROOT = DOCS.parent
METHODS = "each method"  # one room for all of them: they import the same packages
ABOUT = {
    METHODS: ", ".join(methods.PACKAGES[:2]) + " and so on",
    "flags": "command line, presets",
    "train": "graph of a step, loop",
    "evaluate": "scores, best checkpoint",
    "export": "models for other tools",
    "serve": "HTTP server",
    "translate": "inference, tiles, video",
    "weights": "of other programs",
    "tuning": "measured algorithms",
    "run": "run folder, checkpoints",
    "report": "HTML reports",
    "images": "datasets, image files",
    "dual": "networks, losses",
    "metrics": "PSNR, SSIM, FID",
    "ops": "layers, convolutions",
    "cluster": "several processes",
    "settings": "fields that are flags",
    "atomic": "files, whole or not at all",
    "documents": "JSON, by a schema",
    "literal": "paths read as they are",
    "sizes": "sizes of images",
    "progress": "progress bars",
    "errors": "for people: UserError",
    "tensorflow": "imported on first use",
    "ndimage": "SciPy's, on first use",
    "methods": "table of methods",
}
WIDTH, MARGIN = 860, 20
ROOM_WIDTH, ROOM_HEIGHT, LEVEL = 168, 44, 88  # pixels; LEVEL: from the top of a row to the top of the next
LANE = 16  # width that an arrow takes where it passes a row
GAP = 20  # between neighbours of a row
SWEEPS = 60  # over all rows; more change nothing
STYLE = """\
svg { font: 14px system-ui, sans-serif; color: #222 }
text { text-anchor: middle; fill: currentColor }
.name { font-weight: 600 } .about { font-size: 11.5px; opacity: .85 }
.room { fill: #4c8bf522; stroke: currentColor; stroke-width: 1.2 }
.base { fill: #8883; stroke: none } .panel { fill: none; stroke: currentColor; stroke-dasharray: 4 4 }
.arrow { stroke: currentColor; stroke-width: 1.3; fill: none; opacity: .75; marker-end: url(#end) }
@media (prefers-color-scheme: dark) { svg { color: #ddd; background: #1c1c1e } }"""
HEAD = (
    '<marker id="end" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
    '<path d="M0 0 L8 4 L0 8 z" fill="context-stroke"/></marker>'
)


class Place(NamedTuple):
    """A position in a row: of a package, or of an arrow that passes the row on its way to a lower one."""

    row: int
    name: str  # of the room, or "source > target" of the arrow

    @property
    def width(self) -> int:
        """Returns its width in pixels."""
        return LANE if " > " in self.name else ROOM_WIDTH


def levels() -> list[list[str]]:
    """Returns the packages of each level, highest first: methods, flags, then the levels of common."""
    tree = ast.parse((ROOT / "tests" / "test_architecture.py").read_text())
    (order,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ORDER"
    )
    return [[METHODS], ["flags"], *(list(names) for names in reversed(order))]


def is_base(names: list[str]) -> bool:
    """Whether a level is at the bottom: it contains modules, not only packages."""
    return any((ROOT / "common" / f"{name}.py").is_file() for name in names)


def room_of(module: str) -> str:
    """Returns the package of a module as the picture names it; "" for modules of other projects."""
    top, _, rest = module.partition(".")
    if top in methods.PACKAGES:
        return METHODS
    return {"common": rest.partition(".")[0], "flags": "flags"}.get(top, "")


def imported(node: ast.AST) -> Iterator[str]:
    """Returns the modules that a syntax tree imports, without those that only the type checker imports."""
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return
    if isinstance(node, ast.ImportFrom) and node.module:
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    for child in ast.iter_child_nodes(node):
        yield from imported(child)


def imports() -> dict[str, set[str]]:
    """Returns {package: the packages that its modules import}."""
    targets: dict[str, set[str]] = {}
    for package in ("common", "flags", *methods.PACKAGES):
        for path in (ROOT / package).rglob("*.py"):
            source = room_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
            rooms = {room_of(module) for module in imported(ast.parse(path.read_text()))}
            targets.setdefault(source, set()).update(rooms - {source, ""})
    return targets


def arrows(rows: list[list[str]]) -> list[tuple[str, str]]:
    """Returns (package, imported package) for the packages of these rows, without those that a longer path implies.

    Paths through flags do not count: only the main.py of a method imports flags, and its model.py does not.
    """
    shown = {name for names in rows for name in names}
    targets = {name: sorted(names & shown) for name, names in sorted(imports().items()) if name in shown}

    def reached(name: str) -> set[str]:
        return {name}.union(*(reached(target) for target in targets[name]))

    return [
        (name, target)
        for name in targets
        for target in targets[name]
        if not any(target in reached(other) for other in targets[name] if other not in (target, "flags"))
    ]


def ways(rows: list[list[str]]) -> list[list[Place]]:
    """Returns the places of each arrow: its package, a lane in each row that it passes, and the imported package."""
    row_of = {name: row for row, names in enumerate(rows) for name in names}
    result = []
    for source, target in arrows(rows):
        first, last = row_of[source], row_of[target]
        lanes = [Place(row, f"{source} > {target}") for row in range(first + 1, last)]
        result.append([Place(first, source), *lanes, Place(last, target)])
    return result


def arranged(rows: list[list[str]], lines: list[list[Place]]) -> dict[Place, float]:
    """Returns the middle of each place in pixels from the left, near the places that arrows connect it with."""
    near: dict[Place, list[Place]] = {Place(row, name): [] for row, names in enumerate(rows) for name in names}
    for upper, lower in itertools.chain.from_iterable(itertools.pairwise(line) for line in lines):
        near.setdefault(upper, []).append(lower)
        near.setdefault(lower, []).append(upper)
    floors = [[place for place in near if place.row == row] for row in range(len(rows))]
    middles = {place: x for floor in floors for place, x in zip(floor, _spread(floor, [0.0] * len(floor)), strict=True)}
    for sweep in range(SWEEPS):
        for floor in floors if sweep % 2 else floors[::-1]:
            wanted = {place: _mean([middles[other] for other in near[place]] or [middles[place]]) for place in floor}
            if sweep < SWEEPS // 2:  # then the order within a row stays, and only places move
                floor.sort(key=lambda place: wanted[place])
            middles |= zip(floor, _spread(floor, [wanted[place] for place in floor]), strict=True)
    left = min(x - place.width / 2 for place, x in middles.items())
    right = max(x + place.width / 2 for place, x in middles.items())
    return {place: x + (WIDTH - left - right) / 2 for place, x in middles.items()}


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)  # the same in all versions of Python, unlike sum


def _spread(floor: list[Place], wanted: list[float]) -> list[float]:
    """Returns the middles of the places of a row, near the preferred ones, in order and without overlap."""
    steps = [(one.width + other.width) / 2 + GAP for one, other in itertools.pairwise(floor)]
    ahead, back = [wanted[0]], [wanted[-1]]
    for step, x in zip(steps, wanted[1:], strict=True):
        ahead.append(max(x, ahead[-1] + step))
    for step, x in zip(steps[::-1], wanted[-2::-1], strict=True):
        back.append(min(x, back[-1] - step))
    return [(one + other) / 2 for one, other in zip(ahead, back[::-1], strict=True)]


def picture() -> str:
    """Returns the picture as SVG."""
    every = levels()
    rows, base = [names for names in every if not is_base(names)], [names for names in every if is_base(names)]
    lines = ways(rows)
    middles = arranged(rows, lines)
    rooms = [
        _box(place.name, x, MARGIN + place.row * LEVEL, "room")
        for place, x in middles.items()
        if place.width == ROOM_WIDTH
    ]
    top = MARGIN + len(rows) * LEVEL - 16
    height = top + 34 + len(base) * (ROOM_HEIGHT + 10) + MARGIN
    label = f"The packages in {len(every)} levels; arrows point to what a package imports, always downwards."
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">',
        f"<style>\n{STYLE}\n</style>",
        f"<defs>{HEAD}</defs>",
        *_arrows(lines, middles),
        *rooms,
        *_base(base, top, height - top - MARGIN),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _box(name: str, x: float, y: float, kind: str) -> str:
    about = html.escape(ABOUT[name])
    left = x - ROOM_WIDTH / 2
    return (
        f'<rect class="{kind}" x="{left:.1f}" y="{y}" width="{ROOM_WIDTH}" height="{ROOM_HEIGHT}" rx="6"/>'
        f'<text class="name" x="{x:.1f}" y="{y + 19}">{name}</text>'
        f'<text class="about" x="{x:.1f}" y="{y + 35}">{about}</text>'
    )


def _base(base: list[list[str]], top: int, height: int) -> list[str]:
    """Returns the lowest levels, in a frame."""
    parts = [
        f'<rect class="panel" x="{MARGIN}" y="{top}" width="{WIDTH - 2 * MARGIN}" height="{height}" rx="6"/>',
        f'<text class="about" x="{WIDTH / 2:.1f}" y="{top + 18}">all packages above may import these</text>',
    ]
    for row, names in enumerate(base):
        for column, name in enumerate(names):
            x = WIDTH / 2 + (column - (len(names) - 1) / 2) * (ROOM_WIDTH + GAP)
            parts.append(_box(name, x, top + 28 + row * (ROOM_HEIGHT + 10), "base"))
    return parts


def _arrows(lines: list[list[Place]], middles: dict[Place, float]) -> list[str]:
    """Returns a curve for each arrow; arrows of one package leave and reach it side by side."""
    leaving, reaching = _ports(lines, middles, 0), _ports(lines, middles, -1)
    curves = []
    for number, line in enumerate(lines):
        y = MARGIN + line[0].row * LEVEL + ROOM_HEIGHT
        x = leaving[number]
        path = f"M{x:.1f} {y}"
        for place in line[1:]:
            last = place is line[-1]
            x_next = reaching[number] if last else middles[place]
            y_next = MARGIN + place.row * LEVEL
            half = (y + y_next) / 2
            path += f" C{x:.1f} {half:.1f} {x_next:.1f} {half:.1f} {x_next:.1f} {y_next}"
            y = y_next + (0 if last else ROOM_HEIGHT)
            path += "" if last else f" V{y}"
            x = x_next
        curves.append(f'<path class="arrow" d="{path}"/>')
    return curves


def _ports(lines: list[list[Place]], middles: dict[Place, float], end: int) -> dict[int, float]:
    """Returns where each arrow leaves (end 0) or reaches (end -1) its package, ordered by its next place."""
    ports = {}
    following = -2 if end else 1
    for room in {line[end] for line in lines}:
        numbers = [number for number, line in enumerate(lines) if line[end] == room]
        numbers.sort(key=lambda number: (middles[lines[number][following]], number))
        for position, number in enumerate(numbers):
            ports[number] = middles[room] + (position - (len(numbers) - 1) / 2) * LANE
    return ports


def main() -> None:
    """Writes the picture."""
    atomic.write_text(DOCS / "architecture.svg", picture())
    print(DOCS / "architecture.svg")


if __name__ == "__main__":
    main()
