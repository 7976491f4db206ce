"""What leaks over the edges of a symbol when a path's delay is not a whole number of samples.

A band-limited delay rings at half the sample rate: the next symbol rings into the end of a window, the previous one into
its beginning, about −45 dB with half a sample. The ringing lies in a few dimensions and mostly outside the active band, so
that the guard carriers tell what it adds on the active ones: a linear (Wiener) estimate from its covariance removes it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.phy.numerology import Numerology

__all__ = ["edge_covariance", "guard_filter"]

Complexes = NDArray[np.complex128]
_REACH = 24
_KAISER, _HALF_WIDTH = 8.0, 16.0


def _delay_response(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Band-limited interpolation: a sinc in a Kaiser window, as converters' filters come near to."""
    inside = np.clip(1 - (times / _HALF_WIDTH) ** 2, 0, None)
    window = np.i0(_KAISER * np.sqrt(inside)) / np.i0(_KAISER)
    return np.where(np.abs(times) < _HALF_WIDTH, np.sinc(times) * window, 0.0)


def edge_covariance(count: int, begin: int, end: int, numerology: Numerology, spread: float) -> Complexes:
    """Covariance of what rings into a window from beyond the edges of what was sent, unit-power carriers and channel.

    Args:
        count: samples of the window.
        begin, end: samples from the edge before to the window's first sample, and from its last to the first beyond.
        numerology: the carriers, which shape the spectrum of what is beyond.
        spread: largest delay of a path, samples; power falls 1 dB a sample, earlier ones lie within ±0.6 sample.

    Returns:
        complex128 [count, count].
    """
    carriers, size = np.array(numerology.carriers), numerology.fft_size
    lags = np.arange(_REACH)
    phases = np.exp(2j * np.pi / size * (lags[:, None] - lags[None, :])[..., None] * carriers)
    sent = 2 * phases.sum(-1) / size  # foreign symbol, and what would have continued this one
    delays = np.concatenate([np.linspace(-0.6, 0.6, 13), np.linspace(0.65, max(0.7, spread), 40)])
    weights = np.concatenate([np.full(13, 1 / 26), 10 ** (-delays[13:] / 10)])
    weights[13:] *= 0.5 / weights[13:].sum()
    window = np.arange(count)
    total = np.zeros((count, count), complex)
    for delay, weight in zip(delays, weights, strict=True):
        for places in (count - 1 + end + lags, -begin - _REACH + lags):
            spill = _delay_response(window[:, None] - places[None, :] - delay)
            total += weight * (spill @ sent @ spill.T)
    return total


def guard_filter(numerology: Numerology, advance: int, ridge: float) -> tuple[Any, Complexes, Complexes]:
    """Estimate of the leakage on active carriers from the guard carriers, and where no leakage is to be expected.

    Args:
        numerology: carriers and prefix.
        advance: samples by which FFT windows start early.
        ridge: noise power a carrier (unit-power carriers) for which the filter is made.

    Returns:
        guard: int64 [guard], their bins (without DC);
        weights: complex128 [guard, N], leakage = Σ_g weights[g] · spectrum[guard[g]], zero but on active carriers;
        quiet: complex128 [direction, guard], unit vectors orthogonal to the leakage, to measure noise with.
    """
    size = numerology.fft_size
    # The window ends `advance` before its symbol does, and begins prefix − advance after it.
    cover = edge_covariance(
        size, numerology.cyclic_prefix - advance, advance + 1, numerology, max(1.0, numerology.cyclic_prefix - advance - 1.5)
    )
    fourier = np.exp(-2j * np.pi / size * np.outer(np.arange(size), np.arange(size))) / np.sqrt(size)
    spectrum = fourier @ cover @ fourier.conj().T
    guard = np.array([index for index in numerology.null_bins if index != 0] or [0], np.int64)
    own = spectrum[np.ix_(guard, guard)]
    cross = spectrum[np.ix_(np.arange(size), guard)]  # E[active · conj(guard)]
    weights = np.linalg.solve((own + ridge * np.eye(guard.size)).T, cross.T)
    active = np.zeros(size, bool)
    active[list(numerology.bins)] = True
    _, vectors = np.linalg.eigh(own)
    return guard, weights * active, vectors[:, : max(1, (guard.size + 1) // 2)].conj().T
