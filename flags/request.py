"""Request: a parsed command line, as settings."""

from __future__ import annotations

import pathlib
from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from absl import flags

from common.dual import Dual
from common.errors import UserError
from common.images import Images, folders
from common.run import Run
from common.run.folder import has_begun, load_run
from common.train import warm_start
from common.translate import Inference, TiledTranslator, Translator
from common.translate.jobs import Translation
from common.weights import pretrained, shipped
from flags import fields, quiet, written
from flags.program import command_name, model_name

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Part = TypeVar("Part", bound=DataclassInstance)
ALIASES = {"dataset_name": "dataset", "epoch": "epochs"}  # permanent aliases; renamed settings: see former_names


class Parts(NamedTuple):
    """The settings of a training."""

    dual: Dual
    images: Images
    run: Run


class Request(NamedTuple):
    """A command line of a method."""

    model: type[Dual]
    values: flags.FlagValues  # of all flags
    given: frozenset[str]  # names of the flags on the command line, without those of a preset
    stray: list[str]  # arguments that are not flags
    argv: list[str]  # the command line itself

    @property
    def program(self) -> str:
        """Returns the beginning of a command of this method."""
        return command_name(self.model, self.argv)

    def read(self, cls: type[Part]) -> Part:
        """Builds the settings of a class from the flags; raises UserError if they contradict each other."""
        return fields.read(cls, self.values)

    def parts(self) -> Parts:
        """Returns the settings of the run folder, changed by the given flags; for a new run, all from the flags."""
        values = self.values
        if not values.run_dir:
            values["run_dir"].value = self.default_run_dir()
        if not has_begun(values.run_dir):
            return self._new_parts()
        saved = load_run(values.run_dir)
        if not isinstance(saved.dual, self.model):
            method = type(saved.dual)
            raise UserError(
                f"{values.run_dir} holds a run of {method.__name__}, not of {self.model.__name__}. Use"
                f" {command_name(method, self.argv)} to resume it. Or start a new run in a new --run_dir."
            )
        names = set(_with_length(self.given)) | {"run_dir"}
        names |= {"dir_A", "dir_B"} if "dataset" in self.given else set()  # a dataset takes the place of folders
        names |= {"dataset"} if {"dir_A", "dir_B"} & self.given else set()  # and folders that of a dataset
        return Parts(
            fields.amend(saved.dual, values, names),
            fields.amend(saved.images, values, names),
            fields.amend(saved.run, values, names),
        )

    def _new_parts(self) -> Parts:
        images, run = self._new_images(), self.read(Run)
        like = warm_start.dual_like(run.init_from, self.model) if run.init_from else None
        dual = fields.amend(like, self.values, present(self.values)) if like else self.read(self.model)
        dual.refuse_training()
        run.refuse_misfit(dual)
        return Parts(dual, images, run)

    def _new_images(self) -> Images:
        """Returns the images of a new run; raises UserError if there are none, which may mean a misspelt run folder."""
        values = self.values
        try:
            return self.read(Images)
        except UserError as error:
            if values.dataset or values.dir_A or values.dir_B:
                raise
            raise UserError(f"There is no run in {values.run_dir} to resume. For a new run: {error}") from error

    def default_run_dir(self) -> str:
        """Returns the run folder named after the method and the dataset."""
        values = self.values
        if not (values.dataset or values.dir_A or values.dir_B):
            raise UserError(
                "No run named: use --dataset NAME (toy needs no files), --run_dir FOLDER, or --dir_A and --dir_B."
            )
        run_dir = f"runs/{model_name(self.model)}-{pathlib.Path(self.read(Images).name).name}"
        return run_dir if run_dir.isascii() else str(folders.on_disk(run_dir))

    def import_tensorflow(self) -> None:
        """Imports TensorFlow, without its messages unless --debug; takes seconds, so check first what needs none."""
        if not self.values.debug:
            quiet.import_tensorflow()

    def trained_run_dir(self) -> str:
        """Returns the folder of the trained run or of the pretrained network to use."""
        if self.values.run_dir and "dataset" in self.given:
            raise UserError("--run_dir and --dataset both name the run. Use one of them.")
        if self.values.pretrained:
            if useless := sorted({"run_dir", "dataset"} & self.given):
                raise UserError(
                    f"--pretrained {self.values.pretrained} replaces a run, but --{useless[0]} names one. Use one of"
                    " them."
                )
            shipped.find(self.values.pretrained, self.model)
            self.import_tensorflow()  # which writes the weights as a checkpoint
            return pretrained(self.values.pretrained, self.model)
        return str(self.values.run_dir or self.default_run_dir())

    def served_run_dirs(self) -> list[str]:
        """Returns the folders of the runs to serve: of each --run_dir, and those named without a flag."""
        repeated = written.repeated("run_dir", self.argv)
        if not self.stray and len(repeated) < 2:
            return [self.trained_run_dir()]
        if other := sorted({"dataset", "pretrained"} & self.given):
            raise UserError(f"--{other[0]} names one run to serve, but there are also run folders. Use one of them.")
        folders_by_path = {pathlib.Path(run_dir).resolve(): run_dir for run_dir in (*repeated, *self.stray)}
        return list(folders_by_path.values())

    def translator(
        self,
        run_dir: str,
        options: Translation | None = None,
        *,
        test_dropout: bool | None = None,
        steady: bool = False,
    ) -> Translator:
        """Returns the Translator of a run, with warnings per file; a --test_dropout flag overrides `test_dropout`."""
        threads = self.values.threads if "threads" in self.given else None
        test_dropout = self.values.test_dropout if "test_dropout" in self.given else test_dropout
        inference = self.read(Inference)
        if options is None or not options.tile:
            return Translator(
                run_dir, inference, threads=threads, test_dropout=test_dropout, warns=False, steady=steady
            )
        overlap = None if options.tile_overlap == "auto" else int(options.tile_overlap)
        return TiledTranslator(
            run_dir, options.tile, overlap, inference, threads=threads, test_dropout=test_dropout, warns=False
        )


def present(values: flags.FlagValues) -> set[str]:
    """Returns the names of the flags that are set by a preset or on the command line."""
    return {name for name in values if values[name].present}


def _with_length(names: Collection[str]) -> set[str]:
    """Adds --steps and --epochs if one is given, as a new one replaces the other one saved."""
    return {*names, "steps", "epochs"} if {"steps", "epochs"} & set(names) else set(names)
