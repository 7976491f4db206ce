"""Talking to a running air, and starting one where none runs. No torch here: drivers and sessions use it."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from typing import Any

from hil.errors import RadioError, RadioNotFoundError
from hil.radios.bench import BenchConfig

__all__ = ["ask", "ensure_air"]


def ask(port: int, request: dict[str, Any], timeout_s: float = 5.0) -> dict[str, Any]:
    """Send one request to an air's control port and return its reply.

    Raises:
        RadioNotFoundError: no air answers there.
        RadioError: it refused.
    """
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as sock, sock.makefile("rwb") as stream:
            stream.write(json.dumps(request).encode() + b"\n")
            stream.flush()
            reply: dict[str, Any] = json.loads(stream.readline())
    except (OSError, ValueError) as err:
        raise RadioNotFoundError(f"no air answers on control port {port}: start one with: hil air BENCH") from err
    if not reply.get("ok"):
        raise RadioError(f"the air on control port {port} refused: {reply.get('error')}")
    return reply


@contextlib.contextmanager
def ensure_air(bench: BenchConfig) -> Iterator[BenchConfig]:
    """The bench with the addresses at which its virtual radios are served.

    An air of this bench that runs at its control port is used as it is (`hil air BENCH`); else one is started on free loopback
    addresses and ended on the way out. A bench whose control port is 0 is taken to be served by whoever made it; one
    without virtual radios needs no air.

    Raises:
        RadioError: the air does not start.
    """
    if bench.air.control_port == 0 or not bench.virtual_radios:
        yield bench
        return
    try:
        running = ask(bench.air.control_port, {"do": "status"}, timeout_s=2.0)
    except RadioNotFoundError:
        running = {}
    if running.get("bench") == bench.name and set(running.get("radios", {})) == set(bench.virtual_radios):
        yield bench
        return
    from hil.radios.virtual.process import serve

    with serve(bench) as served:
        yield served.bench
