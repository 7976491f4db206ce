"""`hil sweep --cluster slurm` through a real Slurm."""

import subprocess
import sys

import pytest

from hil.runs.sweep import load_sweep
from tests.conftest import DATASET, environment
from tests.system.slurm import NotStartedError, slurm
from tests.system.waiting import wait_for
from tests.warm import COMMAND

SWEEP = f"""
[grid]
seed = [1, 2]
[fixed]
dataset = "{DATASET}"
schemes = ["single"]
snr_db = [12.0]
tasks = 12
draws = 1
simulate = "awgn"
[cluster]
memory = "500MB"
"""


@pytest.fixture(scope="module")
def cluster():
    pytest.importorskip("dask_jobqueue", reason="the extra 'cluster' is not installed")
    try:
        with slurm() as config, pytest.MonkeyPatch.context() as patch:
            patch.setenv("SLURM_CONF", str(config))
            patch.setenv("DASK_DISTRIBUTED__DEPLOY__LOST_WORKER_TIMEOUT", "1s")
            yield config
    except NotStartedError as err:
        pytest.skip(str(err))


@pytest.fixture
def sweep(tmp_path):
    file = tmp_path / "sweep.toml"
    file.write_text(SWEEP)
    return file


@pytest.mark.slow
def test_a_cancelled_worker_is_replaced_and_results_are_those_of_local_workers(cluster, hil, sweep, tmp_path):
    """Slurm's job is cancelled, as at the end of its walltime, once the first run has begun."""
    there, here = tmp_path / "there", tmp_path / "here"
    job = load_sweep(sweep, there)[1][0]
    command = ["sweep", sweep, "--cluster", "slurm", "--slurm", "interface=lo", "--workers", "1", "--out", there]
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, *command],
        env=environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    wait_for(job.folder / "log.txt", process)
    cancelled = subprocess.run(
        ["squeue", "--noheader", "--format=%A"], capture_output=True, text=True, check=True
    ).stdout.split()
    subprocess.run(["scancel", *cancelled], check=True)
    local = hil("sweep", sweep, "--workers", 2, "--out", here)
    assert local.returncode == 0, local.stderr
    words = process.communicate(timeout=120)[0]
    assert process.returncode == 0, words
    assert "workers: slurm" in words
    assert (there / "results.csv").read_text() == (here / "results.csv").read_text()
    assert (here / "results.csv").read_text().count("\n") > 2
    assert len(list((there / "workers").glob("*.err"))) > len(cancelled) > 0
    left = subprocess.run(["squeue", "--noheader", "--states=PENDING,RUNNING"], capture_output=True, text=True, check=True)
    assert not left.stdout


def test_what_slurm_does_not_take_is_told(cluster, hil, sweep, tmp_path):
    refused = hil("sweep", sweep, "--cluster", "slurm", "--slurm", "queue=nowhere", "--out", tmp_path / "out")
    assert refused.returncode == 1
    assert "-p nowhere" in refused.stderr
    assert "invalid partition specified: nowhere" in refused.stderr.replace("\n", " ")
    assert "Traceback" not in refused.stderr
