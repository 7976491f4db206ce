"""The air's control port: one JSON object a line, on loopback. Status, faults, the truth log's tail, and the end."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from typing import Any

from hil.config import validate
from hil.errors import HilError
from hil.radios.airconfig import FaultConfig
from hil.radios.virtual.responses import link_responses
from hil.radios.virtual.world import World

__all__ = ["Control"]

_LONGEST = 1 << 16


class Control:
    """Serves the control port of one air.

    Requests: `{"do": "status"}`, `{"do": "fault", "fault": {FaultConfig}}`, `{"do": "truth", "last": n}`,
    `{"do": "links", "freqs_hz": [Hz]}` (`link_responses`), `{"do": "stop"}`. Every reply is one line with `"ok"`.
    """

    def __init__(self, world: World, port: int) -> None:
        self.world = world
        self.stopped = False
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        world.sockets.add(self._listener, self._accept)

    def _accept(self, _mask: int) -> None:
        with contextlib.suppress(OSError):
            sock, _ = self._listener.accept()
            pending = bytearray()
            self.world.sockets.add(sock, lambda _: self._read(sock, pending))

    def _read(self, sock: socket.socket, pending: bytearray) -> None:
        try:
            data = sock.recv(_LONGEST)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        pending += data
        if not data or len(pending) > _LONGEST:
            self.world.sockets.remove(sock)
            return
        while b"\n" in pending:
            line, _, rest = bytes(pending).partition(b"\n")
            pending[:] = rest
            try:
                sock.setblocking(True)
                sock.settimeout(1.0)
                sock.sendall(json.dumps(self._answer(line)).encode() + b"\n")
                sock.setblocking(False)
            except OSError:
                self.world.sockets.remove(sock)
                return

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            what = request["do"]
            if what == "status":
                return {"ok": True} | self.status()
            if what == "fault":
                self.world.arm(validate(FaultConfig, request["fault"], "fault"))
                return {"ok": True}
            if what == "truth":
                self.world.truth.flush()
                last = int(request.get("last", 100))
                return {"ok": True, "rows": list(self.world.truth.recent)[-last:] if last > 0 else []}
            if what == "links":
                return {"ok": True, "links": link_responses(self.world, [float(one) for one in request["freqs_hz"]])}
            if what == "stop":
                self.stopped = True
                return {"ok": True}
        except (ValueError, KeyError, TypeError, OverflowError, HilError, RecursionError) as err:
            return {"ok": False, "error": str(err)}
        return {"ok": False, "error": f"unknown request {what!r}"}

    def status(self) -> dict[str, Any]:
        """Radios, clients, rates, losses."""
        world = self.world
        return {
            "bench": world.bench.name,
            "digest": world.bench.digest(),
            "pid": os.getpid(),
            "pace": world.clock.pace,
            "air_s": world.clock.now / world.sample_rate_hz,
            "slipped_samples": world.clock.slipped,
            "radios": {name: radio.status() for name, radio in world.radios.items()},
        }
