"""Who is told what a run does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from hil.results.document import Row

__all__ = ["Progress", "Report", "Silent"]

Progress = Callable[[int], None]


class Report(Protocol):
    """Who is told; the command line shows it."""

    def say(self, text: str) -> None:
        """One line."""
        ...

    def stage(self, name: str, total: int) -> AbstractContextManager[Progress]:
        """A part of the work with so many steps; call the value with the steps done."""
        ...

    def point(self, row: Row) -> None:
        """A point was scored."""
        ...


class Silent:
    """A `Report` that nobody reads."""

    def say(self, text: str) -> None:
        """Nothing."""

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Progress]:
        """Nothing."""
        yield lambda steps: None

    def point(self, row: Row) -> None:
        """Nothing."""
