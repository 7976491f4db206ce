"""`hil sweep`: how well two workers share simulated runs, and whether results stay right where workers are killed.

The same sweep is done by one worker, by two, and by one again, in one session. A job process is killed three times (as by the
kernel, for memory), then a dask worker three times with its job; every result must be that of the undisturbed sweep.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.load import ForeignLoad
from benchmarks.rows import Row, row
from hil.runs.sweep import Job, load_sweep

JOBS, KILLS, TARGET = 40, 3, 0.9
MOST_FOREIGN = 0.1
"""Share of the machine that others may use before a time says nothing."""
SWEEP = """
[grid]
seed = {seeds}
[fixed]
dataset = "synthetic:identities=12"
schemes = ["single"]
snr_db = [0.0, 12.0]
tasks = 48
draws = {draws}
simulate = "awgn"
"""
HIL = (sys.executable, "-c", "from hil.cli.main import main; main()", "sweep")
OF_THE_DAY = frozenset({"started", "finished", "provenance"})
"""Keys of results.json that no two runs share."""


def rows(quick: bool) -> tuple[list[Row], dict[str, Any]]:
    """Efficiency of two workers, and runs that differ where one was killed; no peers."""
    count, draws = (4, 2) if quick else (JOBS, 20)
    with tempfile.TemporaryDirectory() as folder:
        out, file = Path(folder), Path(folder) / "sweep.toml"
        file.write_text(SWEEP.format(seeds=[1], draws=draws), encoding="utf-8")
        _sweep(file, out / "warm", 1)
        file.write_text(SWEEP.format(seeds=list(range(1, count + 1)), draws=draws), encoding="utf-8")
        made = [_efficiency(file, out, count), _killed(file, out, count, "job process", [])]
        label = f"{count} runs through dask, a worker killed {KILLS} times: runs that differ"
        if importlib.util.find_spec("distributed") is None:
            made.append(row(label, None, "runs", better="lower", target=0, note="the extra 'cluster' is not installed"))
        else:
            made.append(_killed(file, out, count, "worker", ["--cluster", "local"]))
        return made, {}


def _efficiency(file: Path, out: Path, count: int) -> Row:
    """Time of one worker over twice that of two; without a word on the target where others used the machine."""
    seconds, foreign = {}, {}
    for name, workers in (("one", 1), ("two", 2), ("one again", 1)):
        load = ForeignLoad()
        seconds[name] = _sweep(file, out / name.replace(" ", "-"), workers)
        foreign[name] = round(load.share(), 3)
    one = (seconds["one"] + seconds["one again"]) / 2
    loaded = max(foreign.values()) > MOST_FOREIGN
    more: dict[str, Any] = {"met": None, "note": "others used the machine: no efficiency"} if loaded else {}
    return row(
        f"{count} simulated runs: time of 1 worker over twice that of 2", one / (2 * seconds["two"]), "1", target=TARGET,
        seconds={name: round(value, 2) for name, value in seconds.items()}, foreign_load=foreign, cores=os.cpu_count(), **more,
    )  # fmt: skip


def _sweep(file: Path, out: Path, workers: int) -> float:
    """Seconds on the clock of a whole sweep, the command's own start included."""
    begun = time.monotonic()
    subprocess.run([*HIL, file, "--out", out, "--workers", str(workers)], check=True, capture_output=True)
    return time.monotonic() - begun


def _killed(file: Path, out: Path, count: int, victim: str, options: list[str]) -> Row:
    """Kill what does a job, or the worker whose child that is, at random moments of a sweep by two workers."""
    folder, draw = out / victim.replace(" ", "-"), random.Random(20)
    jobs = load_sweep(file, folder)[1]
    command = [*HIL, str(file), "--out", str(folder), "--workers", "2", *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        kills = []
        while len(kills) < KILLS and process.poll() is None:
            aim = count * (len(kills) + draw.random() / 2) / KILLS
            while process.poll() is None and sum(job.done for job in jobs) < int(aim):
                time.sleep(0.05)
            time.sleep(draw.uniform(0.2, 1.5))
            kills += _kill(jobs, draw, parents=victim == "worker")
        words = process.communicate()[1].decode()
    undisturbed = {job.folder.name: _results(job) for job in load_sweep(file, out / "one")[1]}
    differ = [job.folder.name for job in jobs if _results(job) != undisturbed[job.folder.name]]
    attempts = [json.loads((job.folder / "done.json").read_text())["attempts"] for job in jobs if job.done]
    how = "through dask, a worker" if victim == "worker" else "on 2 workers, a job's process"
    return row(
        f"{count} runs {how} killed {KILLS} times: runs that differ", len(differ), "runs", better="lower", target=0,
        met=not differ and len(kills) == KILLS and process.returncode == 0, kills=len(kills), killed=kills, differ=differ,
        attempts=sum(attempts), exit_code=process.returncode, **({"words": words[-500:]} if process.returncode else {}),
    )  # fmt: skip


def _kill(jobs: list[Job], draw: random.Random, *, parents: bool) -> list[str]:
    """SIGKILL to a process that does one of the jobs, or to its parent; the job's name, or nothing where none was there."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (place / "cmdline").read_bytes().decode(errors="replace").split("\0")
            found += [(int(place.name), job.folder.name) for job in jobs if str(job.folder / "job.toml") in words]
    if not found:
        return []
    pid, name = draw.choice(sorted(found))
    with contextlib.suppress(OSError):
        if parents:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(pid, signal.SIGKILL)
        return [name]
    return []


def _results(job: Job) -> dict[str, Any] | None:
    """What a run found; None where it found nothing."""
    try:
        found = json.loads((job.folder / "result" / "results.json").read_text(encoding="utf-8"))
    except OSError:
        return None
    return {key: value for key, value in found.items() if key not in OF_THE_DAY}
