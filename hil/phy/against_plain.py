"""Received symbols against what was sent, and how samples are spread, without compiled code."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.phy.tracking_plain import square

__all__ = ["compare", "kurtosis"]

Complexes = NDArray[np.complex64]
_LEAST = np.float32(1e-30)


def compare(
    first: int, count: int, symbols: Complexes, noise_var: NDArray[np.float32], channel: Complexes, sent: Complexes,
    target: Complexes, places: NDArray[np.int64], by_carrier: Any, by_row: Any, gram: Any,
) -> tuple[float, float]:  # fmt: skip
    """Symbols of some tasks against Σ h x, and how h x of each transmitter goes with them.

    Args:
        first, count: of the tasks.
        symbols: complex64 [task, use], y; noise_var: float32 [task, use], σ², 0 where nothing is sent.
        channel, sent: complex64 [tx, task, use], h and x.
        target: complex64 [task, use], what y would be without noise.
        places: int64 [2, ≥ count · use], active carrier and payload row of each use; one beyond the last where nothing is sent.
        by_carrier, by_row: float64 [active carrier + 1], [payload row + 1], output: sums of |y − Σ h x|²/σ².
        gram: complex128 [tx, tx + 1], output: Σ (h_j x_j)* h_k x_k/σ², and last Σ (h_j x_j)* y/σ².

    Returns:
        Σ |y − Σ h x|² and Σ |y − target|².
    """
    some = slice(first, first + count)
    heard, variance = symbols[some], noise_var[some]
    known = sent[:, some] * channel[:, some]
    each = np.where(variance > 0, 1 / np.maximum(variance, _LEAST), np.float32(0))
    left, off = square(heard - known.sum(0)), square(heard - target[some])
    carrier, row = places[:, : left.size]
    by_carrier[:] = np.bincount(carrier, (left * each).ravel(), by_carrier.size)
    by_row[:] = np.bincount(row, (left * each).ravel(), by_row.size)
    parts, weighed = known.reshape(len(known), -1), (known * each).reshape(len(known), -1).conj()
    gram[:, :-1], gram[:, -1] = weighed @ parts.T, weighed @ heard.ravel()
    return float(left.sum(dtype=np.float64)), float(off.sum(dtype=np.float64))


def kurtosis(samples: NDArray[np.int16]) -> float:
    """Excess kurtosis of I and Q, int16 [n, 2], each about its mean; 0 of none, or of constant ones."""
    if not samples.size:
        return 0.0
    values = np.empty((2, len(samples)), np.float32)
    values[:] = samples.T
    values -= values.mean(1, dtype=np.float64, keepdims=True).astype(np.float32)
    squares = np.square(values, out=values).reshape(-1)
    power = float(squares.mean())
    return float(squares @ squares) / squares.size / power**2 - 3 if power > 0 else 0.0
