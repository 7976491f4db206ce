"""A page of `hil watch` that nobody looks at: its events are read as a browser would."""

from __future__ import annotations

import contextlib
import importlib.util
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

from benchmarks.soak_kills import HIL

__all__ = ["Page", "opened"]


class Page:
    """What an open page has been told.

    Args:
        process: of `hil watch`; None where there is none.

    Attributes:
        pid: of it.
    """

    def __init__(self, process: subprocess.Popen[str] | None) -> None:
        self.pid = process.pid if process is not None else None
        self._updates, self._why = 0, "" if process is not None else "not part of this hil"
        if process is not None and process.stdout is not None:
            line = process.stdout.readline()
            self._url = next((word for word in line.split() if word.startswith("http")), "")
            if not self._url:
                self._why = f"it did not start: {line.strip()}"
            threading.Thread(target=self._read, daemon=True).start()

    def told(self) -> str:
        """Updates so far, or why there are none."""
        return self._why or f"{self._updates} updates"

    def _read(self) -> None:
        try:
            with build_opener(ProxyHandler({})).open(f"{self._url.rstrip('/')}/events", timeout=60) as stream:
                for line in stream:
                    self._updates += line.startswith(b"event: update")
        except (OSError, ValueError) as err:
            self._why = self._why or f"{self._updates} updates, then {type(err).__name__}: {err}"


@contextlib.contextmanager
def opened(run: Path) -> Iterator[Page]:
    """`hil watch` of a run's folder with one page open, ended afterwards."""
    if importlib.util.find_spec("hil.watch") is None:
        yield Page(None)
        return
    command = [*HIL, "watch", str(run), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield Page(process)
        finally:
            process.send_signal(signal.SIGINT)
