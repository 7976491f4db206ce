"""How strong a transmitter sends: a gain step of the radio, and digital back-off inside it and below the lowest."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hil.radios.contract import Range

__all__ = ["BITS_OF_DB", "MOST_BACK_OFF_DB", "Level", "Levels"]

MOST_BACK_OFF_DB = 30.0
"""Below the lowest gain, and on top of what a gain step leaves."""
BITS_OF_DB = 1 / (20 * math.log10(2))
_GRID_DB = 1e-6


@dataclass(frozen=True, kw_only=True)
class Level:
    """A transmit gain (dB) and digital back-off on top of it (dB, ≥ 0)."""

    gain_db: float
    back_off_db: float = 0.0

    @property
    def total_db(self) -> float:
        """Gain less back-off."""
        return self.gain_db - self.back_off_db

    @property
    def converter_bits(self) -> float:
        """Bits of the converter that the back-off leaves unused."""
        return self.back_off_db * BITS_OF_DB


@dataclass(frozen=True, kw_only=True)
class Levels:
    """The levels that one transmitter has.

    Attributes:
        gains: of the radio, the bench's limit included.
        radio_high_db: the greatest gain that the radio itself has.
    """

    gains: Range
    radio_high_db: float

    @property
    def low_db(self) -> float:
        """The lowest total."""
        return self.gains.low - MOST_BACK_OFF_DB

    @property
    def high_db(self) -> float:
        """The highest total: the greatest gain on the radio's grid."""
        return self.gains.nearest(self.gains.high)

    @property
    def limited(self) -> bool:
        """Whether the bench's limit, not the radio, ends them."""
        return self.gains.high < self.radio_high_db - _GRID_DB

    def at(self, total_db: float) -> Level:
        """The level of a total (dB), brought into the range: the least gain step not below it, and back-off for the rest.

        A radio whose gain is continuous needs none but below its lowest gain.
        """
        wanted = min(max(total_db, self.low_db), self.high_db)
        gain = self.gains.nearest(wanted)
        if gain < wanted - _GRID_DB:
            gain = self.gains.nearest(gain + self.gains.step)
        return Level(gain_db=gain, back_off_db=max(0.0, gain - wanted))
