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
    """Adds up what one thread spends in each part; what is in no part counts as ``start and other``."""

    def __init__(self) -> None:
        self._spent: dict[str, Spent] = {}
        self._open = ["start and other"]
        self._owner = threading.get_ident()
        self._last = self._now()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Time spent in this block, and in no part inside it, is `name`'s. Other threads than the first count with its part."""
        if threading.get_ident() != self._owner:
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
        return MappingProxyType(dict(self._spent))

    @staticmethod
    def _now() -> tuple[float, float]:
        return time.perf_counter(), time.process_time()

    def _settle(self) -> None:
        now = self._now()
        took = Spent(wall_s=now[0] - self._last[0], cpu_s=now[1] - self._last[1])
        self._spent[self._open[-1]] = self._spent.get(self._open[-1], Spent()) + took
        self._last = now


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
