"""Short runs that are killed: what a reader saw committed just before must be there after, and the capture must verify."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.rows import Row, row
from hil.captures import Capture, verify
from hil.errors import HilError

__all__ = ["COMMON", "HIL", "committed", "killed", "verified"]

HIL = (sys.executable, "-c", "from hil.cli.main import main; main()")
COMMON = ("--schemes", "single", "--dataset", "synthetic:identities=12", "--distinct-tasks", "96", "--draws", "1")
SHORT = ("--snr", "6,12", "--tasks", "480", "--tasks-per-frame", "12")
BURSTS = 80
"""Kills are aimed at the first so many; a short run has its 80 frames and the soundings before."""
PATIENCE_S = 120.0


def killed(bench: Path, kills: int) -> Row:
    """Kill so many runs over a bench, one after the other, each at a random burst or, one in four, after a random time."""
    draw, states, problems, bursts = random.Random(200), Counter[str](), list[str](), 0
    for number in range(kills):
        folder = bench.parent / f"kill{number}"
        words, seen = _kill(bench, folder, draw)
        bursts += len(seen)
        found = committed(folder / "capture.h5")
        states["ended before it was killed" if words else "on the air" if len(found) else "before its first burst"] += 1
        if words:
            problems.append(f"{number}: {words}")
        elif not np.array_equal(found[: len(seen)], seen):
            problems.append(f"{number}: of {len(seen)} bursts that were committed {len(found)} are there, or they differ")
        elif len(found) and (state := verified(folder / "capture.h5")) != "ok":
            problems.append(f"{number}: {state}")
    return row(
        f"{kills} SIGKILLs of short runs: captures that lack a committed burst or do not verify", len(problems), "captures",
        better="lower", target=0, kills=kills, states=dict(states), bursts_seen=bursts, problems=problems[:10],
    )  # fmt: skip


def _kill(bench: Path, folder: Path, draw: random.Random) -> tuple[str, NDArray[Any]]:
    """One run; its last words if it ended by itself, else none, and the burst table as last seen before the kill."""
    command = [*HIL, "run", str(bench), *COMMON, *SHORT, "--out", str(folder.parent), "--name", folder.name]
    aim, begun = draw.randint(1, BURSTS), time.monotonic()
    patience = draw.uniform(0.5, 8) if draw.random() < 0.25 else PATIENCE_S
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as run:
        seen = committed(folder / "capture.h5")
        while run.poll() is None and len(seen) < aim and time.monotonic() - begun < patience:
            time.sleep(draw.uniform(0.01, 0.05))
            seen = committed(folder / "capture.h5")
        run.send_signal(signal.SIGKILL)
        words = run.communicate()[1].decode(errors="replace")
    return ("" if run.returncode == -signal.SIGKILL else f"exit code {run.returncode}: {words[-300:]}"), seen


def committed(path: Path) -> NDArray[Any]:
    """Rows of a capture's bursts, checksums included; empty where there is no capture yet."""
    try:
        with Capture.open(path) as capture:
            return capture.burst_table()
    except HilError:
        return np.empty(0)


def verified(path: Path) -> str:
    """``ok``, or what is wrong with a capture."""
    try:
        report = verify(path)
    except HilError as err:
        return str(err)
    return "ok" if report.ok else "; ".join(map(str, report.problems))[:300]
