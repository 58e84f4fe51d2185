"""The files of examples/cluster: valid shell and YAML, with commands whose flags exist."""

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
from flags import fields
from flags.parsing import parse
from flags.phases import PHASES

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
def test_commands_have_valid_flags(path):
    """Each is parsed for its --phase, with values in place of the scheduler's variables."""
    text = path.read_text().replace("\\\n", " ")
    for variable, value in VALUES.items():
        text = text.replace(variable, value)
    if path.suffix == ".yaml":
        text = re.sub(r"\n {14}(?=\S)", " ", text)
    commands = re.findall(r"python -m cyclegan\.main ([^\n']*)", text)
    assert commands
    for command in commands:
        command_line = parse(CycleGAN, ["main", *shlex.split(command)])
        assert command_line.stray == []
        for part in {Cluster, Evaluation, Translation} & set(PHASES[command_line.values.phase].parts):
            settings = fields.read(part, command_line.values)
            if part is Cluster:
                settings.place()
        assert command_line.values.phase in path.name or path.name == "merge.yaml"


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".sbatch"], ids=lambda path: path.name)
def test_bash_can_parse_it(path):
    assert subprocess.run(["bash", "-n", path]).returncode == 0
    if shutil.which("shellcheck"):
        result = subprocess.run(["shellcheck", path], capture_output=True, text=True)
        assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".yaml"], ids=lambda path: path.name)
def test_it_is_valid_for_the_three_newest_versions_of_kubernetes(path):
    """By the schemas of Kubernetes, if they are installed."""
    yaml = pytest.importorskip("yaml")
    kubernetes = pytest.importorskip("kubernetes_validate")
    newest = int(kubernetes.latest_version().split(".")[1])
    manifests = list(yaml.safe_load_all(path.read_text()))
    assert manifests
    for minor in range(newest - 2, newest + 1):
        for manifest in manifests:
            kubernetes.validate(manifest, f"1.{minor}", strict=True)
