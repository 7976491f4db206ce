"""Phase tracking by pilots and the weights that follow from it (numba).

Numba's cache looks at the file of the kernel that calls: after a change here, touch the files that import it.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

__all__ = ["phasors", "rotate", "smooth", "square", "track", "weights"]

_FAST = {"contract", "reassoc", "nsz", "nnan", "arcp"}


@njit(cache=True, fastmath=_FAST)
def rotate(vr, vi, carriers, a, b, c, taus):
    """v[p, s] times exp(−j (a + b τ + c k τ)), τ in steps of one from taus."""
    pilots, symbols = vr.shape
    for p in range(pilots):
        slope = b + c * carriers[p]
        start = a + slope * taus
        xr, xi = math.cos(start), -math.sin(start)
        sr, si = math.cos(slope), -math.sin(slope)
        for s in range(symbols):
            r = vr[p, s] * xr - vi[p, s] * xi
            vi[p, s] = vr[p, s] * xi + vi[p, s] * xr
            vr[p, s] = r
            xr, xi = xr * sr - xi * si, xr * si + xi * sr


@njit(cache=True, fastmath=_FAST)
def track(vr, vi, power, carriers, tau, noise, prior, theta):
    """MAP of phase (rad), its slope (rad a symbol) and its slope over carriers (rad a carrier and symbol).

    Args:
        vr, vi: float64 [pilot, symbol], received times conj(expected); left rotated by the estimate.
        power: float64 [pilot], |expected|².
        carriers: float64 [pilot]; tau: time of the first symbol from the preamble's middle, symbols.
        noise: σ²; prior: float64 [3] variances; theta: float64 [3], output.
    """
    pilots, symbols = vr.shape
    theta[:] = 0
    step = 2.0 / (tau + symbols)
    reach = min(40, int(4 * math.sqrt(prior[1]) / step))
    if reach > 0:
        best = -1.0
        chosen = 0.0
        ur = np.zeros(symbols)
        ui = np.zeros(symbols)
        for p in range(pilots):
            for s in range(symbols):
                ur[s] += vr[p, s]
                ui[s] += vi[p, s]
        for j in range(-reach, reach + 1):
            slope = j * step
            # The phase at the preamble is known: |Σ|² is compared together with the preamble's own weight.
            xr, xi = math.cos(slope * tau), -math.sin(slope * tau)
            sr, si = math.cos(slope), -math.sin(slope)
            tr = 0.5 * noise / prior[0]
            ti = 0.0
            for s in range(symbols):
                tr += ur[s] * xr - ui[s] * xi
                ti += ur[s] * xi + ui[s] * xr
                xr, xi = xr * sr - xi * si, xr * si + xi * sr
            value = math.sqrt(tr * tr + ti * ti) - 0.25 * noise * slope * slope / prior[1]
            if value > best:
                best = value
                chosen = slope
        if chosen != 0:
            rotate(vr, vi, carriers, 0.0, chosen, 0.0, tau)
            theta[1] = chosen
    for _ in range(3):
        m00, m01, m02, m11, m12, m22 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        g0, g1, g2 = 0.0, 0.0, 0.0
        for p in range(pilots):
            i0 = 0.0
            i1 = 0.0
            r0 = 0.0
            for s in range(symbols):
                i0 += vi[p, s]
                i1 += vi[p, s] * s
                r0 += vr[p, s]
            i1 += tau * i0
            k = carriers[p]
            g0 += i0
            g1 += i1
            g2 += k * i1
            w = power[p]
            n = symbols
            t1 = n * tau + n * (n - 1) / 2
            t2 = n * tau * tau + tau * n * (n - 1) + (n - 1) * n * (2 * n - 1) / 6
            m00 += w * n
            m01 += w * t1
            m02 += w * k * t1
            m11 += w * t2
            m12 += w * k * t2
            m22 += w * k * k * t2
        half = 0.5 * noise
        m00 += half / prior[0]
        m11 += half / prior[1]
        m22 += half / prior[2]
        g0 -= half / prior[0] * theta[0]
        g1 -= half / prior[1] * theta[1]
        g2 -= half / prior[2] * theta[2]
        c00 = m11 * m22 - m12 * m12
        c01 = m02 * m12 - m01 * m22
        c02 = m01 * m12 - m02 * m11
        det = m00 * c00 + m01 * c01 + m02 * c02
        if not abs(det) > 0:
            break
        c11 = m00 * m22 - m02 * m02
        c12 = m01 * m02 - m00 * m12
        c22 = m00 * m11 - m01 * m01
        a = (c00 * g0 + c01 * g1 + c02 * g2) / det
        b = (c01 * g0 + c11 * g1 + c12 * g2) / det
        c = (c02 * g0 + c12 * g1 + c22 * g2) / det
        theta[0] += a
        theta[1] += b
        theta[2] += c
        rotate(vr, vi, carriers, a, b, c, tau)
        if abs(a) + (abs(b) + 30 * abs(c)) * (tau + symbols) < 3e-4:
            break


@njit(cache=True)
def smooth(vr, vi, window, angles):
    """Angle of the moving average of Σ_p v over an odd window of symbols."""
    pilots, symbols = vr.shape
    half = window // 2
    for s in range(symbols):
        tr = 0.0
        ti = 0.0
        for t in range(max(0, s - half), min(symbols, s + half + 1)):
            for p in range(pilots):
                tr += vr[p, t]
                ti += vi[p, t]
        angles[s] = math.atan2(ti, tr)


@njit(cache=True, fastmath=_FAST)
def weights(hr, hi, squared, active, more, floor, start, step, start_slope, step_slope, wr, wi, sr, si, br, bi, cr, ci):
    """Equaliser of the first symbol, and its factor from symbol to symbol; phases are linear in the signed carrier.

    wr, wi = conj(H)/(|H|² + more) exp(−j (start + start_slope k)); sr, si = exp(−j (step + step_slope k)).
    """
    size = hr.shape[0]
    half = size // 2
    phasors(br, bi, start_slope / (2 * math.pi), np.float32(1))
    phasors(cr, ci, step_slope / (2 * math.pi), np.float32(1))
    a, b = np.float32(math.cos(start)), np.float32(-math.sin(start))
    c, d = np.float32(math.cos(step)), np.float32(-math.sin(step))
    for side in range(2):
        sign = np.float32(1 - 2 * side)
        for i in range(side, half):
            n = size - i if side else i
            x = br[i] * a - sign * bi[i] * b
            y = br[i] * b + sign * bi[i] * a
            scale = active[n] / max(squared[n] + more, floor)
            wr[n] = scale * (hr[n] * x + hi[n] * y)
            wi[n] = scale * (hr[n] * y - hi[n] * x)
            sr[n] = cr[i] * c - sign * ci[i] * d
            si[n] = cr[i] * d + sign * ci[i] * c
    wr[half], wi[half], sr[half], si[half] = 0, 0, 1, 0


@njit(cache=True, fastmath=_FAST)
def phasors(table_r, table_i, step, scale):
    """Table of scale · exp(−j 2π step i) for i = 0, 1, … by doubling."""
    count = table_r.shape[0]
    table_r[0] = scale
    table_i[0] = 0.0
    done = 1
    while done < count:
        angle = -2 * math.pi * step * done
        c = np.float32(math.cos(angle))
        s = np.float32(math.sin(angle))
        more = min(done, count - done)
        for i in range(more):
            table_r[done + i] = table_r[i] * c - table_i[i] * s
            table_i[done + i] = table_r[i] * s + table_i[i] * c
        done *= 2


@njit(cache=True, fastmath=_FAST)
def square(hr, hi, active, squared, row):
    """|H|², its sum over active carriers, and H interleaved."""
    total = np.float32(0)
    for n in range(hr.shape[0]):
        squared[n] = hr[n] * hr[n] + hi[n] * hi[n]
        total += squared[n] * active[n]
        row[2 * n] = hr[n]
        row[2 * n + 1] = hi[n]
    return total
