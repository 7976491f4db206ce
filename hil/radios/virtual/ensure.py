"""An air for a bench: the one that runs, or one of its own. No torch here until one is started: sessions use it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from hil.errors import RadioNotFoundError
from hil.radios.bench import BenchConfig
from hil.radios.virtual.client import ask

__all__ = ["ensure_air"]


@contextlib.contextmanager
def ensure_air(bench: BenchConfig) -> Iterator[BenchConfig]:
    """The bench with the addresses at which its virtual radios are served.

    An air of this very bench that runs at its control port is used as it is (`hil air BENCH`); else, as where the file has been
    edited since, one is started on free loopback addresses and ended on the way out. A bench whose control port is 0 is taken
    to be served by whoever made it; one without virtual radios needs no air.

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
    if running.get("digest") == bench.digest():
        yield bench
        return
    from hil.radios.virtual.process import serve

    with serve(bench) as served:
        yield served.bench
