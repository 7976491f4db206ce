"""Programs in processes of their own without importing everything anew: each is forked from one that has imported it all.

Starting Python, torch and the compiled kernels takes three seconds of CPU, hundreds of times in the suite. What runs is the
same `main` on the same arguments and streams, in a process with its own folder, environment and exit code. Where the
environment differs in more than the path of packages, it gets a process from scratch; so do tests of starting.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NoReturn

__all__ = ["AIR", "COMMAND", "Started", "Warm"]

COMMAND = "from hil.cli.main import main; main()"
QUICKLY = "from tests.warm import quick; quick({!r})"
AIR = QUICKLY.format("import sys; from hil.radios.virtual.process import main; sys.exit(main())")
READ_ONCE = ("OMP_", "MKL_", "OPENBLAS_", "NUMBA_", "LD_", "MPL", "HIL_", "XDG_", "HOME", "PATH", "TMPDIR", "PYTHONHASHSEED")
"""Beginnings of what libraries may have read of the environment before a process is forked; it gets all the rest anew."""


class Started:
    """A forked process, with what the tests use of `subprocess.Popen`.

    Args:
        pid: of it.
        report: on which its exit code comes.
        stdin, stdout, stderr: its pipes, ours to close.
    """

    def __init__(self, pid: int, report: socket.socket, stdin: IO[Any], stdout: IO[Any], stderr: IO[Any] | None = None) -> None:
        self.pid, self.returncode = pid, None
        self.stdin, self.stdout, self.stderr = stdin, stdout, stderr
        self._report = report

    def poll(self) -> int | None:
        """The exit code, None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code; raises `subprocess.TimeoutExpired`."""
        if self.returncode is None:
            ready, _, _ = select.select([self._report], [], [], timeout)
            if not ready:
                raise subprocess.TimeoutExpired("forked", timeout or 0)
            self.returncode = int.from_bytes(_exactly(self._report, 4), "big", signed=True)
            self._report.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Nothing where it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[Any, Any]:
        """All of its output, once it has ended; its pipes are closed."""
        texts: dict[IO[Any] | None, Any] = {}
        readers = [
            threading.Thread(target=lambda file=file: texts.update({file: file.read()}), daemon=True)
            for file in (self.stdout, self.stderr)
            if file is not None
        ]
        for reader in readers:
            reader.start()
        self.stdin.close()
        self.wait(timeout)
        for reader in readers:
            reader.join(timeout)
        for file in (self.stdout, self.stderr):
            if file is not None:
                file.close()
        return texts.get(self.stdout), texts.get(self.stderr)


class Warm:
    """Forks programs from a process that has imported hil; it starts when first needed.

    Args:
        environment: of that process, and of what is to be forked from it.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._socket.close()
            self._process.wait(timeout=60)

    def forks(self, environment: Mapping[str, str]) -> bool:
        """Whether a process with this environment can be forked."""
        return _compared(environment) == _compared(self._environment)

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str], cwd: Path | None, timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """`hil` with arguments, as by `subprocess.run`, with captured output as text."""
        if not self.forks(environment):
            command = [sys.executable, "-c", COMMAND, *arguments]
            return subprocess.run(
                command, capture_output=True, text=True, cwd=cwd, env=dict(environment), timeout=timeout, check=False
            )
        texts = []
        with Path(os.devnull).open("rb") as nothing, tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            streams = [nothing.fileno(), output.fileno(), errors.fileno()]
            report, pid = self._fork(QUICKLY.format(COMMAND), arguments, environment, cwd, streams)
            started = Started(pid, report, nothing, output, errors)
            try:
                code = started.wait(timeout)
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait()
                raise
            for file in (output, errors):
                file.seek(0)
                texts.append(file.read().decode())
        return subprocess.CompletedProcess([COMMAND, *arguments], code, *texts)

    def start(
        self,
        program: str,
        arguments: Sequence[object] = (),
        *,
        environment: Mapping[str, str],
        cwd: Path | None = None,
        text: bool = True,
        errors: bool = True,
        new_session: bool = False,
    ) -> Started:
        """A program that runs on, with pipes for its input and output; `forks` must say that it can be forked.

        Args:
            program: `COMMAND` or `AIR`.
            text: pipes of text, else of bytes.
            errors: a pipe for standard error, else ours.
            new_session: so that Ctrl-C on the terminal is not its.
        """
        pipes = [os.pipe(), os.pipe()[::-1], *([os.pipe()[::-1]] if errors else [])]
        theirs, ours = [pipe[0] for pipe in pipes], [pipe[1] for pipe in pipes]
        try:
            streams = theirs if errors else [*theirs, 2]
            report, pid = self._fork(program, [str(one) for one in arguments], environment, cwd, streams, new_session)
        finally:
            for handle in theirs:
                os.close(handle)
        kind = "" if text else "b"
        files = [os.fdopen(handle, f"{way}{kind}") for handle, way in zip(ours, "wrr", strict=False)]
        return Started(pid, report, *files)

    def _begin(self) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", f"from tests.warm import serve; exec(serve({theirs.fileno()}))"],
                env=self._environment,
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
            )

    def _fork(
        self,
        program: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        cwd: Path | None,
        streams: Sequence[int],
        new_session: bool = False,
    ) -> tuple[socket.socket, int]:
        asked = {
            "program": program, "arguments": list(arguments), "environment": dict(environment),
            "cwd": os.fspath(cwd or Path.cwd()), "new_session": new_session,
        }  # fmt: skip
        request = json.dumps(asked).encode()
        report, theirs = socket.socketpair()
        with theirs, self._lock:
            if self._process is None:
                self._begin()
            socket.send_fds(self._socket, [len(request).to_bytes(4, "big")], [theirs.fileno(), *streams])
            self._socket.sendall(request)
        return report, int.from_bytes(_exactly(report, 4), "big")


