"""What can be said of a driver without importing it."""

from __future__ import annotations

from dataclasses import dataclass

from hil.registry import Entry

__all__ = ["DriverEntry"]


@dataclass(frozen=True, kw_only=True)
class DriverEntry(Entry):
    """A driver's light card.

    Attributes:
        simulated: its radios live in this process, on a simulated air.
        server: ``"module:attribute"`` of the `hil.radios.virtual` server that stands in for its devices, or "".
    """

    simulated: bool = False
    server: str = ""
