"""Messages in the terminal: of a file of one's own, those that cannot be formatted, and those of other programs."""

import logging
import pathlib
import sys
import types

import pytest
from absl import logging as absl_logging

from common import tensorflow as tf
from flags import messages, quiet


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """The path of a module of one's own, which is shown."""
    module = types.ModuleType("mine_alone")
    module.__file__ = str(tmp_path / "mine_alone.py")
    monkeypatch.setitem(sys.modules, "mine_alone", module)
    monkeypatch.setattr(messages.Terminal, "files", set())
    messages.show("mine_alone")
    return module.__file__


def record(path, message, *args, level=logging.INFO):
    return logging.LogRecord("absl", level, path, 1, message, args, None)


def test_a_method_of_ones_own_may_print_several_lines(mine, capsys):
    shown = messages.Terminal()
    shown.emit(record(mine, "one\ntwo\x1b[2J"))
    shown.emit(record(str(pathlib.Path(messages.__file__).with_name("help.py")), "one\ntwo", level=logging.ERROR))
    shown.emit(record(f"{mine}.other", "not shown"))
    assert capsys.readouterr() == ("one\ntwo\\x1b[2J\n", "one\\ntwo\n")


def test_a_message_that_cannot_be_formatted_is_reported_and_ends_nothing(mine, capsys):
    messages.Terminal().emit(record(mine, "%d files", "many"))
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith("--- Logging error ---\n")


def test_messages_are_shown_once_however_often_that_is_asked_for(mine):
    for module in ("mine_alone", "", "nowhere.at.all"):
        messages.show(module)
    logger = absl_logging.get_absl_logger()
    assert sum(isinstance(handler, messages.Terminal) for handler in logger.handlers) == 1
    assert not logger.propagate and absl_logging.get_verbosity() == absl_logging.INFO
    assert messages.Terminal.files == {mine}


def test_other_loggers_warn_as_in_any_program(monkeypatch):
    root = logging.getLogger()
    for handlers, expected in (([], [logging.lastResort]), ([own := logging.NullHandler()], [own])):
        monkeypatch.setattr(root, "handlers", list(handlers))
        messages.show()
        assert root.handlers == expected


def test_tensorflow_reports_nothing_but_errors_once_it_is_imported(monkeypatch):
    logger, before = tf.logging, tf.logging.get_verbosity()
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    monkeypatch.setattr(tf, "importing", None)
    quiet.silence()
    try:
        logger.set_verbosity(logger.INFO)
        with tf.importing():
            pass
        assert logger.get_verbosity() == logger.ERROR
    finally:
        logger.set_verbosity(before)
