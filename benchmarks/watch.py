"""`hil watch`: updates a second, what they cost, and what a run has of it that goes on beside."""

from __future__ import annotations

import json
import math
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import numpy as np

from benchmarks.rows import Row, row
from hil.captures import Capture
from hil.watch.frames import POINTS
from hil.watch.measure import BINS

if TYPE_CHECKING:
    from collections.abc import Iterator

HIL = (sys.executable, "-c", "from hil.cli.main import main; main()")
TASKS = ("--distinct-tasks", "96", "--tasks-per-frame", "24", "--draws", "2", "--schemes", "noma")
WARM_S = 2.0
"""After a page's first frame of a scheme, for which kernels are loaded."""
TICK = os.sysconf("SC_CLK_TCK")


def rows(quick: bool) -> tuple[list[Row], dict[str, Any]]:
    """Rows for a capture that is played, and for a run with and without a page beside; no peers."""
    rounds, tasks = (1, "2400") if quick else (2, "9600")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        alone, beside, pages = [], [], []
        for number in range(rounds):
            alone.append(_run(out, f"alone{number}", tasks))
            cpu, page = _watched(out, f"watched{number}", tasks)
            beside.append(cpu)
            pages.append(page)
        differ = sum(not _same(out / f"alone{number}", out / f"watched{number}") for number in range(rounds))
        played = _played(out / "alone0" / "capture.h5", 5.0 if quick else 20.0)
    live = {key: float(np.median([page[key] for page in pages])) for key in ("rate", "share", "bursts")}
    ratio = float(np.median(beside) / np.median(alone))
    more = {"points": POINTS, "bins": BINS}
    return [
        row("updates over a capture", played["rate"], "1/s", better="higher", target=10, **more),
        row("CPU of hil watch over a capture", 100 * played["share"], "% of a core", better="lower", **more),
        row("updates beside a run", live["rate"], "1/s", better="higher", target=10, of=[one["rate"] for one in pages],
            bursts_per_s=live["bursts"], **more),
        row("CPU of hil watch beside a run", 100 * live["share"], "% of a core", better="lower", target=5,
            of=[100 * page["share"] for page in pages], **more),
        row("CPU of a run with hil watch beside, over without", 100 * (ratio - 1), "%", better="lower", target=5,
            alone_s=alone, beside_s=beside),
        row("runs of which a burst differs with hil watch beside", differ, "runs", better="lower", target=0, runs=rounds),
    ], {}  # fmt: skip


def _run(out: Path, name: str, tasks: str) -> float:
    """CPU seconds of a run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(_command(out, name, tasks), check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _command(out: Path, name: str, tasks: str) -> list[str]:
    return [*HIL, "run", "--snr", "0,6,12", "--tasks", tasks, *TASKS, "--out", str(out), "--name", name]


def _watched(out: Path, name: str, tasks: str) -> tuple[float, dict[str, float]]:
    """CPU seconds of a run with a page beside, and what that page got."""
    with subprocess.Popen(_command(out, name, tasks), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        while not (out / name / "run.toml").exists() and run.poll() is None:
            time.sleep(0.02)
        with _watch(out / name) as (pid, url):
            found: dict[str, float] = {}
            page = threading.Thread(target=lambda: found.update(_page(pid, url, "", None)))
            page.start()
            _, status, used = os.wait4(run.pid, 0)
            run.returncode = os.waitstatus_to_exitcode(status)
            page.join()
    if run.returncode:
        raise RuntimeError(f"the run ended with {run.returncode}")
    return used.ru_utime + used.ru_stime, found


def _played(capture: Path, seconds: float) -> dict[str, float]:
    with _watch(capture) as (pid, url):
        return _page(pid, url, "?at=0&rate=12", seconds)


@contextmanager
def _watch(target: Path) -> Iterator[tuple[int, str]]:
    """`hil watch` of a target: its process, and its address."""
    with subprocess.Popen([*HIL, "watch", str(target), "--port", "0"], stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout is not None else ""
            yield process.pid, line.split(": ")[1].split(" (")[0]
        finally:
            process.send_signal(signal.SIGINT)


def _page(pid: int, url: str, query: str, seconds: float | None) -> dict[str, float]:
    """Updates a second, the process's share of a core meanwhile, and the bursts a second that there were to be shown.

    Until the run ends, or for so long.
    """
    begun: tuple[float, float, int] | None = None
    first, count, last = 0.0, 0, (0.0, 0.0, 0)
    with urlopen(f"{url}events{query}", timeout=120) as stream:
        while True:
            name, data = stream.readline().decode().strip(), stream.readline().decode().strip()
            stream.readline()
            if name != "event: update":
                continue
            update = json.loads(data.removeprefix("data: "))
            now = time.monotonic()
            if update["state"] == "ended" or (begun is not None and seconds is not None and now - begun[0] > seconds):
                break
            first = first or (now if update.get("kind") == "frame" else 0.0)
            if begun is None and first and now - first > WARM_S:
                begun = now, _cpu(pid), update["bursts"]
            elif begun is not None:
                count, last = count + 1, (now, _cpu(pid), update["bursts"])
    if begun is None or count < 2:
        return dict.fromkeys(("rate", "share", "bursts"), math.nan)  # it ended before anything could be measured
    wall = last[0] - begun[0]
    return {"rate": count / wall, "share": (last[1] - begun[1]) / wall, "bursts": (last[2] - begun[2]) / wall}


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def _same(one: Path, other: Path) -> bool:
    """Whether two runs received the same samples at the same times."""
    with Capture.open(one / "capture.h5") as a, Capture.open(other / "capture.h5") as b:
        return bool(np.array_equal(a.burst_table(), b.burst_table()))  # with the checksum of every burst's samples
