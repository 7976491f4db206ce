"""Whether a frame is what its receiver says: errors beside the noise stated for them, and what they look like.

SIGNALS.md, "Noise, and whether what is stated is true". Three kinds of error are judged: of the sounding symbols around the
channel estimated from them, of the payload's known cells (pilots and fillers), and of the tasks' symbols against what was
sent, since a run knows what it sent. The last one is the truth that the first two should tell; it never reaches a decoder.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hil.points.signature import Signature

__all__ = ["FrameTruth", "Tally", "over_median", "unevenness"]

Floats = NDArray[np.float64]
_QUARTER = 1.271
"""Standard deviations by which the lowest quarter of normal deviates lies below their mean."""
_FEW, _FEW_LOOKS = 4, 25
"""Carriers, and errors on each, below which no quarter of them tells anything."""


@dataclass(frozen=True)
class Tally:
    """Sum of error powers, of how many cells, and the sum of what was stated for them beyond the noise."""

    error: float
    count: int
    beyond: float = 0.0

    def over(self, noise: float) -> float:
        """Error over what is stated at a noise."""
        return self.error / max(noise * self.count + self.beyond, 1e-30)


@dataclass(frozen=True, kw_only=True)
class FrameTruth:
    """What is kept of a frame.

    Attributes:
        noise: stated power a carrier, and `looks` that it rests on.
        sounding, known, sent: errors of sounding symbols, of known payload cells, and of tasks' symbols.
        carriers: float64 [2, active carrier], error powers of sounding and known cells, and how many.
        by_carrier: float64 [2, active carrier], sums of the symbols' errors over what was stated for them, and how many.
        steady: mean over median of the symbols' errors in time, `unevenness`.
        guard: noise on null carriers over that in silence.
        kurtosis: excess, of the samples' I and Q after the preamble: 0 for OFDM, below where a converter clipped.
        front: what was taken off, in words of `hil.points.impaired.DONE`.
        signature: what the errors look like; None where nothing is wrong.
    """

    noise: float
    looks: int
    sounding: Tally
    known: Tally
    sent: Tally
    carriers: Floats
    by_carrier: Floats
    steady: float
    guard: float
    kurtosis: float
    front: frozenset[str]
    signature: Signature | None

    @property
    def observed(self) -> float:
        """Errors of all known cells over what was stated for them, unbiased for the noise's few looks."""
        return self._known_over(self.noise) * (self.looks - 1) / self.looks

    @property
    def true(self) -> float:
        """The same of the symbols that were sent."""
        return self.sent.over(self.noise) * (self.looks - 1) / self.looks

    def over(self, noise: float) -> float:
        """The larger of both, were the noise another one that many looks tell."""
        return max(self._known_over(noise), self.sent.over(noise))

    def _known_over(self, noise: float) -> float:
        a, b = self.sounding, self.known
        return Tally(a.error + b.error, a.count + b.count, a.beyond + b.beyond).over(noise)


def over_median(total: Floats, count: Floats) -> float:
    """Mean over median of mean powers; 1 where they differ by chance.

    The mean of n looks is Gamma distributed: its median is lower by a share of 1/3n.

    Args:
        total, count: float64 [n], sums of powers by carrier or by symbol, and of how many.
    """
    means, looks = _means(total, count)
    if not len(means):
        return 1.0
    return float(means.mean()) / _middle(means) * (1 - 1 / (3 * looks))


def unevenness(sums: Floats) -> tuple[float, float]:
    """Mean of mean powers over their median (`over_median`), and over their lowest quarter; 1 where they differ by chance.

    The lowest quarter of means of n looks is lower by 1.27 standard deviations of 1/√n.

    Args:
        sums: float64 [2, n], of powers by carrier or by symbol, and of how many.
    """
    means, looks = _means(*sums)
    if not len(means):
        return 1.0, 1.0
    mean = float(means.mean())
    quarter = float(means[: len(means) // 4].mean()) / (1 - _QUARTER / looks**0.5) if looks >= _FEW_LOOKS else mean
    return over_median(*sums), mean / quarter


def _means(total: Floats, count: Floats) -> tuple[Floats, float]:
    """Mean powers where there are any, ascending, and their median number of looks; none where they tell nothing."""
    there = count > 0
    means = np.sort(total[there] / count[there])
    if len(means) < _FEW or not means[0] > 0:
        return means[:0], 0.0
    return means, _middle(np.sort(count[there]))


def _middle(ascending: Floats) -> float:
    """The median."""
    half = len(ascending) // 2
    return float(ascending[half] if len(ascending) % 2 else (ascending[half - 1] + ascending[half]) / 2)
