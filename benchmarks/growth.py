"""Whether something grows: a straight line through samples of it, with the error of its slope."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["slope"]

BLOCKS = 20
"""Neighbouring samples know of each other; means of so many stretches hardly do."""
QUANTILE = 2.101
"""Of Student's t for 95 % both ways, with `BLOCKS` − 2 degrees of freedom."""


def slope(times: Sequence[float], values: Sequence[float]) -> tuple[float, float]:
    """Slope of the straight line through means of `BLOCKS` equal stretches of time, and half of its 95 % interval.

    Args:
        times: of the samples, rising.
        values: at them, same length.

    Returns:
        values a unit of time, ± the same; nan where a stretch has no sample.
    """
    if len(times) < BLOCKS:
        return float("nan"), float("nan")
    t, v = np.asarray(times, dtype=float), np.asarray(values, dtype=float)
    block = np.minimum(((t - t[0]) / (t[-1] - t[0]) * BLOCKS).astype(int), BLOCKS - 1)
    count = np.bincount(block, minlength=BLOCKS)
    if not count.all():
        return float("nan"), float("nan")
    x, y = np.bincount(block, t) / count, np.bincount(block, v) / count
    x = x - x.mean()
    rise = float(x @ y / (x @ x))
    left = y - y.mean() - rise * x
    return rise, float(QUANTILE * np.sqrt(left @ left / (BLOCKS - 2) / (x @ x)))
