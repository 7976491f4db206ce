"""Compiled kernels for frames whose channel is learned from the preamble (numba). Contracts as `hil.phy.frames_torch`.

One call handles a batch of frames, each on its own and always in the same order of operations, so that the bits of a
frame do not depend on which batch it came in.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from hil.phy.tracking_numba import phasors, smooth, square, track, weights

__all__ = ["emit", "gather", "place", "receive"]

_CLEAN = np.float32(300.0)
_CLEANER = np.float32(3000.0)
_FAST = {"contract", "reassoc", "nsz", "nnan", "arcp"}


@njit(cache=True, fastmath=_FAST)
def gather(y, starts, freqs, first, spacing, out):
    """FFT windows of all symbols, without their CFO inside the window, times 1/√N.

    Args:
        y: float32 [2 n].
        starts: int64 [frame], first sample of each preamble; freqs: float64 [frame], cycles a sample.
        first: samples from there to the first FFT window; spacing: from window to window.
        out: float32 [frame, symbol, 2 N], interleaved.
    """
    frames, symbols, width = out.shape
    size = width // 2
    tr = np.empty(size, np.float32)
    ti = np.empty(size, np.float32)
    for f in range(frames):
        phasors(tr, ti, freqs[f], np.float32(1 / math.sqrt(size)))
        for s in range(symbols):
            base = starts[f] + first + s * spacing
            part = y[2 * base : 2 * (base + size)]
            row = out[f, s]
            for i in range(size):
                a = part[2 * i]
                b = part[2 * i + 1]
                row[2 * i] = a * tr[i] - b * ti[i]
                row[2 * i + 1] = a * ti[i] + b * tr[i]


@njit(cache=True, fastmath=_FAST)
def _derotate(part, tr, ti, c, s):
    """Interleaved samples times (tr + j ti)(c + j s), into tr and ti."""
    for n in range(tr.shape[0]):
        a = part[2 * n]
        b = part[2 * n + 1]
        r = a * tr[n] - b * ti[n]
        q = a * ti[n] + b * tr[n]
        tr[n] = r * c - q * s
        ti[n] = r * s + q * c


@njit(cache=True, fastmath=_FAST)
def _dot(ar, ai, br, bi, count):
    real = np.float32(0)
    imag = np.float32(0)
    for n in range(count):
        real += ar[n] * br[n] - ai[n] * bi[n]
        imag += ar[n] * bi[n] + ai[n] * br[n]
    return real, imag


@njit(cache=True, fastmath=_FAST)
def _axpy(hr, hi, fr, fi, out_r, out_i, count):
    for n in range(count):
        out_r[n] += hr * fr[n] - hi * fi[n]
        out_i[n] += hr * fi[n] + hi * fr[n]


@njit(cache=True, fastmath=_FAST)
def _power(row, weight, count):
    """Σ weight |row|² over interleaved values."""
    total = np.float32(0)
    for n in range(count):
        total += weight[n] * (row[2 * n] * row[2 * n] + row[2 * n + 1] * row[2 * n + 1])
    return total


@njit(cache=True, fastmath=_FAST)
def _equalise(row, wr, wi, out, count):
    for n in range(count):
        a = row[2 * n]
        b = row[2 * n + 1]
        out[2 * n] = a * wr[n] - b * wi[n]
        out[2 * n + 1] = a * wi[n] + b * wr[n]


@njit(cache=True, fastmath=_FAST)
def _advance(wr, wi, sr, si, count):
    for n in range(count):
        r = wr[n] * sr[n] - wi[n] * si[n]
        wi[n] = wr[n] * si[n] + wi[n] * sr[n]
        wr[n] = r


@njit(cache=True, fastmath=_FAST)
def _subtract(real, imag, weights_r, weights_i, row, count):
    for n in range(count):
        row[2 * n] -= real * weights_r[n] - imag * weights_i[n]
        row[2 * n + 1] -= real * weights_i[n] + imag * weights_r[n]


@njit(cache=True)
def _unleak(row, bins, leak_r, leak_i, quiet_r, quiet_i, size):
    """Take off a spectrum's active carriers what its guard carriers tell of leakage; power in the quiet directions."""
    total = np.float32(0)
    for q in range(quiet_r.shape[0]):
        a = np.float32(0)
        b = np.float32(0)
        for g in range(bins.shape[0]):
            x, y = row[2 * bins[g]], row[2 * bins[g] + 1]
            a += quiet_r[q, g] * x - quiet_i[q, g] * y
            b += quiet_r[q, g] * y + quiet_i[q, g] * x
        total += a * a + b * b
    for g in range(bins.shape[0]):
        _subtract(row[2 * bins[g]], row[2 * bins[g] + 1], leak_r[g], leak_i[g], row, size)
    return total


