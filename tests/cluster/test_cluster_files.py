"""The files of examples/cluster: shells and YAML that read, and commands whose flags are flags."""

import pathlib
import re
import shlex
import shutil
import subprocess

import pytest

from common.cluster import Cluster
from common.evaluate import Evaluation
from common.translate.jobs import Translation
from cyclegan import CycleGAN
from flags import settings as flag_settings
from flags.parsing import parse

FOLDER = pathlib.Path(__file__).parents[2] / "examples" / "cluster"
FILES = sorted(FOLDER.iterdir())
VALUES = {
    '"$WORKERS"': "a:1,b:2",
    '"$SLURM_PROCID"': "1",
    '"$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT"': "2/4",
    '"$JOB_COMPLETION_INDEX"': "3",
    '"$((JOB_COMPLETION_INDEX + 1))/16"': "2/16",
    '"$((JOB_COMPLETION_INDEX + 1))/8"': "2/8",
    '"${shard[@]}"': "--shard 2/4",
    '"$@"': "",
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_its_commands_are_those_of_the_program(path):
    """Each is taken apart as --phase says, with values in the place of the scheduler's variables."""
    text = path.read_text().replace("\\\n", " ")
    for variable, value in VALUES.items():
        text = text.replace(variable, value)
    if path.suffix == ".yaml":
        text = re.sub(r"\n {14}(?=\S)", " ", text)
    commands = re.findall(r"python -m cyclegan\.main ([^\n']*)", text)
    assert commands
    for command in commands:
        asked = parse(CycleGAN, ["main", *shlex.split(command)])
        assert asked.stray == []
        for part in (Cluster, Evaluation, Translation):
            flag_settings.read(part, asked.values)
        flag_settings.read(Cluster, asked.values).place()
        assert asked.values.phase in path.name or path.name == "merge.yaml"


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".sbatch"], ids=lambda path: path.name)
def test_bash_reads_it(path):
    assert subprocess.run(["bash", "-n", path]).returncode == 0
    if shutil.which("shellcheck"):
        found = subprocess.run(["shellcheck", path], capture_output=True, text=True)
        assert found.returncode == 0, found.stdout


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".yaml"], ids=lambda path: path.name)
def test_it_is_valid_for_kubernetes(path):
    """By the schemas of Kubernetes, where they are installed."""
    yaml = pytest.importorskip("yaml")
    kubernetes = pytest.importorskip("kubernetes_validate")
    for each in yaml.safe_load_all(path.read_text()):
        kubernetes.validate(each, kubernetes.latest_version(), strict=True)
