"""How much of what sounding symbols leave unexplained follows a pattern, without compiled code; and what is to be done."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.phy.tracking_plain import spin, square

__all__ = ["moments", "survey"]

Floats = NDArray[np.float32]


def moments(samples: Floats) -> tuple[float, float, float]:
    """Sums of I, of Q and of their squares of float32 [2 n]."""
    values = samples.astype(np.float64)
    return float(values[::2].sum()), float(values[1::2].sum()), float(values @ values)


def survey(
    grid: Floats, turned: Floats, locked: bool, slot: int, looks: int, response: Floats, mixed: Any, offsets: Any,
    undo_r: Floats, undo_i: Floats, sounding_r: Floats, sounding_i: Floats, links: Any, errors: Floats, info: Any, limits: Any,
    stats: Any, sure: Any,
) -> float:  # fmt: skip
    """Regressions of all slots' residuals on the three patterns, and carrier offsets on a shared clock.

    Residuals are looks at the channel less the channel, which may turn from symbol to symbol.

    Args:
        grid: float32 [frame, row, 2 N], spectra of the frame's rows, interleaved.
        turned: float32 [frame, tx · looks, 2 N], those of the slots' windows freed of the opposite carrier offset.
        locked: no carrier is offset: one image, and no DC offset on any carrier.
        slot: sounding symbols of a slot; looks: how many of them are compared.
        response: float32 [frame, tx, 2 · active], channels.
        mixed: float64 [frame, tx], carrier offsets taken out; offsets: int64 [row], first samples of the rows' windows.
        undo_r, undo_i: float32 [active]; sounding_r, sounding_i: float32 [tx, symbol, active], conjugates of what was sent.
        stats: float64 [3, tx, frame, 4], output for DC, the receiver's image and the transmitter's: real and imaginary part
            of the coefficient, F statistic (by chance exponential of mean 1), and power of the pattern.
        links, errors, info: `links`, `symbol_error` and `info` of `hil.phy.reception.Rows`.
        limits: float64 [5]: F statistic that is sure; standard errors that are, of a carrier offset; what its error is at
            least (cycles a sample); sum of the sounding symbols' errors over the noise that makes doubtful; how sure that is.
        sure: float64 [frame, 4], output: DC, receiver's image, transmitters', carrier offset; above 1 where they are there.

    Returns:
        the largest `sure`.
    """
    half, size = undo_r.size // 2, grid.shape[2] // 2
    carriers = np.concatenate([np.arange(-half, 0), np.arange(1, half + 1)])
    for tx in range(mixed.shape[1]):
        known = (undo_r + 1j * undo_i) * (sounding_r[tx, :looks] + 1j * sounding_i[tx, :looks])
        rows = slice(tx * slot, tx * slot + looks)
        for f in range(len(grid)):
            channel, spectra = response[f, tx].view(np.complex64), grid[f, rows].view(np.complex64)
            seen = spectra[:, carriers % size] * known
            gains = (seen @ channel.conj()) / max(float(square(channel).sum()), 1e-30)
            left = seen - gains[:, None] * channel
            patterns = [np.zeros_like(left), np.zeros_like(left), spectra[:, -carriers % size].conj() * known]
            if not locked:
                other = turned[f, tx * looks : (tx + 1) * looks].view(np.complex64)
                patterns[1] = other[:, -carriers % size].conj() * known
                tone = np.fft.fft(spin(-2 * math.pi * mixed[f, tx] * np.arange(size)))[carriers % size]
                patterns[0] = spin(-2 * math.pi * mixed[f, tx] * offsets[rows])[:, None] * tone * known
            power = float(square(left).sum())
            for kind, pattern in enumerate(patterns):
                strength = max(float(square(pattern).sum()), 1e-30)
                both = complex((left * pattern.conj()).sum())
                explained = abs(both) ** 2 / strength
                statistic = left.size * explained / max(power - explained, 1e-30)
                stats[kind, tx, f] = both.real / strength, both.imag / strength, statistic, strength
    sure[:] = 0
    sure[:, 2] = stats[2, :, :, 2].max(0) / limits[0]
    if locked:
        sure[:, 3] = (np.abs(links[:, :, 0] - mixed) / (limits[1] * (links[:, :, 1] + limits[2]))).max(1)
        doubtful = (errors[:, : mixed.shape[1] * slot].sum(1) > limits[3] * info[:, 0]) | (info[:, 2] < 0)
        sure[doubtful, 3] = np.maximum(sure[doubtful, 3], limits[4])
    else:
        sure[:, :2] = stats[:2, :, :, 2].sum(1).T / limits[0]
    return float(sure.max(initial=0))
