"""Reports of runs that are being trained, made anew when their files have changed."""

from __future__ import annotations

import asyncio
import concurrent.futures
import pathlib
import time
import urllib.parse
from collections.abc import Callable, Sequence
from typing import NamedTuple

from absl import logging

from common import report
from common.errors import UserError, in_one_line
from common.report import Page
from common.serve.refused import Refused

FRESH = 3.0  # seconds for which a report counts as new
IDLE = 5.0  # seconds to wait for the end of a translation
SCRIPT = pathlib.Path(__file__).parent / "browser" / "live.js"


class _Kept(NamedTuple):
    page: Page
    fingerprint: str
    time: float  # monotonic seconds


class Reports:
    """The reports of runs, made in a thread of its own, one at a time; close it.

    `wait`: waits until no image is being translated, at most for the given seconds.
    """

    def __init__(self, wait: Callable[[float], object]) -> None:
        self._wait, self._thread = wait, concurrent.futures.ThreadPoolExecutor(1, "report")
        self._kept: dict[tuple[str, ...], _Kept] = {}

    async def page(self, run_dirs: Sequence[str], name: str | None) -> Page:
        """Returns the report of a run, called `name`, or that compares several; raises Refused if it cannot be made."""
        return await self._in_thread(lambda: self._page(tuple(run_dirs), name))

    async def fingerprint(self, run_dirs: Sequence[str]) -> str:
        """Returns a text that changes when a report would."""
        return await asyncio.get_running_loop().run_in_executor(None, _fingerprint, run_dirs)

    def close(self) -> None:
        """Ends the thread after its current report."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, work: Callable[[], Page]) -> Page:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _page(self, run_dirs: tuple[str, ...], name: str | None) -> Page:
        kept, fingerprint = self._kept.get(run_dirs), _fingerprint(run_dirs)
        if kept and (kept.fingerprint == fingerprint or time.monotonic() - kept.time < FRESH):
            return kept.page
        self._wait(IDLE)
        query = f"?run={urllib.parse.quote(name, safe='')}" if name is not None else ""
        facts = {"fingerprint": fingerprint, "changed": f"report/changed{query}"}
        try:
            page = report.live(run_dirs, facts, SCRIPT.read_text(encoding="utf-8"))
        except UserError as error:
            logging.warning(f"warning: no report: {in_one_line(str(error))}")
            raise Refused(503, "The report cannot be made. See the log of the server for the reason.") from error
        self._kept[run_dirs] = _Kept(page, fingerprint, time.monotonic())
        return page


def _fingerprint(run_dirs: Sequence[str]) -> str:
    return "-".join(map(report.fingerprint, run_dirs))
