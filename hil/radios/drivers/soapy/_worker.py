"""One thread for all calls into a vendor library that is not thread-safe and may block for ever, with a deadline on each."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from hil.errors import RadioTimeoutError

__all__ = ["Worker"]

T = TypeVar("T")
_GRACE_S = 0.5
_BACK_S = 2.0  # that a later call waits for one that hangs


class Worker:
    """Runs calls one after the other on a thread of its own.

    A call that does not come back in time cannot be ended; until it does come back, every later call is an error.

    Args:
        name: of the radio, for messages.

    Attributes:
        cancelled: set while a call is to end early; long calls look at it.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.cancelled = threading.Event()
        self._hung: tuple[str, threading.Event] | None = None
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"{name}-soapy", daemon=True)
        self._thread.start()

    @property
    def stuck(self) -> bool:
        """Whether a call has not come back."""
        return self._hung is not None and not self._hung[1].is_set()

    def call(self, what: str, function: Callable[[], T], timeout_s: float = 10.0) -> T:
        """Run `function` on the thread and return what it returns, or raise what it raises.

        Args:
            what: for messages.
            function: to be run.
            timeout_s: it should end by itself in this time; it is given up half a second later.

        Raises:
            RadioTimeoutError: it did not, or an earlier one still has not.
        """
        if self._hung is not None:
            hung_in, back = self._hung
            if not back.wait(min(timeout_s, _BACK_S)):
                raise RadioTimeoutError(
                    f"radio '{self._name}': the vendor's library still hangs in {hung_in}; if it stays so, restart the program",
                    radio=self._name,
                )
            self._hung = None
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
            self._hung = what, done
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
