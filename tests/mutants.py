"""Do tests notice faults? Puts faults into the code, one at a time, and runs the tests of the lines that are changed.

make coverage                                                        records which test files run which line
python -m tests.mutants --seed 0 --count 100 --output mutants.jsonl  tests 100 faults, or those that are left
python -m tests.mutants --output mutants.jsonl --table               prints the table again

The same seed draws the same faults from the same code. A fault is tried in a copy of the project, on the test files of
its own package first, then on all others that were recorded to run the line. Others are not tried. At the end, the
tests that failed are run without a fault; one that fails then, too, has not noticed anything.
"""

import argparse
import ast
import collections
import concurrent.futures
import contextlib
import functools
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import pytest

from common import methods

ROOT = pathlib.Path(__file__).parent.parent
PACKAGES = ("common", "flags", *methods.PACKAGES)
ABOUT_TEXT = {  # tests that read the source
    *("tests/test_architecture.py", "tests/test_architecture_picture.py"),
    *("tests/test_language.py", "tests/test_types.py"),
}
QUICK_FIRST = ("not thorough and not slow", "thorough and not slow")  # most faults are noticed by the quick tests
SLOWEST = 3600  # seconds; what takes longer hangs, and is caught; a test that takes 300 is stopped by pytest
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPARISONS = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
}


class Mutant:
    """A fault: `text` in the place of `node` in a file; `at_import`: not in the body of a function."""

    def __init__(self, path, kind, node, text):
        self.path, self.kind, self.text = path, kind, text
        self.at_import = True
        self.first, self.last = (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)

    def applied(self, source):
        """Returns `source` with the fault."""
        lines = source.encode().splitlines(keepends=True)
        (first, left), (last, right) = self.first, self.last
        middle = lines[first - 1][:left] + self.text.encode() + lines[last - 1][right:]
        return b"".join([*lines[: first - 1], middle, *lines[last:]]).decode()

    def replaced(self, source):
        """Returns the text that the fault replaces."""
        lines = source.encode().splitlines(keepends=True)[self.first[0] - 1 : self.last[0]]
        lines[-1] = lines[-1][: self.last[1]]
        lines[0] = lines[0][self.first[1] :]
        return b"".join(lines).decode()


def changed(node, **fields):
    copy = type(node)(**{**{name: getattr(node, name, None) for name in node._fields}, **fields})
    return f"({ast.unparse(copy)})"


