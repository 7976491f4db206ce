"""Payload cells to symbols (numba): divided by the response, or by a constant, and brought to tasks and uses."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from hil.phy.tracking_numba import FAST, ramp

__all__ = ["equalise", "leaking", "rms"]

_NOWHERE = np.uint32(0xFFFFFFFF)
_ROWS = 8
"""Rows worked on at a time, which stay in the nearest cache."""


@njit(cache=True, fastmath=FAST, error_model="numpy")
def _turned(hr, hi, turn_r, turn_i, gr, gi):
    """g[row, carrier] = h[carrier] turn[row]."""
    width = hr.shape[0]
    for s in range(turn_r.shape[0]):
        c, d = turn_r[s], turn_i[s]
        row_r, row_i = gr[s * width : (s + 1) * width], gi[s * width : (s + 1) * width]
        for n in range(width):
            row_r[n] = hr[n] * c - hi[n] * d
            row_i[n] = hr[n] * d + hi[n] * c


@njit(cache=True, fastmath=FAST, error_model="numpy")
def _tilted(tilt, tau, gr, gi, half):
    """g[row, carrier] times exp(j tilt k (tau + row)), in place; for few rows, since each phasor follows from the last."""
    width = 2 * half
    tr, ti = np.empty(half + 1, np.float32), np.empty(half + 1, np.float32)
    pr, pi = np.empty(width, np.float32), np.empty(width, np.float32)
    sr, si = np.empty(width, np.float32), np.empty(width, np.float32)
    ramp(tilt * tau, tr, ti, pr, pi)
    ramp(tilt, tr, ti, sr, si)
    for s in range(gr.shape[0] // width):
        row_r, row_i = gr[s * width : (s + 1) * width], gi[s * width : (s + 1) * width]
        for n in range(width):
            a = row_r[n] * pr[n] - row_i[n] * pi[n]
            row_i[n] = row_r[n] * pi[n] + row_i[n] * pr[n]
            row_r[n] = a
            b = pr[n] * sr[n] - pi[n] * si[n]
            pi[n] = pr[n] * si[n] + pi[n] * sr[n]
            pr[n] = b


@njit(cache=True, fastmath=FAST, error_model="numpy")
def _times(xr, xi, wr, wi, out):
    """Products, interleaved."""
    for n in range(xr.shape[0]):
        out[2 * n] = xr[n] * wr[n] - xi[n] * wi[n]
        out[2 * n + 1] = xr[n] * wi[n] + xi[n] * wr[n]


@njit(cache=True, fastmath=FAST, error_model="numpy")
def _weights(gr, gi, more, noise, wr, wi, variance):
    """W = g* / (|g|² + more) and noise |w|²."""
    for n in range(gr.shape[0]):
        power = gr[n] * gr[n] + gi[n] * gi[n]
        inverse = np.float32(1) / max(power + more, np.float32(1e-30))
        wr[n] = gr[n] * inverse
        wi[n] = -gi[n] * inverse
        variance[n] = noise * power * inverse * inverse


@njit(cache=True, fastmath=FAST, error_model="numpy")
def _mean(gr, gi, senders, mr, mi):
    scale = np.float32(1 / senders.shape[0])
    mr[:] = 0
    mi[:] = 0
    for t in senders:
        row_r, row_i = gr[t], gi[t]
        for n in range(mr.shape[0]):
            mr[n] += row_r[n] * scale
            mi[n] += row_i[n] * scale


@njit(cache=True)
def _place(targets, even, variance, gain, senders, symbols, noise_var, channel):
    """Cells to tasks and uses; symbols, even, channel and gain are the bits of complex64 values."""
    for i in range(targets.shape[0]):
        place = targets[i]
        if place != _NOWHERE:
            symbols[place] = even[i]
            noise_var[place] = variance[i]
    for t in senders:
        row, out = gain[t], channel[t]
        for i in range(targets.shape[0]):
            if targets[i] != _NOWHERE:
                out[targets[i]] = row[i]


@njit(cache=True, error_model="numpy")
def equalise(
    yr, yi, targets, senders, hr, hi, turn_r, turn_i, tilts, taus, noise, more, constant, fillers, origin, known_r, known_i,
    own, symbols, noise_var, channel, carrier_error, symbol_error,
):  # fmt: skip
    """Cells of one segment to symbols, some rows at a time; cells are row · active + carrier.

    Args:
        yr, yi: float32 [cell], received; targets: uint32 [cell], place of the use that rides there, 2³² − 1 for none; unsigned
            indices are cheaper.
        senders: int64 [K]; hr, hi: float32 [tx, carrier], responses at the soundings.
        turn_r, turn_i: float32 [tx, row], common phase since then.
        tilts: float64 [tx], phase a carrier and symbol; taus: float64 [tx], symbols from the sounding to the first row.
        noise: float32, stated; more: regularisation of the divisor |Ḡ|²; constant: divide by it instead; 0: by Ḡ.
        fillers: int64, cells that hold known symbols, counted so that the first here is `origin`.
        known_r, known_i: float32 [row, carrier], what is known.
        own: float64 [carrier], noise of the estimate over σ².
        symbols, noise_var, channel: int64 [use], float32 [use], int64 [tx, use], outputs.
        carrier_error, symbol_error: the fillers' errors are added.
    """
    width, total = hr.shape[1], yr.shape[0]
    most = width * _ROWS
    gr, gi = np.empty((hr.shape[0], most), np.float32), np.empty((hr.shape[0], most), np.float32)
    wr, wi, mr, mi = (
        np.empty(most, np.float32),
        np.empty(most, np.float32),
        np.empty(most, np.float32),
        np.empty(most, np.float32),
    )
    even, variance, gain = (
        np.empty(2 * most, np.float32),
        np.empty(most, np.float32),
        np.empty((hr.shape[0], 2 * most), np.float32),
    )
    filled = 0
    for first in range(0, total, most):
        n = min(most, total - first)
        row, part = first // width, slice(first, first + n)
        for t in senders:
            _turned(hr[t], hi[t], turn_r[t, row : row + n // width], turn_i[t, row : row + n // width], gr[t], gi[t])
            if tilts[t] != 0:
                _tilted(tilts[t], taus[t] + row, gr[t, :n], gi[t, :n], width // 2)
        if constant > 0:
            wr[:] = constant / (constant * constant + more)
            wi[:] = 0
            variance[:] = noise * wr[0] * wr[0]
        elif senders.shape[0] == 1:
            _weights(gr[senders[0], :n], gi[senders[0], :n], more, noise, wr, wi, variance)
        else:
            _mean(gr, gi, senders, mr[:n], mi[:n])
            _weights(mr[:n], mi[:n], more, noise, wr, wi, variance)
        _times(yr[part], yi[part], wr, wi, even)
        for t in senders:
            _times(gr[t, :n], gi[t, :n], wr, wi, gain[t])
        _place(targets[part], even.view(np.int64), variance, gain.view(np.int64), senders, symbols, noise_var, channel)
        while filled < fillers.shape[0] and fillers[filled] - origin < first + n:
            cell = fillers[filled] - origin
            filled += 1
            kr, ki = known_r[cell // width, cell % width], known_i[cell // width, cell % width]
            error = _judge(yr[cell], yi[cell], kr, ki, senders, gr[:, cell - first], gi[:, cell - first])
            error /= 1 + own[cell % width]
            carrier_error[cell % width] += error
            symbol_error[cell // width] += error


@njit(cache=True)
def _judge(yr, yi, known_r, known_i, senders, gr, gi):
    """Error power of a known cell against what all senders' channels explain."""
    a, b = np.float64(yr), np.float64(yi)
    for t in senders:
        a -= gr[t] * known_r - gi[t] * known_i
        b -= gr[t] * known_i + gi[t] * known_r
    return a * a + b * b


@njit(cache=True, error_model="numpy")
def rms(strength, senders):
    """Root of the senders' mean strength."""
    total = 0.0
    for t in senders:
        total += strength[t] / senders.shape[0]
    return math.sqrt(total)


@njit(cache=True, error_model="numpy")
def leaking(freqs, strength, senders, size):
    """Inter-carrier interference of superposed transmitters whose carrier offsets (cycles a sample) differ from their mean.

    Its power is (π²/3) Σ ε² |h|², ε in carriers (SIGNALS.md, "Bounds for the modem's tests").
    """
    mean = 0.0
    for t in senders:
        mean += freqs[t] / senders.shape[0]
    total = 0.0
    for t in senders:
        total += ((freqs[t] - mean) * size) ** 2 * strength[t]
    return np.float32(math.pi**2 / 3 * total)
