"""A frame's rows to active carriers, and each transmitter's channel from its sounding slot (numba)."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from hil.phy.shape_numba import join
from hil.phy.tracking_numba import FAST, ramp, slot_rate

__all__ = ["power", "power_of", "sound", "to_active", "unleak"]


@njit(cache=True, fastmath=FAST, error_model="numpy")
def to_active(grid, half, undo_r, undo_i, yr, yi):
    """Active carriers of all rows, times `undo`."""
    rows, width = grid.shape
    size = width // 2
    for r in range(rows):
        low = grid[r, 2 * (size - half) :]
        high = grid[r, 2 : 2 + 2 * half]
        for c in range(half):
            yr[r, c] = low[2 * c] * undo_r[c] - low[2 * c + 1] * undo_i[c]
            yi[r, c] = low[2 * c] * undo_i[c] + low[2 * c + 1] * undo_r[c]
        for c in range(half):
            yr[r, half + c] = high[2 * c] * undo_r[half + c] - high[2 * c + 1] * undo_i[half + c]
            yi[r, half + c] = high[2 * c] * undo_i[half + c] + high[2 * c + 1] * undo_r[half + c]


@njit(cache=True, fastmath=FAST, error_model="numpy")
def power(xr, xi):
    """Mean |x|²."""
    total = np.float32(0)
    for r in range(xr.shape[0]):
        for c in range(xr.shape[1]):
            total += xr[r, c] * xr[r, c] + xi[r, c] * xi[r, c]
    return total / max(xr.size, 1)


@njit(cache=True, fastmath=FAST, error_model="numpy")
def power_of(grid, bins):
    """Mean power on some bins."""
    total = np.float32(0)
    for r in range(grid.shape[0]):
        for b in bins:
            total += grid[r, 2 * b] * grid[r, 2 * b] + grid[r, 2 * b + 1] * grid[r, 2 * b + 1]
    return total / max(grid.shape[0] * bins.shape[0] * (grid.shape[1] // 2), 1)


@njit(cache=True, fastmath=FAST, error_model="numpy")
def unleak(grid, guard, leak_r, leak_i, undo_r, undo_i, yr, yi, spare):
    """Take off the active carriers what the guard carriers tell of leakage; see `hil.phy.leakage`. spare: [≥ 2, > active]."""
    width = yr.shape[1]
    sum_r, sum_i = spare[0, :width], spare[1, :width]
    for r in range(grid.shape[0]):
        sum_r[:] = 0
        sum_i[:] = 0
        for g in range(guard.shape[0]):
            a, b = grid[r, 2 * guard[g]], grid[r, 2 * guard[g] + 1]
            for c in range(width):
                sum_r[c] += a * leak_r[g, c] - b * leak_i[g, c]
                sum_i[c] += a * leak_i[g, c] + b * leak_r[g, c]
        for c in range(width):
            yr[r, c] -= sum_r[c] * undo_r[c] - sum_i[c] * undo_i[c]
            yi[r, c] -= sum_r[c] * undo_i[c] + sum_i[c] * undo_r[c]


@njit(cache=True, fastmath=FAST, error_model="numpy")
def _spin(rr, ri, pr, pi, c, s):
    """One row times (pr + j pi)(c + j s), in place."""
    for n in range(rr.shape[0]):
        xr = pr[n] * c - pi[n] * s
        xi = pr[n] * s + pi[n] * c
        a = rr[n] * xr - ri[n] * xi
        ri[n] = rr[n] * xi + ri[n] * xr
        rr[n] = a


@njit(cache=True, fastmath=FAST, error_model="numpy")
def _project(xr, xi, ur, ui, hr, hi):
    """Projection of a row on the basis."""
    hr[:] = 0
    hi[:] = 0
    for d in range(ur.shape[0]):
        a = np.float32(0)
        b = np.float32(0)
        for c in range(xr.shape[0]):
            a += ur[d, c] * xr[c] + ui[d, c] * xi[c]
            b += ur[d, c] * xi[c] - ui[d, c] * xr[c]
        for c in range(xr.shape[0]):
            hr[c] += a * ur[d, c] - b * ui[d, c]
            hi[c] += a * ui[d, c] + b * ur[d, c]


@njit(cache=True, fastmath=FAST, error_model="numpy")
def sound(
    yr, yi, sr, si, ur, ui, leverage, tilt, locked, noise, size, memory, known, trust, spare, hr, hi, error_of, told,
    carrier_error, symbol_error,
):  # fmt: skip
    """Channel of one transmitter from its slot.

    Sums have loops of their own, here and in the other kernels: where a loop also stores, the compiled code asks where
    the arrays lie before it adds in vectors, and a sum's last bit would depend on that.

    Args:
        yr, yi, sr, si: [symbol, carrier], its slot and the conjugates of what was sent.
        ur, ui: [dimension, carrier], orthonormal basis of the channel; leverage: [carrier], of a projection on it.
        tilt: phase that the clock adds a carrier and symbol, as far as it is known.
        noise: of the silent symbol; size: N; memory: sounding symbols that a channel's shape rests on at most.
        known, trust, told: of one frame and transmitter, see `hil.phy.reception.Rows`.
        spare: [2 symbols + 6, carriers + 1].
        hr, hi: [carrier], output; error_of: float64 [carrier], output, their error over the noise.
        carrier_error: added to; symbol_error: output.

    Returns:
        unbiased power, mean |H|², phase step a symbol (taken out unless `locked`), its variance over the noise.
    """
    count, width = yr.shape
    tr, ti = spare[0, : width // 2 + 1], spare[1, : width // 2 + 1]
    pr, pi, total_r, total_i = spare[2, :width], spare[3, :width], spare[4, :width], spare[5, :width]
    rr, ri = spare[6 : 6 + count, :width], spare[6 + count : 6 + 2 * count, :width]
    for m in range(count):
        for c in range(width):
            rr[m, c] = yr[m, c] * sr[m, c] - yi[m, c] * si[m, c]
            ri[m, c] = yr[m, c] * si[m, c] + yi[m, c] * sr[m, c]
        if tilt != 0:
            ramp(-tilt * (m - 0.5 * (count - 1)), tr, ti, pr, pi)
            _spin(rr[m], ri[m], pr, pi, np.float32(1), np.float32(0))
    rate = 0.0
    if not locked:
        rate = slot_rate(rr, ri, ur, ui)
        pr[:] = 1
        pi[:] = 0
        for m in range(count):
            angle = -rate * (m - 0.5 * (count - 1))
            _spin(rr[m], ri[m], pr, pi, np.float32(math.cos(angle)), np.float32(math.sin(angle)))
    total_r[:] = 0
    total_i[:] = 0
    apart = np.float32(0)
    for m in range(count):
        for c in range(width):
            total_r[c] += rr[m, c]
            total_i[c] += ri[m, c]
        for c in range(width):
            apart += rr[m, c] * rr[m, c] + ri[m, c] * ri[m, c]
    together = np.float32(0)
    for c in range(width):
        together += total_r[c] * total_r[c] + total_i[c] * total_i[c]
    for c in range(width):
        total_r[c] /= np.float32(count)
        total_i[c] /= np.float32(count)
    join(total_r, total_i, count, known, trust, apart, noise, ur, ui, leverage, size, memory, error_of, told)
    _project(total_r, total_i, ur, ui, hr, hi)
    strength = np.float32(0)
    for c in range(width):
        strength += hr[c] * hr[c] + hi[c] * hi[c]
    for c in range(width):
        pr[c] = 1 / (1 - np.float32(error_of[c]))  # of a residual's noise power, its projection is missing
    turned = 0.0
    for m in range(count):
        error = np.float32(0)
        quadrature = np.float32(0)
        for c in range(width):
            a = rr[m, c] - hr[c]
            b = ri[m, c] - hi[c]
            carrier_error[c] += (a * a + b * b) * pr[c]
        for c in range(width):
            a = rr[m, c] - hr[c]
            b = ri[m, c] - hi[c]
            error += (a * a + b * b) * pr[c]
            quadrature += ri[m, c] * hr[c] - rr[m, c] * hi[c]
        symbol_error[m] = error
        turned += quadrature * (m - 0.5 * (count - 1))
    lever = count * (count * count - 1.0) / 12
    weight = max(np.float64(strength) * lever, 1e-60)
    unbiased = (together - apart) / (count * (count - 1.0) * width)
    return unbiased, strength / width, turned / weight if locked else rate, 0.5 / weight