def of_node(path, node):
    """Yields the faults at one node."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in COMPARISONS:
        yield Mutant(path, "comparison", node, changed(node, ops=[COMPARISONS[type(node.ops[0])]()]))
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS and not is_text(node.left, node.right):
        yield Mutant(path, "arithmetic", node, changed(node, op=OPERATORS[type(node.op)]()))
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield Mutant(path, "constant", node, f"({node.value!r} + 1)")
    is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    if isinstance(node, (ast.Expr, ast.AugAssign, ast.Raise)) and not is_docstring:
        yield Mutant(path, "dropped statement", node, "pass")
    if isinstance(node, ast.Call) and len(node.args) > 1:
        first, second, *others = node.args
        starred = any(isinstance(argument, ast.Starred) for argument in (first, second))
        if not starred and ast.dump(first) != ast.dump(second):
            yield Mutant(path, "swapped arguments", node, changed(node, args=[second, first, *others])[1:-1])


def is_text(*nodes):
    return any(isinstance(node, ast.JoinedStr) or isinstance(getattr(node, "value", None), str) for node in nodes)


class Sites(ast.NodeVisitor):
    """Collects the faults of a file; types have none."""

    def __init__(self, path):
        self.path, self.mutants, self.at_import = path, [], True

    def visit(self, node):
        if isinstance(node, ast.JoinedStr):  # Python 3.11 does not say where its parts are
            return
        for mutant in of_node(self.path, node):
            mutant.at_import = self.at_import
            self.mutants.append(mutant)
        typed, around = {"annotation", "returns"}, self.at_import
        for name, value in ast.iter_fields(node):
            self.at_import = around and not (name == "body" and isinstance(node, FUNCTIONS))
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST) and name not in typed:
                    self.visit(child)
        self.at_import = around


def mutants_of(path, source):
    """Returns all faults of a file."""
    sites = Sites(path)
    sites.visit(ast.parse(source))
    return sites.mutants


def drawn(count, seed):
    """Returns `count` faults: a kind is drawn, then one of all of that kind."""
    by_kind = collections.defaultdict(list)
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for mutant in mutants_of(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")):
                by_kind[mutant.kind].append(mutant)
    generator = random.Random(seed)
    for mutants in by_kind.values():
        generator.shuffle(mutants)
    kinds = sorted(by_kind)
    return [by_kind[generator.choice(kinds)].pop() for _ in range(count)]


def tests_of(mutant, data):
    """Returns the test files that run a line of the fault, those of its package first.

    A line that runs while modules are imported may be run by any file; these come last. So may one that only runs in
    processes without the environment of their test. A line that is not recorded, as in processes that end at once, may
    be run by the tests of its package.
    """
    lines = range(mutant.first[0], mutant.last[0] + 1)
    contexts = data.contexts_by_lineno(str(ROOT / mutant.path))
    running = {part for line in lines for context in contexts.get(line, ()) for part in context.split("|") if part}
    known = {context for context in data.measured_contexts() if context.endswith(".py")}
    package, *below = pathlib.PurePath(mutant.path).with_suffix("").parts
    folder = below[0] if len(below) > 1 else package
    near = {name for name in known if name.startswith((f"tests/{folder}/", f"tests/test_{below[-1]}"))}
    if not any(contexts.get(line) for line in lines):
        files = near
    else:
        files = known if mutant.at_import or not running else running
    return sorted(files - ABOUT_TEXT, key=lambda name: (name not in near, name not in running, name))


def files_of_project():
    """Returns the names of all files of the project that git does not ignore."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    return sorted(filter(None, subprocess.check_output(command, cwd=ROOT, text=True).split("\0")))


def digest_of(names):
    """Returns a digest of the code and the tests among files."""
    hashed = hashlib.sha256()
    for name in names:
        if name.endswith(".py") and (ROOT / name).exists():
            hashed.update(name.encode() + b"\0" + (ROOT / name).read_bytes() + b"\0")
    return hashed.hexdigest()


