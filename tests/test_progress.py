"""Progress bars: where they are shown."""

import io
import sys
import types

import pytest
import tqdm

from common import progress


def ipython(**config):
    """A module that stands in for IPython, whose shell has `config`; None: no shell."""
    shell = types.SimpleNamespace(config=config) if config else None
    return types.SimpleNamespace(get_ipython=lambda: shell)


@pytest.mark.parametrize("module", [None, ipython(), ipython(TerminalIPythonApp={})])
def test_a_log_file_gets_no_bar(monkeypatch, module):
    monkeypatch.setitem(sys.modules, "IPython", module)
    shown = io.StringIO()
    assert list(progress.bar(range(3), file=shown)) == [0, 1, 2]
    assert shown.getvalue() == "" and progress.bar(total=3, file=shown).disable


def test_a_notebook_without_widgets_gets_a_line(monkeypatch):
    """A kernel's stderr is no terminal, but shows lines that are rewritten."""
    monkeypatch.setitem(sys.modules, "IPython", ipython(IPKernelApp={}))
    monkeypatch.setattr(progress.importlib.util, "find_spec", lambda name: None)
    shown = io.StringIO()
    assert list(progress.bar(range(3), file=shown, desc="train", mininterval=0)) == [0, 1, 2]
    assert "train: 100%" in shown.getvalue() and "\r" in shown.getvalue()


def test_a_notebook_with_widgets_gets_a_widget(monkeypatch):
    class Widget(tqdm.tqdm):
        """Stands in for tqdm.notebook.tqdm, which needs a kernel."""

    monkeypatch.setitem(sys.modules, "IPython", ipython(IPKernelApp={}))
    monkeypatch.setitem(sys.modules, "tqdm.notebook", types.SimpleNamespace(tqdm=Widget))
    monkeypatch.setattr(progress.importlib.util, "find_spec", lambda name: name)
    assert isinstance(progress.bar(total=2, file=io.StringIO()), Widget)


def test_durations_in_words():
    seconds = (7, 60, 200, 3600, 7500, 36e20)
    assert [progress.duration(each) for each in seconds] == [
        *("7 s", "1 min 0 s", "3 min 20 s", "1 h 0 min", "2 h 5 min", "1,000,000,000,000,000,000 h 0 min")
    ]
