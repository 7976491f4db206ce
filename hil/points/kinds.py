"""Words that configurations and points share; nothing heavy is imported for them."""

from __future__ import annotations

from typing import Literal

__all__ = ["Energy", "Fading"]

Energy = Literal["per_use", "per_device", "per_task"]
"""How transmit power is counted (papers/README: Power)."""
Fading = Literal["none", "emulated", "air"]
"""Where links fade (SIGNALS.md, "Slow fading over the air")."""
