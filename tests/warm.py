"""`hil` in a process of its own without importing everything anew: each is forked from one that has imported it all.

Starting Python, torch and matplotlib takes two seconds of CPU, hundreds of times in the suite. What runs is the same `main` on
the same arguments, in a process with its own folder, output and exit code. A call whose environment differs from the first
one's, or that is made while another runs, gets a process from scratch; so do the tests of starting, stopping and importing.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["COMMAND", "Warm"]

COMMAND = "from hil.cli.main import main; main()"
IGNORED = {"PYTEST_CURRENT_TEST"}
"""Of the environment; nothing reads it."""


class Warm:
    """Forks `hil` from a process that has imported it.

    Args:
        environment: of the process, and of every call that is to be forked from it.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = _compared(environment)
        self._busy = threading.Lock()
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", f"from tests.warm import serve; serve({theirs.fileno()}); {COMMAND}"],
                env=dict(environment),
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
            )

    def close(self) -> None:
        """End the process."""
        self._socket.close()
        self._process.wait(timeout=60)

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str], cwd: Path | None, timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """As `subprocess.run`, with captured output as text."""
        if _compared(environment) != self._environment or not self._busy.acquire(blocking=False):
            command = [sys.executable, "-c", COMMAND, *arguments]
            return subprocess.run(
                command, capture_output=True, text=True, cwd=cwd, env=dict(environment), timeout=timeout, check=False
            )
        try:
            return self._forked(arguments, cwd, timeout)
        finally:
            self._busy.release()

    def _forked(self, arguments: Sequence[str], cwd: Path | None, timeout: float) -> subprocess.CompletedProcess[str]:
        request = json.dumps({"arguments": list(arguments), "cwd": os.fspath(cwd or Path.cwd())}).encode()
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            header = len(request).to_bytes(4, "big")
            socket.send_fds(self._socket, [header], [output.fileno(), errors.fileno()])
            self._socket.sendall(request)
            child = int.from_bytes(_exactly(self._socket, 4), "big")
            self._socket.settimeout(timeout)
            try:
                code = int.from_bytes(_exactly(self._socket, 4), "big", signed=True)
            except TimeoutError:
                os.kill(child, signal.SIGKILL)
                self._socket.settimeout(None)
                _exactly(self._socket, 4)
                raise subprocess.TimeoutExpired(list(arguments), timeout) from None
            self._socket.settimeout(None)
            texts = []
            for file in (output, errors):
                file.seek(0)
                texts.append(file.read().decode())
        return subprocess.CompletedProcess([COMMAND, *arguments], code, *texts)


def serve(handle: int) -> None:
    """Fork for every request; returns in the child, set up as asked, and never in the parent.

    Args:
        handle: of the socket on which requests come.
    """
    _import_all()
    asked = socket.socket(fileno=handle)
    while True:
        header, files, *_ = socket.recv_fds(asked, 4, 2)
        if not header:
            os._exit(0)
        while len(header) < 4:
            header += _exactly(asked, 4 - len(header))
        request = json.loads(_exactly(asked, int.from_bytes(header, "big")))
        child = os.fork()
        if child == 0:
            asked.close()
            for file, own in zip(files, (1, 2), strict=True):
                os.dup2(file, own)
                os.close(file)
            os.chdir(request["cwd"])
            sys.argv = ["-c", *request["arguments"]]
            return
        for file in files:
            os.close(file)
        asked.sendall(child.to_bytes(4, "big"))
        _, status = os.waitpid(child, 0)
        asked.sendall(os.waitstatus_to_exitcode(status).to_bytes(4, "big", signed=True))


def _import_all() -> None:
    """What most commands need, and nothing that does something at import."""
    import h5py  # noqa: F401
    import torch

    import hil.cli.main
    import hil.report.html
    import hil.runs.face  # noqa: F401

    torch.set_num_threads(1)


def _compared(environment: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in environment.items() if key not in IGNORED}


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise EOFError("the process from which hil is forked is gone")
        data += part
    return data
