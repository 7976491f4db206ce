"""The server of the live page."""

from __future__ import annotations

import importlib
import socket
from collections.abc import Callable

from hil.errors import DriverMissingError, OutputError
from hil.watch.place import Place
from hil.watch.source import Source

__all__ = ["check_installed", "serve"]


def check_installed() -> None:
    """See that the extra's libraries are there.

    Raises:
        DriverMissingError: one is not.
    """
    try:
        for name in ("fastapi", "uvicorn", "jinja2"):
            importlib.import_module(name)
    except ImportError as err:
        raise DriverMissingError(
            f"hil watch needs FastAPI, uvicorn and Jinja2 ({err}); install them with: pip install 'hil[watch]'"
        ) from err


def serve(source: Source, place: Place, announce: Callable[[str], None]) -> None:
    """Serve until a signal comes.

    Args:
        source: what is shown.
        place: where.
        announce: told the page's address, once it is served.

    Raises:
        DriverMissingError: FastAPI, uvicorn or Jinja2 is not installed.
        OutputError: the address cannot be listened at.
    """
    check_installed()
    import uvicorn

    from hil.watch.app import application

    family = socket.AF_INET6 if ":" in place.address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((place.address, place.port))
            listener.listen()  # from now on browsers wait, and are not refused
        except OSError as err:
            raise OutputError(
                f"cannot listen at {place.address} port {place.port} ({err.strerror or err}); choose another --port, "
                "0 for any that is free, or another --listen"
            ) from err
        app = application(source, place, lambda: server.should_exit)
        server = uvicorn.Server(
            uvicorn.Config(app, log_level="error", access_log=False, timeout_graceful_shutdown=2, lifespan="off")
        )
        announce(place.url(listener.getsockname()[1]))
        server.run(sockets=[listener])
