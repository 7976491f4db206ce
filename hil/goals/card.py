"""What can be said of a goal without torch."""

from __future__ import annotations

from dataclasses import dataclass

from hil.registry import Entry

__all__ = ["GoalEntry"]


@dataclass(frozen=True, kw_only=True)
class GoalEntry(Entry):
    """A built-in goal's entry in the registry.

    Attributes:
        order: of the goals of one run, least first; the first one chooses the tasks, the others judge them.
    """

    order: int = 100
