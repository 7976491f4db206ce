"""Signals that end a program wait while something must become whole."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["STOPPING", "uninterrupted"]

STOPPING = tuple(number for name in ("SIGINT", "SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None)
"""Ask a program to end; Windows has no SIGHUP."""


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Put off what handlers do at a stopping signal until the block is over, such as raising `KeyboardInterrupt`.

    A signal without a Python handler does what it always does. Signals go to the main thread; in others nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    handlers = {number: signal.getsignal(number) for number in STOPPING}
    held = {number: handler for number, handler in handlers.items() if callable(handler)}
    for number in held:
        signal.signal(number, lambda got, _frame: came.append(got))
    try:
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])
