"""What simulated radios need here."""

from __future__ import annotations

from hil.radios.check import Check

__all__ = ["check"]


def check() -> list[Check]:
    """Nothing: they are always usable."""
    return [Check(name="sim", ok=True, detail="simulated radios need nothing")]
