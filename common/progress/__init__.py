"""Progress bars on terminals and in notebooks, which show nothing elsewhere; durations in words."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable
from typing import Any, TypeVar, overload

import tqdm

T = TypeVar("T")


@overload
def bar(iterable: None = None, **options: Any) -> tqdm.tqdm[Any]: ...
@overload
def bar(iterable: Iterable[T], **options: Any) -> tqdm.tqdm[T]: ...
def bar(iterable: Iterable[Any] | None = None, **options: Any) -> tqdm.tqdm[Any]:
    """Returns a progress bar over `iterable`, with `options` of tqdm.

    In notebooks it is a widget, or without ipywidgets a line of text that is rewritten. On terminals it is a line.
    Elsewhere, such as in files of logs, it shows nothing, and its `disable` is true.
    """
    if not _in_notebook():
        return tqdm.tqdm(iterable, disable=None, **options)
    if importlib.util.find_spec("ipywidgets") is None:  # which tqdm's widget needs
        return tqdm.tqdm(iterable, disable=False, **options)
    widgets: Any = importlib.import_module("tqdm.notebook")
    widget: tqdm.tqdm[Any] = widgets.tqdm(iterable, **options)
    return widget


def duration(seconds: float) -> str:
    """Formats seconds as text, of any length: 2 h 5 min, 3 min 20 s or 7 s."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _in_notebook() -> bool:
    """Whether a Jupyter kernel runs this process; IPython on a terminal is none."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and "IPKernelApp" in shell.config