@contextlib.contextmanager
def copied(source, names):
    """Enters a copy of the files `names` of a folder."""
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                (pathlib.Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(pathlib.Path(source) / name, pathlib.Path(folder) / name)
        yield folder


def row_of(project, names, mutant, files):
    """Returns what is written about a fault, which is tried on test files in a copy of the folder `project`."""
    began = time.monotonic()
    with copied(project, names) as folder:
        path = pathlib.Path(folder) / mutant.path
        source = path.read_text(encoding="utf-8")
        path.write_text(mutant.applied(source), encoding="utf-8")
        noticed = (failure(marked, files, folder) for marked in QUICK_FIRST if files)
        caught = next(filter(None, noticed), "")
    return {
        "path": mutant.path,
        "line": mutant.first[0],
        "kind": mutant.kind,
        "from": mutant.replaced(source),
        "to": mutant.text,
        "files": len(files),
        "caught": caught,
        "seconds": round(time.monotonic() - began, 1),
    }


def failure(marked, files, folder):
    """Returns the first test of `marked` ones in `files` that fails in a copy of the project, "" if none does."""
    try:
        run = pytest_run(folder, "-m", marked, "-x", *files)
    except subprocess.TimeoutExpired:
        return "time limit"
    if run.returncode in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        return ""
    if run.returncode == -signal.SIGKILL:
        sys.exit("A test was killed, probably because memory ran out. Use fewer --jobs; the same command resumes.")
    return (failed_in(run.stdout) or [*run.stdout.splitlines(), *run.stderr.splitlines(), str(run.returncode)])[-1]


def pytest_run(folder, *arguments):
    """Runs pytest in a copy of the project."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *arguments]
    environment = {**os.environ, "PYTHONPATH": folder}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=SLOWEST, check=False
    )


def failed_in(output):
    """Returns the tests that failed: "FAILED tests/test_file.py::test_name - reason"."""
    return [line for line in output.splitlines() if line.startswith(("FAILED ", "ERROR "))]


def test_in(caught):
    """Returns the test that pytest names in a line of its summary; "" if the line names none."""
    outcome, _, rest = caught.partition(" ")
    return rest.partition(" - ")[0] if outcome in ("FAILED", "ERROR") else ""


def without_vacuous(rows, folder):
    """Returns the rows without what failing tests noticed that fail in `folder`, a copy without a fault, too."""
    tests = sorted({test_in(row["caught"]) for row in rows} - {""})
    if not tests:  # without names, pytest would run all
        return rows
    run = pytest_run(folder, "-m", "", *tests)
    if run.returncode not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        sys.exit(f"The tests that failed cannot be run without a fault:\n{run.stdout}{run.stderr}")
    vacuous = {test_in(line) for line in failed_in(run.stdout)}
    return [{**row, "caught": "" if test_in(row["caught"]) in vacuous else row["caught"]} for row in rows]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--coverage", default=".coverage", help="file that `make coverage` wrote")
    parser.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 1) // 2), help="faults tried at once")
    parser.add_argument("--table", action="store_true", help="only print the table of --output")
    options = parser.parse_args()
    if not options.table:
        try_all(options)
    print_table(rows_of(options.output))


def try_all(options):
    names = files_of_project()
    drawn_from = {"seed": options.seed, "digest": digest_of(names)}
    rows = rows_of(options.output) if options.output.exists() else []
    if any({name: row.get(name) for name in drawn_from} != drawn_from for row in rows):
        sys.exit(f"{options.output} is of other code, tests or seed. Remove it, or choose a different --output.")
    data = recorded(options.coverage, names)
    mutants = drawn(options.count, options.seed)[len(rows) :]
    files = [tests_of(mutant, data) for mutant in mutants]
    options.output.parent.mkdir(parents=True, exist_ok=True)
    with copied(ROOT, names) as project, concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for row in pool.map(functools.partial(row_of, project, names), mutants, files):
            rows.append({**row, **drawn_from})
            write_rows(options.output, rows)
            caught = row["caught"][:200] or "SURVIVED"
            print(f"{len(rows)}: {row['path']}:{row['line']} {row['kind']}: {caught}", flush=True)
        write_rows(options.output, without_vacuous(rows, project))


def recorded(path, names):
    """Returns the coverage that `make coverage` recorded of the files `names`, in `path`."""
    import coverage  # of the extra `coverage`; the table needs none

    if not os.path.exists(path):
        sys.exit(f"{path} does not exist: run make coverage first.")
    data = coverage.CoverageData(path)
    data.read()
    sources = [ROOT / name for name in names if name.endswith(".py") and name.partition("/")[0] in PACKAGES]
    unknown = {name for name in data.measured_contexts() if name.endswith(".py")} - set(names)
    if unknown or max(source.stat().st_mtime for source in sources) > os.stat(path).st_mtime:
        sys.exit(f"{path} is older than the code: run make coverage first.")
    return data


def rows_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def print_table(rows):
    kinds = collections.defaultdict(list)
    for row in rows:
        kinds[row["kind"]].append(bool(row["caught"]))
    print("\n| kind | tried | caught |\n|---|---|---|")
    for kind, caught in sorted(kinds.items()):
        print(f"| {kind} | {len(caught)} | {sum(caught)} |")
    print(f"| all | {len(rows)} | {sum(bool(row['caught']) for row in rows)} |\n\nSurvivors:\n")
    for row in rows:
        if not row["caught"]:
            print(f"- {row['path']}:{row['line']}, {row['files']} test files: `{row['from']}` became `{row['to']}`")


if __name__ == "__main__":
    main()
