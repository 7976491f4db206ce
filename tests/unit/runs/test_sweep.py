"""Sweeps: the jobs of a grid, what is left of them, their table; and workers that are lost."""

import csv
import os
import subprocess
import sys

import pytest

from hil.config import read_toml
from hil.errors import ConfigError
from hil.runs.sweep import load_sweep, prepare, write_table
from hil.runs.workers import ATTEMPTS, locally
from tests.conftest import ROOT

SWEEP = """
verb = "run"
[grid]
seed = [1, 2]
"bench.links.0.path_loss_db" = [60.0, 62.0]
[fixed]
tasks = 84
"frame.interleave" = false
"""
RESULT = """
import json, os, pathlib, sys, tomllib
arguments = dict(zip(sys.argv[2::2], sys.argv[3::2]))
folder = pathlib.Path(arguments["--out"])
once = folder.parent / "killed"
if not once.exists():
    once.touch()
    os.kill({victim}, 9)
seed = tomllib.loads(pathlib.Path(arguments["--config"]).read_text())["seed"]
if seed == 9:
    sys.exit("hil: error: no such seed")
(folder / "result").mkdir()
metric = dict(value=seed / 10, headline=True, ci=None)
(folder / "result" / "results.json").write_text(json.dumps(dict(points=[dict(scheme="one", metrics=dict(top1=metric))])))
"""
"""Stands for `hil run`, whose process (or its worker's) is killed in the first job."""


def sweep(folder, text=SWEEP):
    file = folder / "sweep.toml"
    file.write_text(text)
    return load_sweep(file, folder / "out")[1]


def table(jobs, path):
    write_table(jobs, path)
    with path.open() as file:
        return [(row["seed"], row["value"]) for row in csv.DictReader(file)]


def test_every_combination_is_a_job_with_its_settings_and_its_bench(tmp_path):
    jobs = sweep(tmp_path)
    assert [list(job.chosen.values()) for job in jobs] == [[1, 60.0], [1, 62.0], [2, 60.0], [2, 62.0]]
    for job in jobs:
        prepare(job)
    settings = read_toml(jobs[1].folder / "job.toml")
    assert settings == {
        "seed": 1, "tasks": 84, "frame": {"interleave": False}, "bench": str(jobs[1].folder / "bench.toml")
    }  # fmt: skip
    assert read_toml(jobs[1].folder / "bench.toml")["links"][0]["path_loss_db"] == 62.0
    assert jobs[1].arguments[:3] == ["run", "--config", str(jobs[1].folder / "job.toml")]
    more = sweep(tmp_path, SWEEP.replace("[1, 2]", "[3, 1, 2]"))
    assert {job.folder for job in jobs} < {job.folder for job in more}  # known again, wherever they stand in the grid


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[grid]\n", "at least one value"),
        ("[grid]\nseed = []\n", "at least one value"),
        ("[grid]\nseed = [1, 1]\n", "stands twice"),
        ("[grid]\nseed = [1]\n[fixed]\nseed = 2\n", "leave one out"),
        ('verb = "replay"\n[grid]\ndraws = [1]\n', "needs 'capture'"),
        ("[grid]\nsnr = [[0.0]]\n", "unknown key 'snr'.*did you mean 'snr_db'"),
        ('verb = "fly"\n[grid]\nseed = [1]\n', "verb"),
        (f"[grid]\nseed = {list(range(101))}\ndraws = {list(range(101))}\n", "split the grid"),
    ],
)
def test_what_is_no_sweep_is_refused(tmp_path, text, words):
    with pytest.raises(ConfigError, match=words):
        sweep(tmp_path, text)


def test_folders_of_lists_have_their_numbers(tmp_path):
    (job,) = sweep(tmp_path, "[grid]\nsnr_db = [[6.0, 9.0]]\n")
    assert job.folder.name.startswith("snr_db=6.0,9.0_")


def test_a_place_that_a_bench_has_not_is_refused(tmp_path):
    job = sweep(tmp_path, '[grid]\n"bench.links.7.path_loss_db" = [1.0]\n')[0]
    with pytest.raises(ConfigError, match=r"'bench.links.7.path_loss_db' is no place"):
        prepare(job)


def test_a_killed_job_is_done_again_and_a_failed_one_is_told(tmp_path):
    jobs = sweep(tmp_path, "[grid]\nseed = [1, 2, 9]\n")
    for job in jobs:
        prepare(job)
    program = RESULT.format(victim="os.getpid()")
    ended = {job.chosen["seed"]: why for job, why in locally(jobs, 2, program)}
    assert ended == {1: "", 2: "", 9: "no such seed"}
    assert [job.done for job in jobs] == [True, True, False]
    assert {job.attempts for job in jobs[:2]} <= {1, 2}
    assert table(jobs, tmp_path / "results.csv") == [("1", "0.1"), ("2", "0.2")]
    assert all(not why for _, why in locally(jobs[:2], 1, "raise SystemExit(1)"))  # done already
    always = sweep(tmp_path, "[grid]\nseed = [5]\n")
    prepare(always[0])
    ((_, why),) = locally(always, 1, "import os, sys; print('again', flush=True); os.kill(os.getpid(), 9)")
    assert (always[0].folder / "log.txt").read_text().count("again") == ATTEMPTS
    assert why == f"its process was killed {ATTEMPTS} times, as for want of memory; it said last: again"


def test_a_lost_worker_of_a_cluster_costs_its_job_once(tmp_path):
    """A real LocalCluster, whose worker is killed in the midst of the first job of each folder."""
    pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    jobs = sweep(tmp_path, "[grid]\nseed = [1, 2]\n")
    for job in jobs:
        prepare(job)
    (jobs[1].folder / "killed").touch()
    program = RESULT.format(victim="os.getppid()")
    code = f"""
from pathlib import Path
from hil.runs.sweep import load_sweep
from hil.runs.workers import on_cluster
if __name__ == "__main__":
    jobs = load_sweep(Path({str(tmp_path / "sweep.toml")!r}), Path({str(tmp_path / "out")!r}))[1]
    print([why for _, why in on_cluster(jobs, "local", 2, {{}}, print, {program!r})])
"""
    script = tmp_path / "sweep_on_cluster.py"
    script.write_text(code)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert done.stdout.splitlines()[-1:] == ["['', '']"], done.stderr
    assert table(jobs, tmp_path / "results.csv") == [("1", "0.1"), ("2", "0.2")]
