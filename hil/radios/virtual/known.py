"""Which airs run on this machine: each notes its control port in a folder of the user's, and takes the note away at its end."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hil.errors import RadioError, RadioNotFoundError
from hil.radios.virtual.client import ask

__all__ = ["noted", "statuses"]


def _folder() -> Path:
    return Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"hil-airs-{os.getuid()}"


@contextlib.contextmanager
def noted(port: int) -> Iterator[None]:
    """While the block runs, this process is known to serve an air with that control port, where a note can be left."""
    file = _folder() / f"{os.getpid()}.json"
    with contextlib.suppress(OSError):
        file.parent.mkdir(mode=0o700, exist_ok=True)
        file.write_text(json.dumps({"control_port": port}), encoding="utf-8")
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            file.unlink()


def statuses() -> list[dict[str, Any]]:
    """What every air of this user says of itself, by control port; notes of airs that were killed are taken away."""
    found: dict[int, dict[str, Any]] = {}
    for file in sorted(_folder().glob("*.json")):
        try:
            port = int(json.loads(file.read_text(encoding="utf-8"))["control_port"])
            found[port] = {"control_port": port, **ask(port, {"do": "status"})}
        except RadioNotFoundError:
            with contextlib.suppress(OSError):
                file.unlink()
        except (OSError, ValueError, KeyError, TypeError, RadioError):
            continue  # half written, or of another version
    return [found[port] for port in sorted(found)]