def serve(handle: int) -> str:
    """Fork for every request; returns the program in the child, set up as asked, and never in the parent.

    Args:
        handle: of the socket on which requests come.
    """
    _import_all()
    gc.collect()
    gc.freeze()  # a collection in a child would copy all pages
    asked = socket.socket(fileno=handle)
    ended, wakes = socket.socketpair()
    wakes.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakes.fileno())
    reports: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([asked, ended], [], [])
        if ended in ready:
            ended.recv(4096)
            _tell_ends(reports)
        if asked not in ready:
            continue
        header, files, *_ = socket.recv_fds(asked, 4, 4)
        if not header:
            os._exit(0)
        header += _exactly(asked, 4 - len(header))
        request = json.loads(_exactly(asked, int.from_bytes(header, "big")))
        child = os.fork()
        if child == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for one in (asked, ended, wakes, *reports.values()):
                one.close()
            _become(request, files)
            return str(request["program"])
        report, *streams = files
        for file in streams:
            os.close(file)
        reports[child] = socket.socket(fileno=report)
        reports[child].sendall(child.to_bytes(4, "big"))


def _become(request: Mapping[str, Any], files: Sequence[int]) -> None:
    """Take on the streams, folder, environment, path and arguments of a request."""
    report, *streams = files
    os.close(report)
    for number, file in enumerate(streams):
        os.dup2(file, number)
        os.close(file)
    for number, name in enumerate(("stdin", "stdout", "stderr")):  # anew: the old ones took note of what they led to
        old = getattr(sys, name)
        new = os.fdopen(number, "w" if number else "r", encoding=old.encoding, errors=old.errors, closefd=False)
        if number:
            new.reconfigure(line_buffering=old.line_buffering, write_through=old.write_through)
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)
    if request["new_session"]:
        os.setsid()
    os.environ.clear()
    os.environ.update(request["environment"])
    here = sys.path.index(str(Path(__file__).resolve().parent.parent)) + 1
    sys.path[here:here] = [one for one in os.environ.get("PYTHONPATH", "").split(os.pathsep) if one and one not in sys.path]
    importlib.invalidate_caches()
    os.chdir(request["cwd"])
    sys.argv = ["-c", *request["arguments"]]


def quick(program: str) -> NoReturn:
    """Run a program and end as Python does, but for taking every module apart, which costs as much as many a command."""
    code: Any = None
    try:
        exec(program, sys.modules["__main__"].__dict__)
    except SystemExit as err:
        code = err.code
    except BaseException:
        traceback.print_exc()
        code = 1
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code if isinstance(code, int) else code is not None)


def _tell_ends(reports: dict[int, socket.socket]) -> None:
    """Exit codes of the children that have ended, to who asked for them."""
    while reports:
        child, status = os.waitpid(-1, os.WNOHANG)
        if child == 0:
            return
        with reports.pop(child) as report, contextlib.suppress(OSError):  # nobody may wait any more
            report.sendall(os.waitstatus_to_exitcode(status).to_bytes(4, "big", signed=True))


def _import_all() -> None:
    """What most commands need, and nothing that does something at import."""
    import h5py  # noqa: F401
    import torch
    from matplotlib.backends import backend_agg, backend_svg  # noqa: F401

    import hil.cli.main
    import hil.cli.run
    import hil.radios.virtual.process
    import hil.report.html
    import hil.runs.face  # noqa: F401
    from hil.registry import DATASETS, GOALS, SCHEMES

    for registry in (DATASETS, GOALS, SCHEMES):
        for name in registry.builtin:
            registry.load(name)
    torch.set_num_threads(1)
    _load_kernels()


def _load_kernels() -> None:
    """Compiled code of the modem and of the channel, by using it once."""
    from hil.channel.gaussian import complex_gaussian
    from hil.phy.compile import use_once

    complex_gaussian(1, "warm", 0, 1000, 1e-5)
    use_once()


def _compared(environment: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in environment.items() if key.startswith(READ_ONCE)}


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise EOFError("the process that is forked from is gone")
        data += part
    return data
