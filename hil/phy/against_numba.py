"""Received symbols against what was sent, and how samples are spread (numba); the same as `hil.phy.against_plain`."""

from __future__ import annotations

import numpy as np
from numba import njit

from hil.phy.tracking_numba import FAST

__all__ = ["compare", "kurtosis"]

_BLOCK = 4096
"""Samples whose powers are added up in single precision."""
_USES = 512
"""Uses worked on at a time, which stay in the nearest cache."""


@njit(cache=True, fastmath=FAST, error_model="numpy")
def _apart(y, v, t, yr, yi, each):
    """Real and imaginary parts of a row, and 1/σ²; Σ |y − t|²."""
    for u in range(v.shape[0]):
        yr[u] = y[2 * u]
        yi[u] = y[2 * u + 1]
        each[u] = 1 / max(v[u], np.float32(1e-30)) if v[u] > 0 else np.float32(0)
    total = np.float32(0)
    for u in range(v.shape[0]):
        a, b = y[2 * u] - t[2 * u], y[2 * u + 1] - t[2 * u + 1]
        total += a * a + b * b
    return total


@njit(cache=True, fastmath=FAST, error_model="numpy")
def _expect(h, x, pr, pi, er, ei):
    """Products h x, and e less them."""
    for u in range(pr.shape[0]):
        pr[u] = h[2 * u] * x[2 * u] - h[2 * u + 1] * x[2 * u + 1]
        pi[u] = h[2 * u] * x[2 * u + 1] + h[2 * u + 1] * x[2 * u]
    for u in range(pr.shape[0]):
        er[u] -= pr[u]
        ei[u] -= pi[u]


@njit(cache=True, fastmath=FAST, error_model="numpy")
def _product(ar, ai, br, bi, each):
    """Σ a* b/σ²."""
    real, imag = np.float32(0), np.float32(0)
    for u in range(each.shape[0]):
        real += (ar[u] * br[u] + ai[u] * bi[u]) * each[u]
        imag += (ar[u] * bi[u] - ai[u] * br[u]) * each[u]
    return complex(real, imag)


@njit(cache=True, fastmath=FAST, error_model="numpy")
def _errors(er, ei, each, left):
    """|e|²/σ²; Σ |e|²."""
    total = np.float32(0)
    for u in range(left.shape[0]):
        total += er[u] * er[u] + ei[u] * ei[u]
    for u in range(left.shape[0]):
        left[u] = (er[u] * er[u] + ei[u] * ei[u]) * each[u]
    return total


@njit(cache=True, error_model="numpy")
def compare(first, count, symbols, noise_var, channel, sent, target, places, by_carrier, by_row, gram):
    """Symbols of some tasks against Σ h x, and how h x of each transmitter goes with them."""
    many, uses = channel.shape[0], symbols.shape[1]
    y, t, v = symbols.reshape(-1).view(np.float32), target.reshape(-1).view(np.float32), noise_var.reshape(-1)
    pr, pi = np.empty((many, _USES), np.float32), np.empty((many, _USES), np.float32)
    spare = np.empty((6, _USES), np.float32)
    by_carrier[:] = 0
    by_row[:] = 0
    gram[:] = 0
    missed, off = 0.0, 0.0
    for begin in range(0, count * uses, _USES):
        size = min(_USES, count * uses - begin)
        low, high = first * uses + begin, first * uses + begin + size
        yr, yi, er, ei = spare[0, :size], spare[1, :size], spare[2, :size], spare[3, :size]
        each, left = spare[4, :size], spare[5, :size]
        off += _apart(y[2 * low : 2 * high], v[low:high], t[2 * low : 2 * high], yr, yi, each)
        er[:] = yr
        ei[:] = yi
        for k in range(many):
            h, x = channel[k].reshape(-1).view(np.float32), sent[k].reshape(-1).view(np.float32)
            _expect(h[2 * low : 2 * high], x[2 * low : 2 * high], pr[k, :size], pi[k, :size], er, ei)
        missed += _errors(er, ei, each, left)
        for k in range(many):
            for j in range(many):
                gram[j, k] += _product(pr[j], pi[j], pr[k], pi[k], each)
            gram[k, many] += _product(pr[k], pi[k], yr, yi, each)
        for u in range(size):
            by_carrier[places[0, begin + u]] += left[u]
            by_row[places[1, begin + u]] += left[u]
    return missed, off


@njit(cache=True, fastmath=FAST, error_model="numpy")
def kurtosis(samples):
    """Excess kurtosis of I and Q, int16 [n, 2], each about its mean; 0 of none, or of constant ones."""
    count = samples.shape[0]
    if count == 0:
        return 0.0
    a, b = np.int64(0), np.int64(0)
    for i in range(count):
        a += samples[i, 0]
        b += samples[i, 1]
    mean_r, mean_i = np.float32(a / count), np.float32(b / count)
    power, fourth = 0.0, 0.0
    for begin in range(0, count, _BLOCK):
        p, q = np.float32(0), np.float32(0)
        for i in range(begin, min(begin + _BLOCK, count)):
            x, y = np.float32(samples[i, 0]) - mean_r, np.float32(samples[i, 1]) - mean_i
            p += x * x + y * y
            q += x * x * x * x + y * y * y * y
        power += p
        fourth += q
    return 2 * count * fourth / (power * power) - 3 if power > 0 else 0.0