@njit(cache=True)
def _fill(values, out):
    """The first values into all of `out`."""
    for i in range(out.shape[0]):
        out[i] = values[i]


@njit(cache=True)
def _take(cells, bins, out):
    """Interleaved values of some bins, in order."""
    for d in range(bins.shape[0]):
        n = 2 * np.uint64(bins[d])
        out[2 * d] = cells[n]
        out[2 * d + 1] = cells[n + np.uint64(1)]


@njit(cache=True)
def receive(
    y, starts, freqs, grid, rows_first, length, first, spacing, levels, solve_r, solve_i, basis_r, basis_i, active, guard,
    carriers, pilot_bins, pilot_r, pilot_i, data_bins, dest, sampled, leak_bins, leak_r, leak_i, quiet_r, quiet_i,
    ridge, walk, mmse, symbols, noise_var, gain, response, info,
):  # fmt: skip
    """Channel, tracking and equalisation of a batch of frames; arguments in `hil.phy.frames_torch.receive`."""
    frames, count, width = grid.shape
    size = width // 2
    taps, rows = solve_r.shape[1:]
    pilots = pilot_bins.shape[0]
    tr = np.empty(rows, np.float32)
    ti = np.empty(rows, np.float32)
    vr = np.empty((pilots, count))
    vi = np.empty((pilots, count))
    power = np.empty(pilots)
    pilot_carriers = np.empty(pilots)
    angles = np.zeros(count)
    theta = np.zeros(3)
    prior = np.zeros(3)
    hr = np.empty(size, np.float32)
    hi = np.empty(size, np.float32)
    wr = np.empty(size, np.float32)
    wi = np.empty(size, np.float32)
    sr = np.empty(size, np.float32)
    si = np.empty(size, np.float32)
    ar = np.empty(size // 2, np.float32)
    ai = np.empty(size // 2, np.float32)
    cr = np.empty(size // 2, np.float32)
    ci = np.empty(size // 2, np.float32)
    cells = np.empty(width, np.float32)
    squared = np.empty(size, np.float32)
    actives = np.float32(active.sum())
    guards = np.float32(guard.sum())
    tau = (first + 0.5 * size - 0.5 * length) / spacing
    data = data_bins.shape[0]
    plain = True
    for i in range(dest.shape[0]):
        plain &= dest[i] == i
    for f in range(frames):
        total = np.float32(0)
        quiet = np.float32(0)
        for s in range(count):
            total += _power(grid[f, s], active, size)
            quiet += _power(grid[f, s], guard, size)
        noise = max(quiet / (guards * count), np.float32(1e-30))
        signal = max(total / (actives * count) - noise, np.float32(1e-3) * noise)
        snr = signal / noise
        if snr > _CLEAN:  # what rings over the symbols' edges is above the noise: see hil.phy.leakage
            quiet = np.float32(0)
            which = 1 if snr > _CLEANER else 0
            for s in range(count):
                quiet += _unleak(grid[f, s], leak_bins, leak_r[which], leak_i[which], quiet_r, quiet_i, size)
            noise = max(quiet / (quiet_r.shape[0] * count), np.float32(1e-30))
            snr = signal / noise
        level = 0
        while level < levels.shape[0] - 1 and snr > levels[level]:
            level += 1
        # Channel: taps from the preamble without its CFO, then their spectrum.
        phasors(tr, ti, freqs[f], np.float32(1))
        base = starts[f] + rows_first
        angle = -2 * math.pi * freqs[f] * rows_first
        _derotate(y[2 * base : 2 * (base + rows)], tr, ti, np.float32(math.cos(angle)), np.float32(math.sin(angle)))
        for n in range(size):
            hr[n] = 0
            hi[n] = 0
        for t in range(taps):
            a, b = _dot(solve_r[level, t], solve_i[level, t], tr, ti, rows)
            _axpy(a, b, basis_r[t], basis_i[t], hr, hi, size)
        # Pilots: received times conj(expected), without the CFO that is known.
        turn = 2 * math.pi * freqs[f] * spacing
        begin = 2 * math.pi * freqs[f] * first
        expected = 0.0
        heard = 0.0
        for p in range(pilots):
            n = pilot_bins[p]
            power[p] = hr[n] * hr[n] + hi[n] * hi[n]
            pilot_carriers[p] = carriers[n]
            expected += power[p] * count
            xr, xi = math.cos(begin), -math.sin(begin)
            dr, di = math.cos(turn), -math.sin(turn)
            for s in range(count):
                a, b = grid[f, s, 2 * n], grid[f, s, 2 * n + 1]
                heard += a * a + b * b
                er = hr[n] * pilot_r[s, p] - hi[n] * pilot_i[s, p]
                ei = hr[n] * pilot_i[s, p] + hi[n] * pilot_r[s, p]
                qr = a * er + b * ei
                qi = b * er - a * ei
                vr[p, s] = qr * xr - qi * xi
                vi[p, s] = qr * xi + qi * xr
                xr, xi = xr * dr - xi * di, xr * di + xi * dr
        sample_snr = min(float(snr) * sampled, 300.0)
        prior[0] = 1 / (sample_snr * length)
        prior[1] = 12 * spacing * spacing / (sample_snr * length * (length * length - 1.0)) if ridge[0] > 0 else 1e-14
        prior[2] = ridge[1]
        track(vr, vi, power, pilot_carriers, tau, noise, prior, theta)
        tr_sum = 0.0
        ti_sum = 0.0
        for p in range(pilots):
            for s in range(count):
                tr_sum += vr[p, s]
                ti_sum += vi[p, s]
        match = (tr_sum * tr_sum + ti_sum * ti_sum) / max(expected * heard, 1e-60)
        residual = (heard - 2 * tr_sum + expected) / (pilots * count)
        if walk > 0:
            best = math.sqrt(6 * noise / (pilots * walk * signal))
            smooth(vr, vi, int(min(max(best, 1.0), 65.0)) | 1, angles)
        # Equaliser: one weight a carrier, turned on from symbol to symbol.
        mean = square(hr, hi, active, squared, response[f]) / actives
        floor = np.float32(1e-9) * mean + np.float32(1e-30)
        more = np.float32(noise) if mmse else np.float32(0)
        slope = theta[1] + turn
        weights(
            hr, hi, squared, active, more, floor, begin + theta[0] + theta[1] * tau, slope, theta[2] * tau, theta[2],
            wr, wi, sr, si, ar, ai, cr, ci,
        )  # fmt: skip
        for s in range(count):
            _equalise(grid[f, s], wr, wi, cells, size)
            _advance(wr, wi, sr, si, size)
            if walk > 0:
                c, s_ = np.float32(math.cos(angles[s])), np.float32(-math.sin(angles[s]))
                for n in range(size):
                    a, b = cells[2 * n], cells[2 * n + 1]
                    cells[2 * n] = a * c - b * s_
                    cells[2 * n + 1] = a * s_ + b * c
            if plain:
                _take(cells, data_bins, symbols[f, 2 * s * data : 2 * (s + 1) * data])
                continue
            for d in range(data):
                to = dest[s * data + d]
                if to >= 0:
                    n = data_bins[d]
                    symbols[f, 2 * to] = cells[2 * n]
                    symbols[f, 2 * to + 1] = cells[2 * n + 1]
        for d in range(data):
            n = data_bins[d]
            whole = squared[n] + noise
            wr[d] = noise * squared[n] / (whole * whole) if mmse else noise / max(squared[n], floor)
            wi[d] = squared[n] / whole
        for s in range(count):
            if plain and not mmse:
                _fill(wr, noise_var[f, s * data : (s + 1) * data])
                continue
            for d in range(data):
                to = dest[s * data + d]
                if to >= 0:
                    noise_var[f, to] = wr[d]
                    if mmse:
                        gain[f, to] = wi[d]
        info[f, 0] = noise
        info[f, 1] = residual
        info[f, 2] = mean
        info[f, 3] = freqs[f] + theta[1] / (2 * math.pi * spacing)
        info[f, 4] = theta[2] * size / (2 * math.pi * spacing)
        info[f, 5] = theta[0]
        info[f, 6] = match
        info[f, 7] = snr


@njit(cache=True)
def place(values, source, target, bins):
    """Payload into spectra: bins[f, target[i]] = values[f, source[i]]; complex64, one row a frame."""
    for f in range(values.shape[0]):
        row = values[f]
        out = bins[f]
        for i in range(source.shape[0]):
            out[target[i]] = row[source[i]]


@njit(cache=True, fastmath=_FAST)
def _scaled(values, scale, out):
    for i in range(out.shape[0]):
        out[i] = values[i] * scale


@njit(cache=True)
def emit(time, prefix, scale, first, out):
    """OFDM symbols with their prefixes: float32 [row, symbol, 2 N] times scale into float32 [row, 2 n] from sample `first`."""
    rows, symbols, width = time.shape
    lead = 2 * prefix
    for r in range(rows):
        place_at = 2 * first
        for s in range(symbols):
            body = time[r, s]
            _scaled(body[width - lead :], scale, out[r, place_at : place_at + lead])
            _scaled(body, scale, out[r, place_at + lead : place_at + lead + width])
            place_at += lead + width
