"""Means with 95 % intervals, for the few quantities that a calibration states."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hil.units import DB_OF_E, decibels

__all__ = ["Interval", "Part", "interval_db", "mean_interval", "slope_interval", "student_975"]

Interval = tuple[float, float]
_Z = 1.959964


class Part(NamedTuple):
    """A relative variance and its degrees of freedom."""

    variance: float
    freedom: float


def student_975(freedom: float) -> float:
    """Quantile of Student's t for a 95 % interval.

    Source: Cornish-Fisher expansion (Abramowitz and Stegun 26.7.5); within 1 % from 3 degrees of freedom on.
    """
    n, z = max(freedom, 1.0), _Z
    if n < 3:
        return 12.706 if n < 2 else 4.303
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / n ** (power + 1) for power, term in enumerate(terms))


def mean_interval(values: Sequence[float]) -> tuple[float, Interval]:
    """Mean of independent values and its interval; NaN for none, and no finite interval of one."""
    if not len(values):
        return math.nan, (math.nan, math.nan)
    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, (-math.inf, math.inf)
    half = student_975(len(values) - 1) * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return mean, (mean - half, mean + half)


def slope_interval(times: Sequence[float], values: Sequence[float]) -> tuple[float, Interval]:
    """Slope of a straight line through values over time, and its interval; NaN for fewer than three."""
    if len(values) < 3 or max(times) == min(times):
        return math.nan, (math.nan, math.nan)
    t = np.asarray(times) - np.mean(times)
    y = np.asarray(values) - np.mean(values)
    spread = float(t @ t)
    slope = float(t @ y) / spread
    left = y - slope * t
    half = student_975(len(y) - 2) * math.sqrt(float(left @ left) / (len(y) - 2) / spread)
    return slope, (slope - half, slope + half)


def interval_db(value: float, *parts: Part) -> Interval:
    """Interval in dB of a product of powers with independent relative errors (Satterthwaite's degrees of freedom).

    Args:
        value: the product, linear.
        parts: of its factors.
    """
    total = sum(part.variance for part in parts)
    if not (math.isfinite(total) and value > 0):
        return -math.inf, math.inf
    doubt = sum(part.variance**2 / part.freedom for part in parts)  # nothing of one whose freedom is infinite
    half = student_975(total**2 / doubt if doubt > 0 else 1e9) * DB_OF_E * math.sqrt(total)
    return decibels(value) - half, decibels(value) + half
