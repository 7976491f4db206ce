"""What can be said of a goal without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hil.registry import Entry

__all__ = ["GoalEntry", "Unit"]

Unit = Literal["share", "dB", "1"]
"""Of a metric: a share (0…1), decibels, or a plain number."""


@dataclass(frozen=True, kw_only=True)
class GoalEntry(Entry):
    """A built-in goal's entry in the registry.

    Attributes:
        order: of the goals of one run, least first; the first one chooses the tasks, the others judge them.
    """

    order: int = 100
