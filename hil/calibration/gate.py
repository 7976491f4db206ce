"""When superposed transmitters count as aligned, and what is done where they do not. Needs no torch: configuration."""

from __future__ import annotations

from pydantic import Field

from hil.config import Config

__all__ = ["GateConfig"]


class GateConfig(Config):
    """Bounds on what a frame's own sounding says of its transmitters, each against the first; never on content.

    A frame beyond a bound by more than three standard errors is refused: its transmitters are aligned again, and it is sent
    again.

    Attributes:
        phase_deg: root mean square phase over the active carriers, degrees.
        power_db: power balance, dB.
        delay_samples: delay.
        repeats: most refusals of one frame; then it is kept, and marked.
        coherence_s: age at which an alignment is made anew; None: as measured, the age at which the phase has drifted by half
            of its bound.
    """

    phase_deg: float = Field(20.0, gt=0, le=180)
    power_db: float = Field(1.0, gt=0)
    delay_samples: float = Field(0.25, gt=0)
    repeats: int = Field(3, ge=0, le=100)
    coherence_s: float | None = Field(None, gt=0)
