"""What leaks over the edges of a symbol when a path's delay is not a whole number of samples.

A band-limited delay rings at half the sample rate: the next symbol rings into the end of a window, the previous one into
its beginning, about −45 dB with half a sample. The ringing lies in a few dimensions and mostly outside the active band, so
that the guard carriers tell what it adds on the active ones: a linear (Wiener) estimate from its covariance removes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hil.phy.numerology import Numerology

__all__ = ["guard_filter"]

Complexes = NDArray[np.complex128]
_REACH = 24
"""Samples of a neighbouring symbol that ring into the window."""
_MOST_GUARDS = 24
"""Guard carriers used: the ringing has fewer dimensions."""
_KAISER, _HALF_WIDTH = 8.0, 16.0


def _delay_response(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Band-limited interpolation: a sinc in a Kaiser window, as converters' filters come near to."""
    inside = np.clip(1 - (times / _HALF_WIDTH) ** 2, 0, None)
    window = np.i0(_KAISER * np.sqrt(inside)) / np.i0(_KAISER)
    return np.where(np.abs(times) < _HALF_WIDTH, np.sinc(times) * window, 0.0)


def _spills(numerology: Numerology, advance: int) -> Iterator[tuple[float, Complexes]]:
    """Spectra of what rings into a window: weight and [N, sample beyond the edge], for each delay and either edge.

    Half of the power comes within ±0.6 sample, the rest later, 1 dB less with each sample.
    """
    size = numerology.fft_size
    # The window ends `advance` before its symbol does, and begins prefix − advance after it.
    begin, end = numerology.cyclic_prefix - advance, advance + 1
    delays = np.concatenate([np.linspace(-0.6, 0.6, 13), np.linspace(0.65, max(1.0, begin - 1.5), 40)])
    weights = np.concatenate([np.full(13, 1 / 26), 10 ** (-delays[13:] / 10)])
    weights[13:] *= 0.5 / weights[13:].sum()
    window, lags = np.arange(size), np.arange(_REACH)
    for delay, weight in zip(delays, weights, strict=True):
        for places in (size - 1 + end + lags, -begin - _REACH + lags):
            ringing = _delay_response(window[:, None] - places[None, :] - delay)
            yield weight, np.fft.fft(ringing, axis=0) / np.sqrt(size)


@lru_cache(maxsize=16)
def guard_filter(numerology: Numerology, advance: int, ridge: float) -> tuple[NDArray[np.int64], Complexes, float]:
    """Estimate of the leakage on active carriers from the guard carriers.

    Args:
        numerology: carriers and prefix.
        advance: samples by which FFT windows start early.
        ridge: noise power a carrier (unit-power carriers) for which the filter is made.

    Returns:
        guard: int64 [guard], bins (without DC) that it listens to;
        weights: complex128 [guard, active], leakage = Σ_g spectrum[guard[g]] · weights[g];
        limit: power on a guard carrier, of unit-power active ones, beyond which what is heard there is no leakage: 4 dB
            above its mean over delays.
    """
    bins, size = np.array(numerology.bins), numerology.fft_size
    guard = np.array([index for index in numerology.null_bins if index != 0], np.int64)
    if guard.size > _MOST_GUARDS:
        guard = guard[np.linspace(0, guard.size - 1, _MOST_GUARDS).round().astype(int)]
    lags = np.arange(_REACH)
    phases = np.exp(2j * np.pi / size * (lags[:, None] - lags[None, :])[..., None] * bins)
    sent = 2 * phases.sum(-1) / size  # foreign symbol, and what would have continued this one
    own = np.zeros((guard.size, guard.size), complex)
    cross = np.zeros((bins.size, guard.size), complex)
    for weight, spill in _spills(numerology, advance):
        heard = weight * (sent @ spill[guard].conj().T)
        own += spill[guard] @ heard
        cross += spill[bins] @ heard  # E[active · conj(guard)]
    weights = np.linalg.solve((own + ridge * np.eye(guard.size)).T, cross.T)
    return guard, weights, 2.5 * float(np.diag(own).real.mean()) if guard.size else 0.0
