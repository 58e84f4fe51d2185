"""A run that is served: its Translator, which is replaced when there is a newer checkpoint."""

from __future__ import annotations

import contextlib
import os
import pathlib
import threading
from collections.abc import Callable, Hashable, Iterator, Sequence

import numpy as np
from absl import logging

from common.errors import UserError, in_one_line
from common.run.checkpoint_files import best_step, checkpoints_in, newest_step, step_of
from common.run.folder import SavedRun, config_path, has_begun, load_run, load_trained
from common.serve.about import About
from common.serve.refused import Refused
from common.translate import Translator

LOOK = 3.0  # seconds between looks for newer checkpoints
ENDING = 3.0  # seconds that loading a checkpoint may take at the end


class Served:
    """A run, and its Translator once there is a checkpoint; close it.

    `load` returns a new Translator, and `newest` what it would load: something else for each checkpoint, None as long
    as there is none. The first Translator is loaded at once, and `load` may raise UserError then.
    """

    def __init__(
        self,
        run_dir: str | os.PathLike[str],
        about: About,
        load: Callable[[], Translator],
        newest: Callable[[], Hashable | None] = lambda: 0,
    ) -> None:
        self.run_dir, self.about, self._load, self._newest = run_dir, about, load, newest
        self._translating = threading.Lock()
        self._told = ""
        self._loaded = newest()
        self._translator = load() if self._loaded is not None else None

    @property
    def path(self) -> pathlib.Path:
        """The run folder."""
        return pathlib.Path(self.run_dir)

    @property
    def step(self) -> int | None:
        """The step of the checkpoint that translates; None if there is none yet."""
        translator = self._translator
        return translator.step if translator else None

    @contextlib.contextmanager
    def translating(self) -> Iterator[Translator]:
        """The Translator, which is not closed before the block ends; raises Refused if there is no checkpoint yet."""
        with self._translating:
            if self._translator is None:
                raise Refused(503, "This run has no checkpoint yet. Try again when its training has saved one.")
            yield self._translator

    def renew(self) -> bool:
        """Loads the newest checkpoint if it is another one; returns whether it did.

        If it cannot be loaded, a warning is logged, and the previous one stays. Call it from one thread.
        """
        try:
            newest = self._newest()
            if newest is None or newest == self._loaded:
                return False
            self._loaded = newest  # a damaged checkpoint is tried once
            translator = self._load()
        except (UserError, OSError) as error:
            self._tell_once(in_one_line(str(error)))
            return False
        with self._translating:
            before, self._translator = self._translator, translator
        if before:
            before.close()
        logging.info(f"Serving {self.run_dir}, step {translator.step:,}, from now on.")
        return True

    def _tell_once(self, problem: str) -> None:
        """Logs why there is no newer checkpoint, unless that was the last problem, too."""
        if problem != self._told:
            self._told = problem
            remains = "There is still no checkpoint." if self.step is None else f"Step {self.step:,} stays in use."
            logging.warning(f"warning: {problem} {remains}")

    def close(self) -> None:
        """Closes the Translator, after its current translation."""
        with self._translating:
            if self._translator:
                self._translator.close()


def warmed(translator: Translator, sides: tuple[int, int]) -> Translator:
    """Returns a Translator after a first translation in each direction of (height, width), which takes seconds."""
    for name in translator.dual.directions:
        source = translator.source(name)
        translator(name, np.zeros([*sides, source.channels], source.dtype))
    return translator


def saved_run(run_dir: str | os.PathLike[str]) -> SavedRun:
    """Returns the SavedRun of a run that is trained, or whose training has no checkpoint yet.

    Raises UserError if there is neither.
    """
    checkpoints = pathlib.Path(run_dir, "checkpoints")
    is_young = config_path(run_dir).exists() and not checkpoints.exists()  # an empty folder was copied in part
    return load_run(run_dir) if is_young else load_trained(run_dir)


def newest(run_dir: str | os.PathLike[str], which: str) -> int | None:
    """Returns the step that `which` names now: latest, best or a step; -1 if there are only others, None if none."""
    if not has_begun(run_dir):
        return None
    if which in ("latest", "all"):  # a Translator refuses all
        return newest_step(run_dir)
    step = best_step(run_dir) if which == "best" else int(which)
    steps = [step_of(checkpoint) for checkpoint in checkpoints_in(pathlib.Path(run_dir, "checkpoints"))]
    return step if step in steps else -1


class Watch:
    """A thread that renews runs as they are trained; close it."""

    def __init__(self, runs: Sequence[Served]) -> None:
        self._runs, self._ended = runs, threading.Event()
        self._thread = threading.Thread(target=self._watch, name="checkpoints", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the thread, after the checkpoint that it loads."""
        self._ended.set()
        self._thread.join(ENDING)

    def _watch(self) -> None:
        while not self._ended.wait(LOOK):
            for run in self._runs:
                try:
                    run.renew()
                except Exception:
                    logging.exception("A newer checkpoint could not be loaded.")
