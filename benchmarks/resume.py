"""A run that is killed again and again: does it come to the results of one that nobody disturbed, and what did that cost?"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.rows import Row, row
from hil.captures import Capture, FrameKind, verify
from hil.errors import HilError

KILLS = 20
ARGUMENTS = (
    "--snr",
    "0,6,12",
    "--tasks",
    "240",
    "--distinct-tasks",
    "96",
    "--tasks-per-frame",
    "4",
    "--draws",
    "2",
    "--repeat",
    "2",
)
HIL = (sys.executable, "-c", "from hil.cli.main import main; main()", "run")


def rows(quick: bool) -> tuple[list[Row], dict[str, Any]]:
    """One row: kills, exchanges, what differs; no peers."""
    kills = 3 if quick else KILLS
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        begin = time.monotonic()
        subprocess.run([*HIL, *ARGUMENTS, "--out", out, "--name", "whole"], check=True, capture_output=True)
        undisturbed = time.monotonic() - begin
        wanted = _exchanges(out / "whole" / "capture.h5")
        begin = time.monotonic()
        states = _killed(out, kills, len(wanted))
        seconds = time.monotonic() - begin
        found = _exchanges(out / "killed" / "capture.h5")
        whole, killed = (json.loads((out / name / "results.json").read_text()) for name in ("whole", "killed"))
        with Capture.open(out / "killed" / "capture.h5") as capture:
            looks = int((capture.ledger()["kind"] == FrameKind.CALIBRATION).sum())
        differ = sum(a != b for a, b in zip(found, wanted, strict=False)) + abs(len(found) - len(wanted))
        made = row(
            f"{kills} SIGKILLs of one run: exchanges that differ", differ, "exchanges", better="lower", target=0, kills=kills,
            states=states, exchanges=len(found), points_equal=killed["points"] == whole["points"],
            keys_that_differ=sorted(key for key in whole if killed.get(key) != whole[key]), looks=looks,
            capture="ok" if verify(out / "killed" / "capture.h5").ok else "damaged", undisturbed_s=round(undisturbed, 1),
            killed_s=round(seconds, 1),
        )  # fmt: skip
    return [made], {}


def _killed(out: Path, kills: int, exchanges: int) -> dict[str, int]:
    """Run, kill and resume; in which states it was killed."""
    draw, done, last = random.Random(20), 0, -1
    states: dict[str, int] = {}
    command = [*HIL, *ARGUMENTS, "--out", str(out), "--name", "killed"]
    while True:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if done == kills:
            if process.wait() or process.stderr is None:
                raise RuntimeError(process.communicate()[1].decode()[-2000:])
            return states
        aim = exchanges * (done + draw.random()) / kills
        _wait(out / "killed" / "capture.h5", process, aim, draw)
        process.send_signal(signal.SIGKILL)
        words = process.communicate()[1].decode()
        if process.returncode != -signal.SIGKILL:
            raise RuntimeError(f"it ended before it was killed: {words[-2000:]}")
        count = _count(out / "killed" / "capture.h5")
        state = "before its capture" if count < 0 else "on the way to its record's end" if count == last else "on the air"
        states[state], last, done = states.get(state, 0) + 1, count, done + 1
        command = [*HIL, "--resume", "killed", "--out", str(out)]


def _wait(capture: Path, process: subprocess.Popen[bytes], aim: float, draw: random.Random) -> None:
    """Until so many exchanges are committed, or, one time in four, for less than that takes."""
    impatient = time.monotonic() + (draw.uniform(0.5, 6) if draw.random() < 0.25 else 600)
    while process.poll() is None and time.monotonic() < impatient and _count(capture) < aim:
        time.sleep(0.02)


def _count(capture: Path) -> int:
    try:
        with Capture.open(capture) as opened:
            return opened.counts["exchanges"]
    except HilError:
        return -1


def _exchanges(path: Path) -> list[Any]:
    with Capture.open(path) as capture:
        return [
            (
                one.point,
                one.kind,
                one.frame_numbers.tolist(),
                {name: (b.start, b.crc32, len(b.samples)) for name, b in one.heard.items()},
            )
            for one in capture.exchanges()
            if one.kind != FrameKind.CALIBRATION
        ]
