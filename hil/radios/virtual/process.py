"""The air as a process, and a helper that starts one for a while: `with serve(bench) as served`.

    python -m hil.radios.virtual.process          reads a BenchConfig as JSON from the first line of stdin

writes `{"control_port": …}` when it serves, and ends at SIGTERM, at a control command, or when stdin is closed, so that it
never outlives who started it.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hil.errors import HilError, RadioError
from hil.radios.bench import BenchConfig
from hil.radios.virtual.client import ask
from hil.radios.virtual.control import Control
from hil.radios.virtual.known import noted
from hil.radios.virtual.world import World, protocol

__all__ = ["Served", "main", "relocated", "run_air", "serve"]

_START_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Served:
    """A running air.

    Attributes:
        bench: with the addresses it serves on.
        control_port: of `ask`.
        pid: of its process.
    """

    bench: BenchConfig
    control_port: int
    pid: int

    def ask(self, do: str, **more: Any) -> dict[str, Any]:
        """Send a control request; see `Control`."""
        return ask(self.control_port, {"do": do, **more})

    def fault(self, radio: str, kind: str, **more: Any) -> None:
        """Arm a fault; see `FaultConfig`."""
        self.ask("fault", fault={"radio": radio, "kind": kind, **more})


def relocated(bench: BenchConfig) -> BenchConfig:
    """The bench with every virtual radio on a free loopback port or address, and any free control port."""
    data = bench.model_dump()
    data["air"]["control_port"] = 0
    taken: set[tuple[str, int]] = set()
    for name in bench.virtual_radios:
        server = protocol(bench.radios[name].driver)
        host, port = server.free_place(taken)
        taken.add((host, port))
        data["radios"][name]["virtual"] |= {"host": host, "port": port}
        data["radios"][name] |= server.client_options(host, port)
    return BenchConfig.model_validate(data)


@contextlib.contextmanager
def serve(bench: BenchConfig, *, truth: Path | None = None, relocate: bool = True) -> Iterator[Served]:
    """Run the air of a bench in a process of its own, and end it by its process id on the way out.

    Args:
        bench: with virtual radios.
        truth: file of the truth log.
        relocate: serve on free loopback ports and addresses; the yielded bench has them, for the drivers too.

    Raises:
        RadioError: it did not start.
    """
    moved = relocated(bench) if relocate else bench
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    root = str(Path(__file__).resolve().parents[3])
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    process = start_air(environment)
    try:
        if process.stdin is None or process.stdout is None:
            raise RadioError("the air process has no pipes")
        request = {"bench": moved.model_dump(mode="json"), "truth": str(truth) if truth is not None else None}
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], _START_S)
        line = process.stdout.readline() if ready else b""
        if not line:
            raise RadioError(f"the air of bench '{bench.name}' did not start (exit code {process.poll()})")
        answer = json.loads(line)
        if "error" in answer:
            raise RadioError(f"the air of bench '{bench.name}' did not start: {answer['error']}")
        yield Served(bench=moved, control_port=answer["control_port"], pid=process.pid)
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def start_air(environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start this module's `main`, in a session of its own: Ctrl-C is for this process, which then ends that one."""
    command = [sys.executable, "-m", __name__]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, start_new_session=True)


def run_air(
    bench: BenchConfig, *, truth: Path | None = None, exposed: bool = False, ready: Any = None, stopped: Any = None
) -> None:
    """Serve a bench's virtual radios on this thread until SIGTERM, SIGINT or a control command.

    Args:
        bench: with virtual radios.
        truth: file of the truth log.
        exposed: other addresses than loopback are meant.
        ready: called with the control port once everything listens.
        stopped: a further reason to stop.
    """
    import torch

    torch.set_num_threads(1)
    ended: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _frame: ended.append(got))
    world = World(bench, truth=truth, exposed=exposed)
    try:
        control = Control(world, bench.air.control_port)
        with noted(control.port):
            if ready is not None:
                ready(control.port)
            world.run(lambda: bool(ended) or control.stopped or (stopped is not None and stopped()))
    finally:
        world.close()


def main() -> int:
    """The process behind `serve`."""
    request = json.loads(sys.stdin.buffer.readline())

    def say(answer: dict[str, Any]) -> None:
        print(json.dumps(answer), flush=True)

    def orphaned() -> bool:
        ready, _, _ = select.select([sys.stdin], [], [], 0)
        return bool(ready)  # nobody writes any more: only its end can be read

    try:
        bench = BenchConfig.model_validate(request["bench"])
        truth = Path(request["truth"]) if request["truth"] else None
        run_air(bench, truth=truth, ready=lambda port: say({"control_port": port}), stopped=orphaned)
    except (HilError, OSError, ImportError) as err:
        say({"error": str(err)})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
