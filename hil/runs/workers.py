"""Who does the jobs of a sweep: processes here, or workers of dask.distributed. A worker that is lost costs its job once."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from hil.errors import HilError
from hil.files import replace_file
from hil.runs.clusters import connected
from hil.runs.sweep import Job

__all__ = ["Ended", "execute", "locally", "on_cluster"]

ATTEMPTS = 4
"""A job is tried again where its process was killed, as it may have been for memory; not where it says what is wrong."""
PROGRAM = """
import ctypes, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL: no job goes on without the worker that waits for it
from hil.cli.main import main
main()
"""

Ended = tuple[Job, str]
"""A job, and why it failed; empty: it is done."""


def execute(job: Job, program: str = PROGRAM, running: set[subprocess.Popen[bytes]] | None = None) -> str:
    """Do a job by a Python program in a process of its own, its words in ``log.txt``; why it failed, or nothing.

    Args:
        job: with its folder made.
        program: given the job's arguments.
        running: holds the process while it runs.
    """
    held = running if running is not None else set()
    if job.done:
        return ""
    for attempt in range(1, ATTEMPTS + 1):
        shutil.rmtree(job.folder / "result", ignore_errors=True)  # what a killed attempt left
        begun = time.monotonic()
        with (job.folder / "log.txt").open("ab") as log:
            command = [sys.executable, "-c", program, *job.arguments]
            with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log) as done:
                held.add(done)
                done.wait()
                held.discard(done)
        if done.returncode == 0:
            record = {"arguments": job.arguments, "attempts": attempt, "seconds": round(time.monotonic() - begun, 3)}
            replace_file(job.folder / "done.json", json.dumps(record).encode())
            return ""
        if done.returncode != -signal.SIGKILL:
            break
    last = _last_line(job.folder / "log.txt")
    if done.returncode == -signal.SIGKILL:
        return f"its process was killed {ATTEMPTS} times, as for want of memory; it said last: {last or 'nothing'}"
    return last or f"ended with exit code {done.returncode}"


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1].removeprefix("hil: error: ") if lines else ""


def locally(jobs: Sequence[Job], workers: int, program: str = PROGRAM) -> Iterator[Ended]:
    """Do jobs in so many processes at a time; each as it ends. Where this is stopped, they are asked to end, too."""
    pool, running = ThreadPoolExecutor(workers), set[subprocess.Popen[bytes]]()
    try:
        waiting = {pool.submit(execute, job, program, running): job for job in jobs}
        for one in as_completed(waiting):
            yield waiting[one], one.result()
    finally:
        for process in list(running):
            process.terminate()
        pool.shutdown(wait=True, cancel_futures=True)


def on_cluster(
    jobs: Sequence[Job],
    cluster: str,
    workers: int,
    options: dict[str, Any],
    say: Callable[[str], None],
    program: str = PROGRAM,
) -> Iterator[Ended]:
    """The same through dask.distributed; job folders must be seen from every worker by the same path.

    Args:
        jobs: with their folders made.
        cluster: ``local``, ``slurm``, or the address of a scheduler.
        workers: to start; of a scheduler's address, those that are there.
        options: of SLURMCluster.
        say: told where the dashboard is.
        program: that a job's process runs.

    Raises:
        DriverMissingError: no dask, or no Slurm. ConfigError: Slurm does not take the jobs, or no scheduler is at the address.
    """
    if not jobs:
        return
    count, folder = min(workers, len(jobs)), jobs[0].folder.parent
    with connected(cluster, count, options, folder, say, losses=ATTEMPTS - 1) as (client, distributed):
        waiting = {client.submit(execute, job, program, key=job.folder.name, pure=False): job for job in jobs}
        for one in distributed.as_completed(list(waiting)):
            try:
                yield waiting[one], one.result()
            except (HilError, KeyboardInterrupt):
                raise
            except Exception as err:  # KilledWorker, or what a worker's own Python says
                yield waiting[one], f"{type(err).__name__}: {err}"
