"""A Slurm cluster on this machine, whose nodes are network namespaces: needs root, and Debian's slurm-wlm and munge.

    with Slurm(folder, nodes=2) as slurm:
        job = slurm.submit("examples/cluster/train.sbatch", "--run_dir", "runs/one")
        slurm.wait(job)

The nodes are host-0, host-1, ...; the controller is the last host, where jobs are submitted.
"""

from __future__ import annotations

import os
import pathlib
import re
import secrets
import shutil
import subprocess
import sys
import time
from typing import Any

from tests.reliability import network
from tests.reliability.network import Network

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch")
ROOT = pathlib.Path(__file__).parents[2]
GPUS = 8  # of a node, made up
PATIENCE = 600.0  # seconds in which a job must end
CONFIG = """
ClusterName=tested
SlurmctldHost={controller}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
CredType=cred/munge
SlurmUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
SlurmdParameters=config_overrides
MailProg=/bin/true
ReturnToService=2
SlurmdTimeout=20
KillWait=20
MinJobAge=3600
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/completed.txt
GresTypes=gpu
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP LLN=YES
"""
COMPLETED = ("JobId", "ArrayTaskId", "Name", "JobState", "ExitCode", "StartTime", "EndTime", "NodeList")
NODE = "NodeName=host-{0} NodeAddr=10.77.0.{1} CPUs=8 RealMemory=4000 Gres=gpu:8\n"


def missing() -> str:
    """Returns why there can be no cluster here; "" if there can."""
    if reason := network.missing():
        return reason
    return ", ".join(f"{name} is missing" for name in PROGRAMS if not shutil.which(name, path=_path()))


class Slurm:
    """A controller, and nodes; see the module."""

    def __init__(self, folder: pathlib.Path, nodes: int = 2) -> None:
        self._folder, self._nodes = folder.resolve(), nodes
        self.network = Network(nodes + 1)
        self._daemons: list[subprocess.Popen[Any]] = []

    def __enter__(self) -> Slurm:
        self.network.__enter__()
        try:
            self._configure()
            self._daemon(self._nodes, "munged", "--foreground", "--force", *self._munge())
            self._until(lambda: (self._folder / "munge.sock").exists())
            self._daemon(self._nodes, "slurmctld", "-D")
            for node in range(self._nodes):
                self._daemon(node, "slurmd", "-D", "-N", f"host-{node}")
            self._until(lambda: self.run("sinfo", "-h", "-t", "idle", "-o", "%D").stdout.strip() == str(self._nodes))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        for daemon in self._daemons[::-1]:
            daemon.terminate()
        for daemon in self._daemons:
            try:
                daemon.wait(10.0)
            except subprocess.TimeoutExpired:
                daemon.kill()
        self.network.__exit__()

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Runs one of Slurm's commands on the controller's host."""
        process = self.network.start(
            self._nodes,
            command,
            env=self._environment(),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        printed = process.communicate(timeout=60.0)[0]
        return subprocess.CompletedProcess(command, process.returncode, printed)

    def submit(self, *command: str) -> str:
        """Submits a job, options of sbatch first; returns its number. What it prints is in `said`."""
        output = f"{self._folder}/job-%A-%a.log"
        ended = self.run("sbatch", "--parsable", "--output", output, "--open-mode=append", *command)
        assert ended.returncode == 0, ended.stdout
        return ended.stdout.strip()

    def state(self, job: str) -> set[str]:
        """Returns the states of a job, or of all tasks of an array."""
        return set(re.findall(r"JobState=(\w+)", self.run("scontrol", "show", "job", job).stdout))

    def wait(self, job: str, within: float = PATIENCE) -> set[str]:
        """Waits until a job has ended; returns its states, COMPLETED for one that went well."""
        unfinished = {"PENDING", "RUNNING", "COMPLETING", "REQUEUED", "CONFIGURING"}
        self._until(lambda: not self.state(job) & unfinished, within, job)
        return self.state(job)

    def wait_until_running(self, job: str, within: float = 60.0) -> None:
        """Waits until a job runs."""
        self._until(lambda: "RUNNING" in self.state(job), within, job)

    def said(self, job: str) -> str:
        """Returns what a job has printed."""
        return "".join(path.read_text(errors="replace") for path in sorted(self._folder.glob(f"job-{job}-*.log")))

    def completed(self) -> list[str]:
        """Returns the lines of Slurm's job completion log, in short: job, name, state, exit code, times, node."""
        lines = (self._folder / "completed.txt").read_text().splitlines()
        parts = [dict(part.split("=", 1) for part in line.split() if "=" in part) for line in lines]
        return ["  ".join(part[name] for name in COMPLETED if name in part) for part in parts]

    def _configure(self) -> None:
        for name in ("state", *(f"spool-host-{node}" for node in range(self._nodes))):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        nodes = "".join(NODE.format(node, node + 1) for node in range(self._nodes))
        text = CONFIG.format(folder=self._folder, controller=f"host-{self._nodes}")
        (self._folder / "slurm.conf").write_text(text.replace("PartitionName", f"{nodes}PartitionName"))
        for gpu in range(GPUS):
            (self._folder / f"gpu{gpu}").touch()
        (self._folder / "gres.conf").write_text(f"Name=gpu File={self._folder}/gpu[0-{GPUS - 1}]\n")
        key = self._folder / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o600)

    def _munge(self) -> list[str]:
        files = {"key-file": "munge.key", "socket": "munge.sock", "pid-file": "munged.pid", "seed-file": "munge.seed"}
        return [f"--{option}={self._folder / name}" for option, name in files.items()]

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PATH": f"{pathlib.Path(sys.executable).parent}{os.pathsep}{_path()}",
            "SLURM_CONF": f"{self._folder}/slurm.conf",
            "PYTHONPATH": str(ROOT),
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }

    def _daemon(self, host: int, *command: str) -> None:
        with open(self._folder / "daemons.log", "ab") as log:
            self._daemons.append(
                self.network.start(host, command, env=self._environment(), cwd=ROOT, stdout=log, stderr=log)
            )

    def _until(self, is_so: Any, within: float = 60.0, job: str = "") -> None:
        until = time.monotonic() + within
        while not is_so():
            if time.monotonic() > until:
                log = (self._folder / "daemons.log").read_text(errors="replace")
                raise TimeoutError(f"{self.run('scontrol', 'show', 'job', job).stdout}{self.said(job)}{log}"[-4000:])
            time.sleep(0.2)


def _path() -> str:
    """Where programs are looked for; the daemons are in sbin."""
    return f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin{os.pathsep}/sbin"
