"""How much of what sounding symbols leave unexplained follows a pattern, without compiled code; and what is to be done."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.phy.tracking_plain import square

__all__ = ["explain", "moments"]

Floats = NDArray[np.float32]


def moments(samples: Floats) -> tuple[float, float, float]:
    """Sums of I, of Q and of their squares of float32 [2 n]."""
    values = samples.astype(np.float64)
    return float(values[::2].sum()), float(values[1::2].sum()), float(values @ values)


def explain(
    grid: Floats, other: Floats, mirror: bool, response: Floats, undo_r: Floats, undo_i: Floats, sr: Floats, si: Floats, out: Any
) -> None:
    """Regression of a slot's residuals on a pattern.

    Residuals are looks at the channel less the channel, which may turn from symbol to symbol.

    Args:
        grid: float32 [frame, symbol, 2 N], spectra of the slot's windows, interleaved.
        other: the same of the pattern; mirror: its conjugate at the mirrored carrier is meant.
        response: float32 [frame, 2 · active], the channel.
        undo_r, undo_i: float32 [active]; sr, si: float32 [symbol, active], conjugates of what was sent.
        out: float64 [frame, 4]: real and imaginary part of the coefficient, F statistic (about 1 by chance, χ² with two degrees
            of freedom over 2), and power of the pattern.
    """
    half, size = undo_r.size // 2, grid.shape[2] // 2
    bins = np.concatenate([np.arange(size - half, size), np.arange(1, half + 1)])
    known = (undo_r + 1j * undo_i) * (sr + 1j * si)
    for f in range(len(grid)):
        channel = response[f].view(np.complex64)
        looks = grid[f].view(np.complex64)[:, bins] * known
        pattern = other[f].view(np.complex64)
        pattern = (pattern[:, size - bins].conj() if mirror else pattern[:, bins]) * known
        turns = (looks @ channel.conj()) / max(float(square(channel).sum()), 1e-30)
        left = looks - turns[:, None] * channel
        seen = max(float(square(pattern).sum()), 1e-30)
        both = complex((left * pattern.conj()).sum())
        explained = abs(both) ** 2 / seen
        rest = max(float(square(left).sum()) - explained, 1e-30)
        out[f] = both.real / seen, both.imag / seen, left.size * explained / rest, seen
