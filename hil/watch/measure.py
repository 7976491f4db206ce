"""What is measured of a block of samples, whatever is in it: spectrum, level, distance to both rails."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hil.points.clips import clipped

__all__ = ["BINS", "FLOOR_DB", "RBW_BINS", "Levels", "levels", "spectrum_db"]

BINS = 1024
FLOOR_DB = -150.0
"""Stands for no power at all."""
SEGMENTS = 32
"""Parts of a block that are averaged at most, spread evenly over it."""
RBW_BINS = 2.0044
"""Equivalent noise bandwidth of the window, bins: white noise of power P shows as P · RBW_BINS / BINS in each bin."""
_TERMS = (0.35875, 0.48829, 0.14128, 0.01168)


@dataclass(frozen=True, kw_only=True)
class Levels:
    """How far a block drove the converter.

    Attributes:
        rms_dbfs: of I² + Q², full scale² = 1; None where all is zero.
        upper_db, lower_db: from the highest (lowest) value of I or Q to the rail above (below) it; 0 = at the rail.
        clipped_high, clipped_low: values at the rail; clipped: samples of which one is.
        dc_dbfs: of the mean; None where it is zero.
    """

    rms_dbfs: float | None
    upper_db: float | None
    lower_db: float | None
    clipped_high: int
    clipped_low: int
    clipped: int
    dc_dbfs: float | None


def levels(samples: NDArray[np.int16], full_scale: float) -> Levels:
    """Level and headroom of raw samples.

    Args:
        samples: int16 [n, 2].
        full_scale: int16 value of full scale; the converter reaches from −full_scale to full_scale − 1.
    """
    counts = clipped(samples, full_scale)
    if not len(samples):
        return Levels(rms_dbfs=None, upper_db=None, lower_db=None, dc_dbfs=None, clipped_high=0, clipped_low=0, clipped=0)
    values = samples.astype(np.float32) / np.float32(full_scale)
    mean = values.mean(0, dtype=np.float64)
    top, bottom = int(samples.max()), int(samples.min())
    return Levels(
        rms_dbfs=_db(2 * float(np.mean(np.square(values), dtype=np.float64))),
        upper_db=_room(top, full_scale - 1),
        lower_db=_room(-bottom, full_scale),
        clipped_high=counts["clipped_high"],
        clipped_low=counts["clipped_low"],
        clipped=counts["clipped"],
        dc_dbfs=_db(float(mean @ mean)),
    )


def spectrum_db(samples: NDArray[np.int16], full_scale: float, bins: int = BINS) -> NDArray[np.float32]:
    """Mean power spectrum (Welch: Blackman-Harris window, parts half over each other), float32 [bin], dBFS.

    A tone of amplitude full scale at a bin's centre shows as 0. Bin `bins` // 2 is the carrier; frequency ascends. A block of
    less than `bins` samples is one part, filled up with zeros.

    Args:
        samples: int16 [n, 2]; full_scale: their int16 value of full scale.
        bins: points of the transform.
    """
    if not len(samples):
        return np.full(bins, FLOOR_DB, np.float32)
    length = min(bins, len(samples))
    count = max(1, 2 * (len(samples) - length) // bins + 1)
    firsts = (np.unique(np.linspace(0, count - 1, min(count, SEGMENTS)).round()) * (bins / 2)).astype(np.int64)
    window = _window(length)
    values = samples.astype(np.float32).view(np.complex64)[:, 0]
    parts = np.lib.stride_tricks.sliding_window_view(values, length)[firsts] * window
    spectra = np.fft.fft(parts, bins)
    power = np.mean(spectra.real**2 + spectra.imag**2, axis=0) / (float(window.sum()) * full_scale) ** 2
    shown: NDArray[np.float32] = (10 * np.log10(np.maximum(np.fft.fftshift(power), 10 ** (FLOOR_DB / 10)))).astype(np.float32)
    return shown


@lru_cache(maxsize=4)
def _window(length: int) -> NDArray[np.float32]:
    phase = 2 * np.pi * np.arange(length) / length
    shape = sum((-1) ** k * a * np.cos(k * phase) for k, a in enumerate(_TERMS))
    return np.asarray(shape, np.float32)


def _room(extreme: int, rail: float) -> float | None:
    """From an extreme value to the rail in its direction, dB; None where nothing goes in this direction."""
    return max(0.0, -20 * math.log10(extreme / rail)) if extreme > 0 else None


def _db(power: float) -> float | None:
    return 10 * math.log10(power) if power > 0 else None
