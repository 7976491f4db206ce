"""Whoever leaves leaves no transmitter on: at the interpreter's exit, and, where a program asks for it, on signals."""

from __future__ import annotations

import atexit
import signal
import sys
import threading
import weakref
from contextlib import suppress
from typing import Protocol

__all__ = ["close_at_exit", "silence_on_signals"]

_SIGNALS = ("SIGTERM", "SIGHUP")


class _Closes(Protocol):
    def close(self) -> None: ...


_OPEN: weakref.WeakSet[_Closes] = weakref.WeakSet()


def close_at_exit(session: _Closes) -> None:
    """Close a session when the interpreter ends, should nobody have done so before."""
    _OPEN.add(session)


@atexit.register
def _close_all() -> None:
    for session in list(_OPEN):
        with suppress(Exception):
            session.close()


def silence_on_signals() -> None:
    """Leave the program by way of every ``with`` on SIGTERM and SIGHUP, so that transmitters are silenced.

    For programs, on their main thread; a library has no business with the process's signals, so opening a bench changes none.
    SIGINT raises `KeyboardInterrupt` anyway. A signal that somebody handles, or ignores, stays as it is; in another thread
    nothing is done. The exit code is 128 + the signal's number.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for name in _SIGNALS:
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, lambda got, _frame: sys.exit(128 + got))
