"""A Slurm of one node on loopback, from Debian's slurm-wlm and munge: own ports, key and folders, ended by process id."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["NotStartedError", "slurm"]

PROGRAMS = {"munged": "munge", "slurmctld": "slurm-wlm", "slurmd": "slurm-wlm", "sbatch": "slurm-wlm"}
MUNGE_FILES = ("socket", "key-file", "pid-file", "log-file", "seed-file")
PATIENCE_S = 20.0
SETTINGS = """
ClusterName=hil
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
MpiDefault=none
KillWait=5
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory=2048
PartitionName=bench Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


class NotStartedError(Exception):
    """Why there is no Slurm."""


@contextlib.contextmanager
def slurm() -> Iterator[Path]:
    """Its slurm.conf, for SLURM_CONF, while it runs.

    Raises:
        NotStartedError: a package is missing, or a daemon does not come up.
    """
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    missing = sorted({package for program, package in PROGRAMS.items() if not shutil.which(program, path=path)})
    if missing:
        raise NotStartedError(f"Debian's packages {' and '.join(missing)} are not installed")
    with tempfile.TemporaryDirectory(prefix="slurm-") as name, contextlib.ExitStack() as running:  # paths of sockets are short
        folder = Path(name)
        config = _configured(folder)
        environment = os.environ | {"PATH": path, "SLURM_CONF": str(config)}
        munge = ["--foreground", "--force", *(f"--{key}={folder}/munge.{key.partition('-')[0]}" for key in MUNGE_FILES)]
        munged = _start(running, folder, environment, ["munged", *munge])
        _until(lambda: (folder / "munge.socket").exists(), munged, folder)
        controller = _start(running, folder, environment, ["slurmctld", "-D", "-f", str(config)])
        node = _start(running, folder, environment, ["slurmd", "-D", "-f", str(config)])
        running.callback(subprocess.run, ["scancel", "--user", getpass.getuser()], env=environment, check=False, timeout=20)
        _until(lambda: _asked(environment, "sinfo", "--noheader", "--format=%t") == "idle", controller, folder, node)
        yield config


def _configured(folder: Path) -> Path:
    for made in ("state", "spool"):
        (folder / made).mkdir()
    key = folder / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(os.urandom(128))
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        controller, node = one.getsockname()[1], other.getsockname()[1]
    host, cores = socket.gethostname().partition(".")[0], os.cpu_count() or 1
    text = SETTINGS.format(folder=folder, host=host, controller=controller, node=node, user=getpass.getuser(), cores=cores)
    config = folder / "slurm.conf"
    config.write_text(text)
    return config


def _start(
    running: contextlib.ExitStack, folder: Path, environment: dict[str, str], command: list[str]
) -> subprocess.Popen[bytes]:
    """A daemon that stays ours, its words in a file of its name."""
    with (folder / f"{command[0]}.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
    running.callback(_end, process)
    return process


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _asked(environment: dict[str, str], *command: str) -> str:
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=20).stdout.strip()


def _until(ready: Callable[[], bool], first: subprocess.Popen[bytes], folder: Path, *others: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not ready():
        ended = [process for process in (first, *others) if process.poll() is not None]
        if ended or time.monotonic() > deadline:
            words = [line for log in sorted(folder.glob("*.log")) for line in log.read_text(errors="replace").splitlines()[-2:]]
            raise NotStartedError(f"Slurm did not start within {PATIENCE_S:g} s: {' | '.join(words)}")
        time.sleep(0.1)
