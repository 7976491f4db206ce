"""One thread for all calls into a vendor library that is not thread-safe and may block for ever, with a deadline on each."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from hil.errors import ConnectionLostError, RadioTimeoutError

__all__ = ["Worker"]

T = TypeVar("T")
_GRACE_S = 0.5


class Worker:
    """Runs calls one after the other on a thread of its own.

    A call that does not come back in time leaves its thread behind (nothing can end it) and makes every later call an error.

    Args:
        name: of the radio, for messages.

    Attributes:
        cancelled: set while a call is to end early; long calls look at it.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.cancelled = threading.Event()
        self._stuck: str | None = None
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"{name}-soapy", daemon=True)
        self._thread.start()

    @property
    def stuck(self) -> bool:
        """Whether a call has not come back."""
        return self._stuck is not None

    def call(self, what: str, function: Callable[[], T], timeout_s: float = 10.0) -> T:
        """Run `function` on the thread and return what it returns, or raise what it raises.

        Args:
            what: for messages.
            function: to be run.
            timeout_s: it should end by itself in this time; it is given up half a second later.

        Raises:
            RadioTimeoutError: it did not.
            RadioError: an earlier one did not.
        """
        if self._stuck is not None:
            raise ConnectionLostError(
                f"radio '{self._name}': the vendor's library hangs in {self._stuck}; restart the program", radio=self._name
            )
        done = threading.Event()
        results: list[Any] = []

        def run() -> None:
            try:
                results.extend((True, function()))
            except BaseException as err:
                results.extend((False, err))
            done.set()

        self._calls.put(run)
        try:
            finished = done.wait(timeout_s + _GRACE_S)
        except BaseException:  # a signal: the call is asked to end, so that the radio can still be silenced
            self.cancelled.set()
            done.wait(_GRACE_S)
            self.cancelled.clear()
            raise
        if not finished:
            self._stuck = what
            raise RadioTimeoutError(
                f"radio '{self._name}': {what} did not come back in {timeout_s + _GRACE_S:.3g} s", radio=self._name
            )
        if not results[0]:
            raise results[1]
        value: T = results[1]
        return value

    def end(self) -> None:
        """End the thread after the calls before."""
        self._calls.put(None)
        if not self.stuck:
            self._thread.join(_GRACE_S)

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
