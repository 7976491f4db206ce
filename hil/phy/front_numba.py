"""How much of what sounding symbols leave unexplained follows a pattern (numba); the same as `hil.phy.front_plain`."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from hil.phy.tracking_numba import FAST

__all__ = ["moments", "survey"]


@njit(cache=True, fastmath=FAST, error_model="numpy")
def moments(samples):
    """Sums of I, of Q and of their squares of float32 [2 n]."""
    count = samples.shape[0] // 2
    a, b, c = 0.0, 0.0, 0.0
    for first in range(0, count, 4096):
        x, y, z = np.float32(0), np.float32(0), np.float32(0)
        for i in range(first, min(first + 4096, count)):
            x += samples[2 * i]
            y += samples[2 * i + 1]
            z += samples[2 * i] * samples[2 * i] + samples[2 * i + 1] * samples[2 * i + 1]
        a += x
        b += y
        c += z
    return a, b, c


@njit(cache=True, fastmath=FAST, error_model="numpy")
def _look(grid, row, er, ei, hr, hi, ur, ui):
    """Looks at the channel in one row less the channel, which may be turned as a whole; their power."""
    active = er.shape[0]
    half, size = active // 2, grid.shape[1] // 2
    gr, gi, strength = np.float32(0), np.float32(0), np.float32(1e-30)
    for c in range(active):
        n = size - half + c if c < half else c - half + 1
        x, y = grid[row, 2 * n], grid[row, 2 * n + 1]
        er[c], ei[c] = x * ur[c] - y * ui[c], x * ui[c] + y * ur[c]
    for c in range(active):
        gr += er[c] * hr[c] + ei[c] * hi[c]
        gi += ei[c] * hr[c] - er[c] * hi[c]
        strength += hr[c] * hr[c] + hi[c] * hi[c]
    gr /= strength
    gi /= strength
    rest = np.float32(0)
    for c in range(active):
        er[c] -= gr * hr[c] - gi * hi[c]
        ei[c] -= gr * hi[c] + gi * hr[c]
    for c in range(active):
        rest += er[c] * er[c] + ei[c] * ei[c]
    return rest


@njit(cache=True, fastmath=FAST, error_model="numpy")
def _mirrored(grid, row, ur, ui, pr, pi):
    """The pattern of an image: conjugates of the mirrored carriers."""
    active = pr.shape[0]
    half, size = active // 2, grid.shape[1] // 2
    for c in range(active):
        n = half - c if c < half else size - (c - half + 1)
        x, y = grid[row, 2 * n], -grid[row, 2 * n + 1]
        pr[c], pi[c] = x * ur[c] - y * ui[c], x * ui[c] + y * ur[c]


@njit(cache=True, fastmath=FAST, error_model="numpy")
def _shape(freq, size, tr, ti):
    """Spectrum of exp(−j 2π freq n) on the active carriers."""
    half = tr.shape[0] // 2
    for c in range(2 * half):
        k = c - half if c < half else c - half + 1
        angle = -math.pi * (freq + k / size)
        low = math.sin(angle)
        tall = math.sin(size * angle) / low if abs(low) > 1e-9 else size * math.cos(size * angle) / math.cos(angle)
        tr[c], ti[c] = tall * math.cos(angle * (size - 1)), tall * math.sin(angle * (size - 1))


@njit(cache=True, fastmath=FAST, error_model="numpy")
def _add(er, ei, pr, pi, sums):
    """Add Σ e p*, and Σ |p|²."""
    t, u, v = np.float32(0), np.float32(0), np.float32(0)
    for c in range(er.shape[0]):
        t += pr[c] * pr[c] + pi[c] * pi[c]
        u += er[c] * pr[c] + ei[c] * pi[c]
        v += ei[c] * pr[c] - er[c] * pi[c]
    sums[0] += u
    sums[1] += v
    sums[2] += t


@njit(cache=True, error_model="numpy")
def survey(
    grid, turned, locked, slot, looks, response, mixed, offsets, undo_r, undo_i, sounding_r, sounding_i, links, errors, info,
    limits, stats, sure,
):  # fmt: skip
    """Regressions of all slots' residuals on the three patterns, and carrier offsets on a shared clock."""
    frames, size, active = grid.shape[0], grid.shape[2] // 2, undo_r.shape[0]
    er, ei = np.empty(active, np.float32), np.empty(active, np.float32)
    pr, pi = np.empty(active, np.float32), np.empty(active, np.float32)
    tr, ti = np.zeros(active, np.float32), np.zeros(active, np.float32)
    ur, ui = np.empty(active, np.float32), np.empty(active, np.float32)
    hr, hi = np.empty(active, np.float32), np.empty(active, np.float32)
    sums = np.empty((3, 3))
    for tx in range(mixed.shape[1]):
        for f in range(frames):
            for c in range(active):
                hr[c], hi[c] = response[f, tx, 2 * c], response[f, tx, 2 * c + 1]
            if not locked:
                _shape(mixed[f, tx], size, tr, ti)
            sums[:] = 0
            rest = 0.0
            for m in range(looks):
                row = tx * slot + m
                for c in range(active):
                    ur[c] = undo_r[c] * sounding_r[tx, m, c] - undo_i[c] * sounding_i[tx, m, c]
                    ui[c] = undo_r[c] * sounding_i[tx, m, c] + undo_i[c] * sounding_r[tx, m, c]
                rest += _look(grid[f], row, er, ei, hr, hi, ur, ui)
                _mirrored(grid[f], row, ur, ui, pr, pi)
                _add(er, ei, pr, pi, sums[2])
                if not locked:
                    _mirrored(turned[f], tx * looks + m, ur, ui, pr, pi)
                    _add(er, ei, pr, pi, sums[1])
                    angle = -2 * math.pi * mixed[f, tx] * offsets[row]
                    a, b = np.float32(math.cos(angle)), np.float32(math.sin(angle))
                    for c in range(active):
                        x, y = tr[c] * a - ti[c] * b, tr[c] * b + ti[c] * a
                        pr[c], pi[c] = x * ur[c] - y * ui[c], x * ui[c] + y * ur[c]
                    _add(er, ei, pr, pi, sums[0])
            for kind in range(3):
                out, seen = stats[kind, tx, f], max(sums[kind, 2], 1e-30)
                explained = (sums[kind, 0] ** 2 + sums[kind, 1] ** 2) / seen
                out[0], out[1], out[3] = sums[kind, 0] / seen, sums[kind, 1] / seen, sums[kind, 2]
                out[2] = looks * active * explained / max(rest - explained, 1e-30)
    most = 0.0
    for f in range(frames):
        sure[f] = 0
        for tx in range(mixed.shape[1]):
            sure[f, 2] = max(sure[f, 2], stats[2, tx, f, 2] / limits[0])
            if locked:
                left = abs(links[f, tx, 0] - mixed[f, tx])
                sure[f, 3] = max(sure[f, 3], left / (limits[1] * (links[f, tx, 1] + limits[2])))
            else:
                sure[f, 0] += stats[0, tx, f, 2] / limits[0]
                sure[f, 1] += stats[1, tx, f, 2] / limits[0]
        if locked:
            unexplained = 0.0
            for row in range(mixed.shape[1] * slot):
                unexplained += errors[f, row]
            if unexplained > limits[3] * info[f, 0] or info[f, 2] < 0:
                sure[f, 3] = max(sure[f, 3], limits[4])
        for kind in range(4):
            most = max(most, sure[f, kind])
    return most
