"""Waiting for what a running command has got to, so that it is stopped there and not by the clock."""

from __future__ import annotations

import contextlib
import subprocess
import time
from pathlib import Path

from hil.captures import Capture
from hil.errors import HilError
from tests.warm import Started

__all__ = ["wait_for", "wait_for_bursts"]


def wait_for(path: Path, process: subprocess.Popen[str] | Started, seconds: float = 60) -> None:
    """Until a file is there, or the process has ended."""
    deadline = time.monotonic() + seconds
    while not path.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)


def wait_for_bursts(path: Path, process: subprocess.Popen[str] | Started, count: int) -> None:
    """Until a capture that is being written holds so many bursts."""
    wait_for(path, process)
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(HilError), Capture.open(path) as capture:
            if capture.committed["bursts"] >= count:
                return
        time.sleep(0.05)
