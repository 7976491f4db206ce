"""Where a command's time goes: parts by name, each without the parts inside it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["Spent", "Stopwatch", "spent", "timed", "watch"]


@dataclass(frozen=True, kw_only=True)
class Spent:
    """Time that a part took.

    Attributes:
        wall_s: on the clock; cpu_s: of all threads of the process.
    """

    wall_s: float = 0.0
    cpu_s: float = 0.0

    def __add__(self, other: Spent) -> Spent:
        return Spent(wall_s=self.wall_s + other.wall_s, cpu_s=self.cpu_s + other.cpu_s)


class Stopwatch:
    """Adds up what one thread spends in each part; what is in no part counts as ``start and other``.

    Parts of other threads, which go on beside it, take processor time of their own and none on the clock.
    """

    def __init__(self) -> None:
        self._spent: dict[str, Spent] = {}
        self._open = ["start and other"]
        self._owner = threading.get_ident()
        self._lock = threading.Lock()
        self._beside: dict[int, tuple[int, float]] = {}
        self._taken = 0.0
        self._last = self._now()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Time spent in this block, and in no part inside it, is `name`'s; of another thread, in parts inside it, too."""
        if threading.get_ident() != self._owner:
            with self._elsewhere(name):
                yield
            return
        self._settle()
        self._open.append(name)
        try:
            yield
        finally:
            self._settle()
            self._open.pop()

    @property
    def spent(self) -> Mapping[str, Spent]:
        """By part, in the order in which they were first entered, up to now."""
        self._settle()
        with self._lock:
            return MappingProxyType(dict(self._spent))

    @contextmanager
    def _elsewhere(self, name: str) -> Iterator[None]:
        """A part of another thread, by that thread's own clock, where the system lets others read it."""
        me = threading.get_ident()
        if me in self._beside or not hasattr(time, "pthread_getcpuclockid"):
            yield
            return
        begin = time.thread_time()
        with self._lock:
            self._beside[me] = time.pthread_getcpuclockid(me), begin
        try:
            yield
        finally:
            with self._lock:
                del self._beside[me]
                took = time.thread_time() - begin
                self._taken += took
                self._add(name, Spent(cpu_s=took))

    def _now(self) -> tuple[float, float]:
        """Time on the clock, and of the processor without what parts of other threads took."""
        with self._lock:
            taken = self._taken + sum(time.clock_gettime(clock) - begin for clock, begin in self._beside.values())
            return time.perf_counter(), time.process_time() - taken

    def _settle(self) -> None:
        now = self._now()
        with self._lock:
            self._add(self._open[-1], Spent(wall_s=now[0] - self._last[0], cpu_s=now[1] - self._last[1]))
        self._last = now

    def _add(self, name: str, took: Spent) -> None:
        self._spent[name] = self._spent.get(name, Spent()) + took


_watch: Stopwatch | None = None


def watch() -> None:
    """Start to time this process anew; `timed` counts from here on."""
    global _watch
    _watch = Stopwatch()


def spent() -> Mapping[str, Spent]:
    """Time spent in each part since `watch`; nothing where nobody watches."""
    return {} if _watch is None else _watch.spent


@contextmanager
def timed(name: str) -> Iterator[None]:
    """A part of what `watch` times; nothing where nobody watches."""
    if _watch is None:
        yield
        return
    with _watch.part(name):
        yield
