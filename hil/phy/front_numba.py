"""How much of what sounding symbols leave unexplained follows a pattern (numba); the same as `hil.phy.front_plain`."""

from __future__ import annotations

import numpy as np
from numba import njit

from hil.phy.tracking_numba import FAST

__all__ = ["explain", "moments"]


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
def explain(grid, other, mirror, response, undo_r, undo_i, sr, si, out):
    """Regression of a slot's residuals on a pattern."""
    frames, count, width = grid.shape
    size, active = width // 2, undo_r.shape[0]
    half = active // 2
    er, ei = np.empty(active, np.float32), np.empty(active, np.float32)
    pr, pi = np.empty(active, np.float32), np.empty(active, np.float32)
    for f in range(frames):
        hr, hi = response[f, ::2], response[f, 1::2]
        strength = np.float32(1e-30)
        for c in range(active):
            strength += hr[c] * hr[c] + hi[c] * hi[c]
        rest, seen, a, b = 0.0, 0.0, 0.0, 0.0
        for m in range(count):
            gr, gi = np.float32(0), np.float32(0)
            for c in range(active):
                n = size - half + c if c < half else c - half + 1
                ur = undo_r[c] * sr[m, c] - undo_i[c] * si[m, c]
                ui = undo_r[c] * si[m, c] + undo_i[c] * sr[m, c]
                x, y = grid[f, m, 2 * n], grid[f, m, 2 * n + 1]
                er[c], ei[c] = x * ur - y * ui, x * ui + y * ur
                gr += er[c] * hr[c] + ei[c] * hi[c]
                gi += ei[c] * hr[c] - er[c] * hi[c]
                if mirror:
                    x, y = other[f, m, 2 * (size - n)], -other[f, m, 2 * (size - n) + 1]
                else:
                    x, y = other[f, m, 2 * n], other[f, m, 2 * n + 1]
                pr[c], pi[c] = x * ur - y * ui, x * ui + y * ur
            gr /= strength
            gi /= strength
            s, t, u, v = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
            for c in range(active):
                x = er[c] - (gr * hr[c] - gi * hi[c])
                y = ei[c] - (gr * hi[c] + gi * hr[c])
                s += x * x + y * y
                t += pr[c] * pr[c] + pi[c] * pi[c]
                u += x * pr[c] + y * pi[c]
                v += y * pr[c] - x * pi[c]
            rest += s
            seen += t
            a += u
            b += v
        out[f, 0], out[f, 1] = a / max(seen, 1e-30), b / max(seen, 1e-30)
        explained = (a * a + b * b) / max(seen, 1e-30)
        out[f, 2] = count * active * explained / max(rest - explained, 1e-30)
        out[f, 3] = seen
