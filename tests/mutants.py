"""Do tests notice faults? Puts faults into the code, one at a time, and runs the tests of the lines that are changed.

make coverage                                                        records which test files run which line
python -m tests.mutants --seed 0 --count 100 --output mutants.jsonl  tests 100 faults, or those that are left
python -m tests.mutants --output mutants.jsonl --table               prints the table again

The same seed draws the same faults from the same code. A fault is tried in a copy of the project, on the test files of
its own package first, then on all others that run the line. Test files that do not run it cannot notice it.
"""

import argparse
import ast
import collections
import concurrent.futures
import contextlib
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

import pytest

from common import methods

ROOT = pathlib.Path(__file__).parent.parent
PACKAGES = ("common", "flags", *methods.PACKAGES)
ABOUT_TEXT = {"tests/test_architecture.py", "tests/test_language.py", "tests/test_types.py"}  # they read the source
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
    if isinstance(node, (ast.Expr, ast.AugAssign, ast.Raise)) and not isinstance(
        getattr(node, "value", None), ast.Constant
    ):
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
    folders = mutant.path.split("/")[1:-1] or [mutant.path.split("/")[0]]
    near = {name for name in known if name.startswith(f"tests/{folders[0]}/")}
    if not any(contexts.get(line) for line in lines):
        files = near
    else:
        files = known if mutant.at_import or not running else running
    return sorted(files - ABOUT_TEXT, key=lambda name: (name not in near, name not in running, name))


def tried(mutant, files):
    """Returns the first test that fails with the fault, "" if none does, and the seconds."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        names = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True).split("\0")
        for name in filter(None, names):
            with contextlib.suppress(FileNotFoundError):
                (pathlib.Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, pathlib.Path(folder) / name)
        path = pathlib.Path(folder) / mutant.path
        path.write_text(mutant.applied(path.read_text(encoding="utf-8")), encoding="utf-8")
        caught = next(filter(None, (failure(marked, files, folder) for marked in QUICK_FIRST)), "")
    return caught, time.monotonic() - began


def failure(marked, files, folder):
    """Returns the first test of `marked` ones in `files` that fails in a copy of the project, "" if none does."""
    command = [sys.executable, "-m", "pytest", "-m", marked, "-x", "-q", "-n", "0", "-p", "no:cacheprovider", *files]
    environment = {**os.environ, "PYTHONPATH": folder}
    try:
        run = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=SLOWEST, check=False
        )
    except subprocess.TimeoutExpired:
        return "time limit"
    if run.returncode in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        return ""
    failed = [line for line in run.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return (failed or run.stdout.splitlines() or run.stderr.splitlines())[-1][:200]


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
    print_table([json.loads(line) for line in options.output.read_text(encoding="utf-8").splitlines()])


def try_all(options):
    import coverage  # of the extra `coverage`; the table needs none

    data = coverage.CoverageData(options.coverage)
    data.read()
    options.output.parent.mkdir(parents=True, exist_ok=True)
    done = len(options.output.read_text(encoding="utf-8").splitlines()) if options.output.exists() else 0
    mutants = drawn(options.count, options.seed)[done:]
    files = [tests_of(mutant, data) for mutant in mutants]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for number, row in enumerate(pool.map(row_of, mutants, files), done + 1):
            with open(options.output, "a", encoding="utf-8") as output:
                output.write(json.dumps(row) + "\n")
            print(f"{number}: {row['path']}:{row['line']} {row['kind']}: {row['caught'] or 'SURVIVED'}", flush=True)


def row_of(mutant, files):
    """Returns what is written about a fault, which is tried on test files."""
    source = (ROOT / mutant.path).read_text(encoding="utf-8")
    caught, seconds = tried(mutant, files) if files else ("", 0.0)
    return {
        "path": mutant.path,
        "line": mutant.first[0],
        "kind": mutant.kind,
        "from": mutant.replaced(source),
        "to": mutant.text,
        "files": len(files),
        "caught": caught,
        "seconds": round(seconds, 1),
    }


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
