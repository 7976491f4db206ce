"""Talking to a running air. No torch here."""

from __future__ import annotations

import json
import socket
from typing import Any

from hil.errors import RadioError, RadioNotFoundError

__all__ = ["ask"]


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
