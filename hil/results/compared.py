"""What `hil compare --json` prints: typed, as the document of a run is."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from hil.goals.card import Unit
from hil.results.document import Comparison, MeanOverSnrs, rounded

__all__ = ["Compared", "GapAtEqual", "MeanGap"]


class GapAtEqual(BaseModel):
    """How many dB one scheme needs more than another for the same headline.

    Attributes:
        level: of the headline; snr_db: at which each reaches it, on curves drawn through the measured points.
        difference_db: first minus second; below 0: the first needs less.
        ci: 95 % interval by itself; simultaneous_ci: one that covers all gaps at once.
    """

    model_config = ConfigDict(frozen=True)

    goal: str
    receiver: str | None = None
    source: str
    energy: str
    first: str
    second: str
    level: float
    snr_db: tuple[float, float]
    difference_db: float
    ci: tuple[float, float]
    simultaneous_ci: tuple[float, float]


class MeanGap(BaseModel):
    """How many dB one scheme needs more than another, on the mean over the headlines that both reach.

    Attributes:
        between: lowest and highest level of the headline; levels: how many, evenly apart.
        difference_db: first minus second; below 0: the first needs less.
        ci, simultaneous_ci: as of `GapAtEqual`.
    """

    model_config = ConfigDict(frozen=True)

    goal: str
    receiver: str | None = None
    source: str
    energy: str
    first: str
    second: str
    between: tuple[float, float]
    levels: int
    difference_db: float
    ci: tuple[float, float]
    simultaneous_ci: tuple[float, float]


class Compared(BaseModel):
    """Runs against each other.

    Attributes:
        runs: short name -> capture; tasks: that all points answered; tasks_of: those that all points of a run answered.
        units: of the headline, by goal.
        comparisons, means, gaps, mean_gaps: at equal SNR, over SNRs, at an equal headline, over headlines.
    """

    model_config = ConfigDict(frozen=True)

    runs: dict[str, str]
    tasks: int
    tasks_of: dict[str, int]
    units: dict[str, Unit]
    comparisons: list[Comparison]
    means: list[MeanOverSnrs]
    gaps: list[GapAtEqual]
    mean_gaps: list[MeanGap]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, strict JSON: NaN and infinities are null."""
        plain: dict[str, Any] = rounded(self.model_dump(mode="python"))
        return plain
