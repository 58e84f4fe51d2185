"""Lets coverage.py say which test files run each line, in child processes, too; see `make coverage`."""

import os

import coverage
import pytest

os.environ["TEST_FILE"] = ""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    file = item.location[0]
    os.environ["TEST_FILE"] = file  # the context of child processes, by the settings in pyproject.toml
    measuring = coverage.Coverage.current()
    if measuring:
        measuring.switch_context(file)
    return (yield)
