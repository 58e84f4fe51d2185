"""CPU seconds of tests and fixtures, child processes included, which other jobs disturb less than the clock.

CPU_SECONDS=seconds.jsonl python -m pytest -p tests.cpu_seconds     measures
python -m tests.cpu_seconds seconds.jsonl                           prints the costliest files, tests and fixtures
"""

import collections
import json
import os
import sys

import pytest

SHOWN = 25
TIMES = os.times  # before a test replaces it


def used():
    times = TIMES()
    return times.user + times.system + times.children_user + times.children_system


def record(kind, name, before):
    with open(os.environ["CPU_SECONDS"], "a", encoding="utf-8") as file:
        file.write(json.dumps({"kind": kind, "name": name, "seconds": round(used() - before, 4)}) + "\n")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    before = used()
    result = yield
    record("test", item.nodeid, before)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef):
    before = used()
    result = yield
    record("fixture", f"{fixturedef.baseid} {fixturedef.argname} ({fixturedef.scope})", before)
    return result


def table(title, seconds_by_name):
    print(f"\n{title}: {sum(seconds_by_name.values()):.0f} s")
    for name, seconds in seconds_by_name.most_common(SHOWN):
        print(f"{seconds:8.1f}  {name}")


def main():
    files, tests, fixtures = collections.Counter(), collections.Counter(), collections.Counter()
    with open(sys.argv[1], encoding="utf-8") as lines:
        for line in map(json.loads, lines):
            if line["kind"] == "fixture":
                fixtures[line["name"]] += line["seconds"]
            else:
                files[line["name"].split("::")[0]] += line["seconds"]
                tests[line["name"].split("[")[0]] += line["seconds"]
    table("Files", files)
    table("Tests, all parameters together", tests)
    table("Fixtures, which are part of the tests that first need them", fixtures)


if __name__ == "__main__":
    main()
