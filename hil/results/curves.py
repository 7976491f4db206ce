"""A scheme's headline against measured SNR, read between its points; errors of both axes are carried along.

Curves are read on the logit of shares, and as they are in other units, along straight lines from point to point. SNRs stand for
the same only within their errors, so a curve is read where the others were measured too, not at the target that all aimed at.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hil.goals.card import Unit
from hil.results.estimate import Estimate

__all__ = ["REACH_DB", "STEEPEST", "Curve", "Point", "Reading", "SnrErrors", "Spot"]

Floats = NDArray[np.float64]

REACH_DB = 1.0
"""How far beyond its last point a curve is read at most."""
STEEPEST: Mapping[str, float] = {"share": 0.35, "dB": 1.0, "1": 0.05}
"""Slope a dB that a curve may have where it was measured at one SNR only, so that nobody knows it: logits of a share (0.4 to
0.65 in 3 dB, as steep as any of the built-in schemes), else in the headline's unit. What it makes of the SNRs' difference
counts as an error."""
_APART_DB = 1e-6


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Where a point lies on the SNR axis of a unit-power transmitter.

    Attributes:
        snr_db: measured, or drawn at.
        own_db: standard error that no other point shares (of the signal's power).
        shared_db: standard error that it shares with all points of one pool (of the noise); pool: its name.
    """

    snr_db: float
    own_db: float = 0.0
    shared_db: float = 0.0
    pool: str = ""


@dataclass(frozen=True, kw_only=True)
class Point:
    """One point of a curve: its number among the estimates of the family, and its estimate and reading."""

    number: int
    estimate: Estimate
    reading: Reading


@dataclass(frozen=True, kw_only=True)
class Spot:
    """A curve at one SNR.

    Attributes:
        value: headline there.
        weights: number of an estimate -> how its error enters.
        slope: number -> how an error of that point's SNR enters (per dB).
        doubt: standard error of what had to be guessed, as there is one point only.
    """

    value: float
    weights: dict[int, float]
    slope: dict[int, float]
    doubt: float = 0.0


class Curve:
    """A scheme's points in order of SNR.

    Args:
        points: at least one.
        unit: of the headline.
    """

    def __init__(self, points: Sequence[Point], unit: Unit) -> None:
        self._points = sorted(points, key=lambda point: point.reading.snr_db)
        self._share = unit == "share"
        self._steepest = STEEPEST[unit]

    def at(self, snr_db: float) -> Spot | None:
        """Read the curve; None further than `REACH_DB` beyond its ends."""
        points = self._points
        ends = points[0].reading.snr_db, points[-1].reading.snr_db
        if not ends[0] - REACH_DB <= snr_db <= ends[1] + REACH_DB:
            return None
        if len(points) == 1 or ends[1] - ends[0] < _APART_DB:
            return self._alone(points[0], snr_db)
        upper = next((i for i, point in enumerate(points) if point.reading.snr_db >= snr_db), len(points) - 1)
        upper = max(upper, 1)
        while upper < len(points) - 1 and self._step(upper) < _APART_DB:
            upper += 1
        while self._step(upper) < _APART_DB:
            upper -= 1
        return self._between(points[upper - 1], points[upper], snr_db)

    def _alone(self, point: Point, snr_db: float) -> Spot:
        slope = self._steepest * self._gain(point.estimate)
        doubt = slope * abs(snr_db - point.reading.snr_db)
        return Spot(value=point.estimate.value, weights={point.number: 1.0}, slope={point.number: -slope}, doubt=doubt)

    def _step(self, upper: int) -> float:
        return self._points[upper].reading.snr_db - self._points[upper - 1].reading.snr_db

    def _between(self, low: Point, high: Point, snr_db: float) -> Spot:
        step = high.reading.snr_db - low.reading.snr_db
        part = (snr_db - low.reading.snr_db) / step
        first, second = self._scaled(low.estimate), self._scaled(high.estimate)
        found = first + part * (second - first)
        value = 1 / (1 + math.exp(-found)) if self._share else found
        gain = value * (1 - value) if self._share else 1.0
        slope = gain * (second - first) / step
        return Spot(
            value=value,
            weights={
                low.number: (1 - part) * gain / self._gain(low.estimate),
                high.number: part * gain / self._gain(high.estimate),
            },
            slope={low.number: -(1 - part) * slope, high.number: -part * slope},
        )

    def _kept(self, one: Estimate) -> float:
        """A share a little inside 0…1, where its log odds are finite."""
        least = 1 / (2 * one.distinct + 2)
        return min(max(one.value, least), 1 - least)

    def _scaled(self, one: Estimate) -> float:
        if not self._share:
            return one.value
        value = self._kept(one)
        return math.log(value / (1 - value))

    def _gain(self, one: Estimate) -> float:
        if not self._share:
            return 1.0
        value = self._kept(one)
        return value * (1 - value)


class SnrErrors:
    """Independent errors of all SNRs of a family: one a point, and one a pool of noise.

    Args:
        readings: by number of the estimate; those that are not there have no SNR.
    """

    def __init__(self, readings: Mapping[int, Reading]) -> None:
        self._readings = readings
        self._pools = list(dict.fromkeys(one.pool for one in readings.values() if one.shared_db))
        self._numbers = list(readings)

    def load(self, slope: Mapping[int, float]) -> Floats:
        """How errors of standard deviation 1 enter a number that has such slopes, float64 [source]."""
        own = [slope.get(number, 0.0) * self._readings[number].own_db for number in self._numbers]
        shared = [
            sum(
                value * self._readings[number].shared_db
                for number, value in slope.items()
                if self._readings[number].pool == pool
            )
            for pool in self._pools
        ]
        return np.array([*own, *shared])
