"""Words that configurations and points share; nothing heavy is imported for them."""

from __future__ import annotations

from typing import Literal

__all__ = ["UNALIGNED_NAME", "Energy", "Fading"]

Energy = Literal["per_use", "per_device", "per_task"]
"""How transmit power is counted (papers/README: Power)."""
Fading = Literal["none", "emulated", "air"]
"""Where links fade (SIGNALS.md, "Slow fading over the air")."""
UNALIGNED_NAME = "@unaligned"
"""Behind a scheme's name: its transmitters are superposed as they are, not aligned, to show what alignment is worth."""
