"""`hil run` for an hour, and killed two hundred times: does its memory grow, is anything lost, is all there that was committed?

All over one virtual radio at 1 MS/s in SoapyRemote's protocol, served throughout by one air. The long run goes on for so many
minutes after its first frame, with a page of `hil watch` open beside it, and is then asked to end. The short ones are in
`benchmarks.soak_kills`.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.growth import slope
from benchmarks.load import ForeignLoad
from benchmarks.rows import Row, row
from benchmarks.soak_kills import COMMON, HIL, committed, killed, verified
from benchmarks.soak_page import opened
from hil.captures import Capture, FrameKind, FrameStatus
from hil.config import to_toml
from hil.errors import DriverMissingError
from hil.radios.bench import load_bench
from hil.radios.virtual.process import Served, serve
from hil.registry import DRIVERS

MINUTES, KILLS = 60.0, 200
WARM_UP = 1 / 6
"""Of the minutes, from the first frame on: caches fill, allocators find their size."""
FRAMES_A_SECOND = 20
"""More than are sent, so that the run does not end by itself; each frame needs 80 kB of disk."""
FRAMES_A_POINT, TASKS_A_FRAME, MOST_POINTS = 100, 48, 900
"""What a point receives is in memory until it is decoded, 64 kB a frame: points are short, and many."""
LOWEST_DB, HIGHEST_DB = 10.0, 14.0
BENCH = Path(__file__).parent.parent / "radios" / "virtual-soapy.toml"
GIVEN_UP = (FrameStatus.LOST, FrameStatus.LATE, FrameStatus.OVERFLOW)
MB = 1e6

Memory = dict[str, list[tuple[float, float]]]
"""Hours since the first frame, and resident bytes, of each process."""


def rows(quick: bool, minutes: float | None = None, kills: int | None = None) -> tuple[list[Row], dict[str, Any]]:
    """Growth of memory, frames lost, and bursts lost to SIGKILL; no peers."""
    minutes = minutes or (1.0 if quick else MINUTES)
    kills = kills or (3 if quick else KILLS)
    try:
        DRIVERS.load("soapy")
    except DriverMissingError as err:
        return [row(f"{minutes:g} min of hil run: growth of its memory", None, "MB/h", better="lower", note=str(err))], {}
    with serve(load_bench(BENCH)) as served, tempfile.TemporaryDirectory() as folder:
        bench = Path(folder) / "bench.toml"
        bench.write_text(to_toml(served.bench), encoding="utf-8")
        return [*_long(served, bench, minutes), killed(bench, kills)], {}


def _long(served: Served, bench: Path, minutes: float) -> list[Row]:
    """Rows of the long run."""
    frames = minutes * 60 * FRAMES_A_SECOND
    points = min(max(int(frames / FRAMES_A_POINT), 2), MOST_POINTS)
    snrs = f"{LOWEST_DB}:{HIGHEST_DB}:{(HIGHEST_DB - LOWEST_DB) / (points - 1)}"
    size = ["--tasks", str(int(frames / points) * TASKS_A_FRAME), "--tasks-per-frame", str(TASKS_A_FRAME)]
    command = [*HIL, "run", str(bench), *COMMON, "--snr", snrs, *size, "--out", str(bench.parent), "--name", "long"]
    folder, log = bench.parent / "long", bench.parent / "long.log"
    with log.open("wb") as words, subprocess.Popen(command, stdout=words, stderr=words) as run:
        try:
            _wait_for_frames(folder / "capture.h5", run, log)
            with opened(folder) as page:
                pids = {"hil run": run.pid, "the air": served.pid, **({"hil watch": page.pid} if page.pid else {})}
                load = ForeignLoad(*pids.values())
                memory = _memory(pids, run, minutes)
                more = {"foreign_load": round(load.share(), 3), "watch": page.told()}
            early = run.poll() is not None
            run.terminate()
            run.wait(600)
        finally:
            run.kill()
    more |= {"minutes": round(60 * max(time for time, _ in memory["hil run"]), 2), "exit_code": run.returncode}
    if early:
        more["note"] = f"it ended by itself: {log.read_text(encoding='utf-8', errors='replace')[-500:]}"
    return [*(_growth(name, memory[name], minutes, more) for name in pids), _lost(folder / "capture.h5", minutes, more)]


def _wait_for_frames(capture: Path, run: subprocess.Popen[bytes], log: Path) -> None:
    """Kernels are compiled and links calibrated before."""
    while not len(committed(capture)):
        if run.poll() is not None:
            raise RuntimeError(f"the run ended before its first frame: {log.read_text(encoding='utf-8')[-2000:]}")
        time.sleep(0.5)


def _memory(pids: dict[str, int], run: subprocess.Popen[bytes], minutes: float) -> Memory:
    """Every half second until the time is over, or the run."""
    found: Memory = {name: [] for name in pids}
    begun = time.monotonic()
    while (passed := time.monotonic() - begun) < 60 * minutes and run.poll() is None:
        for name, pid in pids.items():
            if (size := _resident(pid)) is not None:
                found[name].append((passed / 3600, size))
        time.sleep(0.5)
    return found


def _resident(pid: int) -> float | None:
    """Bytes of memory that a process has; None where it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    return next((1024.0 * int(line.split()[1]) for line in lines if line.startswith("VmRSS:")), None)


def _growth(name: str, samples: list[tuple[float, float]], minutes: float, more: dict[str, Any]) -> Row:
    """Met where the 95 % interval of the slope reaches down to none, of the run itself; the others are told beside."""
    warm = [(hours, size) for hours, size in samples if hours >= WARM_UP * minutes / 60]
    rise, error = slope([hours for hours, _ in warm], [size / MB for _, size in warm])
    judged = {"target": 0.0, "met": bool(rise - error <= 0)} if name == "hil run" else {}
    ends = {"first_mb": round(warm[0][1] / MB, 1), "last_mb": round(warm[-1][1] / MB, 1)} if warm else {}
    most = round(max(size for _, size in samples) / MB, 1) if samples else None
    return row(
        f"{minutes:g} min of hil run at 1 MS/s: growth of memory, {name}", rise, "MB/h", better="lower", **judged,
        error=round(error, 2), **ends, most_mb=most, **more,
    )  # fmt: skip


def _lost(path: Path, minutes: float, more: dict[str, Any]) -> Row:
    """Frames of tasks that were sent and not received whole; soundings look for a level, and the first ones may be too weak."""
    with Capture.open(path) as capture:
        ledger, events = capture.ledger(), Counter(kind.decode() for kind in capture.events()["kind"])
    ledger = ledger[ledger["kind"] == FrameKind.FRAME]
    became = Counter(FrameStatus(int(status)).name.lower() for status in ledger["status"])
    lost = int(np.isin(ledger["status"], GIVEN_UP).sum())
    return row(
        f"{minutes:g} min of hil run at 1 MS/s: frames lost", lost, "frames", better="lower", target=0, sent=len(ledger),
        became=dict(became), events=dict(events), capture=verified(path), **more,
    )  # fmt: skip
