"""Air time: how far the air has come, in whole quanta, and when the next quantum is due."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

__all__ = ["QUANTUM", "AirClock"]

QUANTUM = 15360
"""Air samples in one step. One FFT segment of the air (16384 minus the filters) renders a step's transmissions."""
_MAX_LAG_S = 0.25


class AirClock:
    """Paces the air.

    Air time never skips. A process that cannot keep up lets air time fall behind the wall clock (`slipped` counts by how much);
    samples take longer then, but none is missing.

    Args:
        sample_rate_hz: of the air.
        pace: "realtime"; "free": steps also run ahead of the wall clock while somebody only waits for them; or "stepped": there
            are steps only then, and the wall clock counts for nothing.
        wall: a monotonic clock, s.
    """

    def __init__(
        self, sample_rate_hz: float, pace: Literal["realtime", "free", "stepped"], wall: Callable[[], float] = time.monotonic
    ) -> None:
        self.now = 0
        self.slipped = 0
        self.pace = pace
        self._rate, self._wall = sample_rate_hz, wall
        self._anchor_wall, self._anchor_air = wall(), 0

    def due(self, waiting: bool) -> bool:
        """Whether the next step is due; `waiting`: a client waits for air time and for nothing else."""
        if self._behind() >= QUANTUM:
            return True
        return waiting and self.pace != "realtime"

    def wait_s(self) -> float:
        """Time until the next step is due by the wall clock."""
        return max(0.0, (QUANTUM - self._behind()) / self._rate)

    def step(self) -> int:
        """Advance by one quantum; the new air time."""
        behind = self._behind()
        lag = behind - _MAX_LAG_S * self._rate - QUANTUM
        if behind < QUANTUM:  # ahead of the wall clock: carry on from here
            self._anchor_wall, self._anchor_air = self._wall(), self.now + QUANTUM
        elif lag > 0:
            self.slipped += int(lag)
            self._anchor_wall += lag / self._rate
        self.now += QUANTUM
        return self.now

    def reading(self) -> int:
        """What a device's time register shows: between `now` and `now` + QUANTUM − 1, never going back between steps."""
        return self.now + min(max(int(self._behind()), 0), QUANTUM - 1)

    def _behind(self) -> float:
        """Air samples by which the wall clock is ahead of `now`."""
        if self.pace == "stepped":
            return 0.0
        return (self._wall() - self._anchor_wall) * self._rate - (self.now - self._anchor_air)
