"""Vector steps of the detection kernels (numba): sums over chips, filters, tables of phases."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

__all__ = [
    "add", "box", "chip_sums", "combine", "combine_real", "deinterleave", "excess", "filter", "phasors", "products", "signed",
    "window_power",
]  # fmt: skip

_FAST = {"contract", "reassoc", "nsz", "nnan", "arcp"}
_TILE = 512
_CHIP = 16


@njit(cache=True, fastmath=_FAST)
def box(series, scratch, out):
    """Moving sums over 16; `out` is 16 shorter than `series`."""
    count = out.shape[0]
    for n in range(count + 12):
        scratch[n] = (series[n] + series[n + 1]) + (series[n + 2] + series[n + 3])
    for n in range(count):
        out[n] = (scratch[n] + scratch[n + 4]) + (scratch[n + 8] + scratch[n + 12])


@njit(cache=True, fastmath=_FAST)
def add(first, second, out, count):
    """Out = first + second on `count` values."""
    for n in range(count):
        out[n] = first[n] + second[n]


@njit(cache=True, fastmath=_FAST)
def window_power(power, spare, other, total, chips):
    """Σ |y|² over 16 · chips samples at 512 positions; destroys `power` and the two spares, which are as long."""
    size = power.shape[0] - _CHIP
    box(power, spare, other[:size])
    current, following = other, power
    for n in range(_TILE):
        total[n] = 0
    offset = 0
    bit = 1
    while bit <= chips:
        if chips & bit:
            shifted = current[offset : offset + _TILE]
            for n in range(_TILE):
                total[n] += shifted[n]
            offset += bit * _CHIP
        if 2 * bit <= chips:
            size -= bit * _CHIP
            add(current, current[bit * _CHIP :], following, size)
            current, following = following, current
        bit *= 2


@njit(cache=True, fastmath=_FAST)
def filter(yr, yi, pr, pi, out_r, out_i, count):
    """out[n] = Σ_i y[n + i] p[i] over 16 taps."""
    for n in range(count):
        out_r[n] = 0
        out_i[n] = 0
    for i in range(0, _CHIP, 4):
        p0, p1, p2, p3 = pr[i], pr[i + 1], pr[i + 2], pr[i + 3]
        q0, q1, q2, q3 = pi[i], pi[i + 1], pi[i + 2], pi[i + 3]
        a = yr[i:]
        b = yi[i:]
        for n in range(count):
            out_r[n] += (
                p0 * a[n] + p1 * a[n + 1] + p2 * a[n + 2] + p3 * a[n + 3]
                - q0 * b[n] - q1 * b[n + 1] - q2 * b[n + 2] - q3 * b[n + 3]
            )  # fmt: skip
            out_i[n] += (
                p0 * b[n] + p1 * b[n + 1] + p2 * b[n + 2] + p3 * b[n + 3]
                + q0 * a[n] + q1 * a[n + 1] + q2 * a[n + 2] + q3 * a[n + 3]
            )  # fmt: skip


@njit(cache=True, fastmath=_FAST)
def combine(cr, ci, wr, wi, out_r, out_i, count):
    """out[n] = Σ_r c[n + 16 r] w[r]; the number of terms is a multiple of 5."""
    for n in range(count):
        out_r[n] = 0
        out_i[n] = 0
    for g in range(0, wr.shape[0], 5):
        w0, w1, w2, w3, w4 = wr[g], wr[g + 1], wr[g + 2], wr[g + 3], wr[g + 4]
        v0, v1, v2, v3, v4 = wi[g], wi[g + 1], wi[g + 2], wi[g + 3], wi[g + 4]
        a = cr[g * _CHIP :]
        b = ci[g * _CHIP :]
        for n in range(count):
            out_r[n] += (
                w0 * a[n] + w1 * a[n + 16] + w2 * a[n + 32] + w3 * a[n + 48] + w4 * a[n + 64]
                - v0 * b[n] - v1 * b[n + 16] - v2 * b[n + 32] - v3 * b[n + 48] - v4 * b[n + 64]
            )  # fmt: skip
            out_i[n] += (
                w0 * b[n] + w1 * b[n + 16] + w2 * b[n + 32] + w3 * b[n + 48] + w4 * b[n + 64]
                + v0 * a[n] + v1 * a[n + 16] + v2 * a[n + 32] + v3 * a[n + 48] + v4 * a[n + 64]
            )  # fmt: skip


@njit(cache=True, fastmath=_FAST)
def combine_real(cr, ci, wr, out_r, out_i, count):
    """As `_combine` with real weights."""
    for n in range(count):
        out_r[n] = 0
        out_i[n] = 0
    for g in range(0, wr.shape[0], 5):
        w0, w1, w2, w3, w4 = wr[g], wr[g + 1], wr[g + 2], wr[g + 3], wr[g + 4]
        a = cr[g * _CHIP :]
        b = ci[g * _CHIP :]
        for n in range(count):
            out_r[n] += w0 * a[n] + w1 * a[n + 16] + w2 * a[n + 32] + w3 * a[n + 48] + w4 * a[n + 64]
            out_i[n] += w0 * b[n] + w1 * b[n + 16] + w2 * b[n + 32] + w3 * b[n + 48] + w4 * b[n + 64]


@njit(cache=True, fastmath=_FAST)
def phasors(table_r, table_i, step):
    """exp(−j 2π step i) for i = 0, 1, … by doubling, in float64."""
    count = table_r.shape[0]
    table_r[0] = 1.0
    table_i[0] = 0.0
    done = 1
    while done < count:
        angle = -2 * math.pi * step * done
        c = math.cos(angle)
        s = math.sin(angle)
        for i in range(min(done, count - done)):
            table_r[done + i] = table_r[i] * c - table_i[i] * s
            table_i[done + i] = table_r[i] * s + table_i[i] * c
        done *= 2


@njit(cache=True, fastmath=_FAST)
def deinterleave(part, real, imag, count):
    """Interleaved values to real and imaginary."""
    for n in range(count):
        real[n] = part[2 * n]
        imag[n] = part[2 * n + 1]


@njit(cache=True, fastmath=_FAST)
def products(part, yr, yi, power, zr, zi):
    """Samples apart into real and imaginary, their power, and products with the sample 16 later."""
    for n in range(yr.shape[0]):
        a = part[2 * n]
        b = part[2 * n + 1]
        yr[n] = a
        yi[n] = b
        power[n] = a * a + b * b
    for n in range(zr.shape[0]):
        zr[n] = yr[n + _CHIP] * yr[n] + yi[n + _CHIP] * yi[n]
        zi[n] = yi[n + _CHIP] * yr[n] - yr[n + _CHIP] * yi[n]


@njit(cache=True, fastmath=_FAST)
def chip_sums(series, quarter, out):
    """Sums over 16 samples at every fourth position."""
    for m in range(quarter.shape[0]):
        quarter[m] = (series[4 * m] + series[4 * m + 1]) + (series[4 * m + 2] + series[4 * m + 3])
    for m in range(out.shape[0]):
        out[m] = (quarter[m] + quarter[m + 1]) + (quarter[m + 2] + quarter[m + 3])


@njit(cache=True, fastmath=_FAST)
def signed(boxes, signs, out):
    """out[m] = Σ_r signs[r] boxes[m + 4 r], seven terms at a time."""
    count = out.shape[0]
    for m in range(count):
        out[m] = 0
    for g in range(0, signs.shape[0], 7):
        d0, d1, d2, d3 = signs[g], signs[g + 1], signs[g + 2], signs[g + 3]
        d4, d5, d6 = signs[g + 4], signs[g + 5], signs[g + 6]
        b = boxes[4 * g :]
        for m in range(count):
            out[m] += (
                d0 * b[m] + d1 * b[m + 4] + d2 * b[m + 8] + d3 * b[m + 12] + d4 * b[m + 16] + d5 * b[m + 20] + d6 * b[m + 24]
            )


@njit(cache=True, fastmath=_FAST)
def excess(mr, mi, total, threshold, score, out):
    """|M|², and for each 16 positions whether one of them passes."""
    for m in range(score.shape[0]):
        score[m] = mr[m] * mr[m] + mi[m] * mi[m]
    for g in range(out.shape[0]):
        top = np.float32(-1.0)
        for m in range(16 * g, 16 * g + 16):
            value = score[m] - threshold * total[m] * total[m]
            top = value if value > top else top
        out[g] = top
