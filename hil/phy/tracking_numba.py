"""Phases over time (numba): tables of phasors, carrier offset of a sounding slot, line through the pilots' phases."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

__all__ = ["FAST", "follow", "held", "looks", "phasors", "ramp", "rotate", "slot_rate", "smooth", "track", "turn_on"]

FAST = {"contract", "reassoc", "nsz", "nnan", "arcp"}


@njit(cache=True, fastmath=FAST, error_model="numpy")
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


@njit(cache=True, fastmath=FAST, error_model="numpy")
def ramp(angle, table_r, table_i, out_r, out_i):
    """exp(j angle k) for the active carriers k = −half … −1, 1 … half; the tables hold half + 1 values."""
    half = table_r.shape[0] - 1
    phasors(table_r, table_i, -angle / (2 * math.pi), np.float32(1))
    for i in range(half):
        out_r[half + i] = table_r[i + 1]
        out_i[half + i] = table_i[i + 1]
        out_r[half - 1 - i] = table_r[i + 1]
        out_i[half - 1 - i] = -table_i[i + 1]


@njit(cache=True, fastmath=FAST, error_model="numpy")
def slot_rate(rr, ri, ur, ui):
    """Phase step from symbol to symbol (rad) by maximum likelihood: peak of Σ_d |Σ_m z[m, d] exp(−j ω m)|².

    Args:
        rr, ri: float32 [symbol, carrier], looks at the channel.
        ur, ui: float32 [dimension, carrier], orthonormal basis of the channel; z are the looks' coordinates.
    """
    count, active = rr.shape
    dimensions = ur.shape[0]
    zr = np.empty((count, dimensions), np.float32)
    zi = np.empty((count, dimensions), np.float32)
    for m in range(count):
        for d in range(dimensions):
            a = np.float32(0)
            b = np.float32(0)
            for c in range(active):
                a += ur[d, c] * rr[m, c] + ui[d, c] * ri[m, c]
                b += ur[d, c] * ri[m, c] - ui[d, c] * rr[m, c]
            zr[m, d] = a
            zi[m, d] = b
    lag_r = np.zeros(count)
    lag_i = np.zeros(count)
    for lag in range(1, count):
        a = np.float32(0)
        b = np.float32(0)
        for m in range(count - lag):
            for d in range(dimensions):
                a += zr[m + lag, d] * zr[m, d] + zi[m + lag, d] * zi[m, d]
                b += zi[m + lag, d] * zr[m, d] - zr[m + lag, d] * zi[m, d]
        lag_r[lag] = a
        lag_i[lag] = b
    steps = 4 * count
    best = -np.inf
    rate = 0.0
    for j in range(steps):
        omega = 2 * math.pi * (j - steps // 2) / steps
        c, s = math.cos(omega), -math.sin(omega)
        xr, xi = c, s
        value = 0.0
        for lag in range(1, count):
            value += lag_r[lag] * xr - lag_i[lag] * xi
            xr, xi = xr * c - xi * s, xr * s + xi * c
        if value > best:
            best = value
            rate = omega
    for _ in range(4):  # Newton's method
        slope = 0.0
        curve = 0.0
        for lag in range(1, count):
            xr, xi = math.cos(rate * lag), -math.sin(rate * lag)
            slope += lag * (lag_r[lag] * xi + lag_i[lag] * xr)
            curve -= lag * lag * (lag_r[lag] * xr - lag_i[lag] * xi)
        if curve >= 0:
            break
        limit = 2 * math.pi / steps
        rate -= min(max(slope / curve, -limit), limit)
    return rate


@njit(cache=True, fastmath=FAST, error_model="numpy")
def rotate(vr, vi, carriers, a, b, c, tau):
    """v[p, s] times exp(−j (a + b τ + c k τ)), τ in steps of one from tau."""
    pilots, symbols = vr.shape
    for p in range(pilots):
        slope = b + c * carriers[p]
        start = a + slope * tau
        xr, xi = math.cos(start), -math.sin(start)
        sr, si = math.cos(slope), -math.sin(slope)
        for s in range(symbols):
            r = vr[p, s] * xr - vi[p, s] * xi
            vi[p, s] = vr[p, s] * xi + vi[p, s] * xr
            vr[p, s] = r
            xr, xi = xr * sr - xi * si, xr * si + xi * sr


@njit(cache=True, fastmath=FAST, error_model="numpy")
def _coarse(vr, vi, tau, noise, prior):
    """Slope (rad a symbol) near the right peak of the likelihood."""
    pilots, symbols = vr.shape
    step = 2.0 / (tau + symbols)
    reach = min(200, int(4 * math.sqrt(prior[1]) / step))
    best = -np.inf
    chosen = 0.0
    ur = np.zeros(symbols)
    ui = np.zeros(symbols)
    for p in range(pilots):
        for s in range(symbols):
            ur[s] += vr[p, s]
            ui[s] += vi[p, s]
    for j in range(-reach, reach + 1):
        slope = j * step
        # The phase at the sounding is known: |Σ| is taken together with the sounding's own weight.
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
    return chosen


@njit(cache=True, fastmath=FAST, error_model="numpy")
def track(vr, vi, power, carriers, tau, noise, prior, theta):
    """MAP of phase (rad), its slope (rad a symbol) and its slope over carriers (rad a carrier and symbol).

    Args:
        vr, vi: float64 [pilot, symbol], received times conj(expected); left rotated by the estimate.
        power: float64 [pilot], |expected|².
        carriers: float64 [pilot]; tau: time of the first symbol from the sounding's middle, symbols.
        noise: σ²; prior: float64 [3] variances; theta: float64 [3], output.

    Returns:
        variance of the slope.
    """
    pilots, symbols = vr.shape
    theta[:] = 0
    theta[1] = _coarse(vr, vi, tau, noise, prior)
    if theta[1] != 0:
        rotate(vr, vi, carriers, 0.0, theta[1], 0.0, tau)
    half = 0.5 * noise
    n = symbols
    t1 = n * tau + n * (n - 1) / 2
    t2 = n * tau * tau + tau * n * (n - 1) + (n - 1) * n * (2 * n - 1) / 6
    m00, m01, m02, m11, m12, m22 = half / prior[0], 0.0, 0.0, half / prior[1], 0.0, half / prior[2]
    for p in range(pilots):
        k, w = carriers[p], power[p]
        m00 += w * n
        m01 += w * t1
        m02 += w * k * t1
        m11 += w * t2
        m12 += w * k * t2
        m22 += w * k * k * t2
    c00 = m11 * m22 - m12 * m12
    c01 = m02 * m12 - m01 * m22
    c02 = m01 * m12 - m02 * m11
    c11 = m00 * m22 - m02 * m02
    c12 = m01 * m02 - m00 * m12
    c22 = m00 * m11 - m01 * m01
    det = m00 * c00 + m01 * c01 + m02 * c02
    if not det > 0:
        return prior[1]
    for _ in range(3):
        g0 = -half / prior[0] * theta[0]
        g1 = -half / prior[1] * theta[1]
        g2 = -half / prior[2] * theta[2]
        for p in range(pilots):
            i0 = 0.0
            i1 = 0.0
            for s in range(symbols):
                i0 += vi[p, s]
                i1 += vi[p, s] * s
            i1 += tau * i0
            g0 += i0
            g1 += i1
            g2 += carriers[p] * i1
        a = (c00 * g0 + c01 * g1 + c02 * g2) / det
        b = (c01 * g0 + c11 * g1 + c12 * g2) / det
        c = (c02 * g0 + c12 * g1 + c22 * g2) / det
        theta[0] += a
        theta[1] += b
        theta[2] += c
        rotate(vr, vi, carriers, a, b, c, tau)
        if abs(a) + (abs(b) + 30 * abs(c)) * (tau + symbols) < 3e-4:
            break
    return half * c11 / det


@njit(cache=True, error_model="numpy")
def follow(vr, vi, power, carriers, tau, noise, prior, theta, locked, rate):
    """`track`; if `locked` only measured, from the sum over pilots after a slope `rate`, and the looks stay as they are."""
    if not locked:
        return track(vr, vi, power, carriers, tau, noise, prior, theta)
    xr, xi = np.zeros((1, vr.shape[1])), np.zeros((1, vr.shape[1]))
    middle, total = np.zeros(1), np.zeros(1)
    for p in range(vr.shape[0]):
        total[0] += power[p]
        for s in range(vr.shape[1]):
            xr[0, s] += vr[p, s]
            xi[0, s] += vi[p, s]
    rotate(xr, xi, middle, 0.0, rate, 0.0, tau)
    return track(xr, xi, total, middle, tau, noise, prior, theta)


@njit(cache=True, fastmath=FAST, error_model="numpy")
def looks(yr, yi, known_r, known_i, pilots, hr, hi, start, step, tilt, tau, vr, vi):
    """Pilots times conj(expected); phases start + step · row + tilt · k · (tau + row) are taken out."""
    half = hr.shape[0] // 2
    for p in range(pilots.shape[0]):
        n = pilots[p]
        k = n - half if n < half else n - half + 1
        slope = step + tilt * k
        begin = start + tilt * k * tau
        xr, xi = math.cos(begin), -math.sin(begin)
        dr, di = math.cos(slope), -math.sin(slope)
        for s in range(vr.shape[1]):
            er = hr[n] * known_r[s, n] - hi[n] * known_i[s, n]
            ei = hr[n] * known_i[s, n] + hi[n] * known_r[s, n]
            qr = yr[s, n] * er + yi[s, n] * ei
            qi = yi[s, n] * er - yr[s, n] * ei
            vr[p, s] = qr * xr - qi * xi
            vi[p, s] = qr * xi + qi * xr
            xr, xi = xr * dr - xi * di, xr * di + xi * dr


@njit(cache=True, fastmath=FAST, error_model="numpy")
def _judge(vr, vi, power, share, tr, ti, looks, errors):
    """Errors of one pilot, each against the phase of what the others sum to; over `share` and that phase's own noise.

    Args:
        vr, vi: float64 [symbol], looks of the pilot; power: |expected|²; share: over one, the channel estimate's noise.
        tr, ti: float64 [symbol], sums of all looks around; looks: float64 [symbol], their |expected|², with the pilot's own.
        errors: float64 [symbol], output.

    Returns:
        their sum.
    """
    total = 0.0
    for s in range(vr.shape[0]):
        xr, xi = tr[s] - vr[s], ti[s] - vi[s]
        scale = power / math.sqrt(xr * xr + xi * xi + 1e-300)
        a, b = vr[s] - scale * xr, vi[s] - scale * xi
        rest = max(looks[s] - power, 1e-60)
        errors[s] = (a * a + b * b) * rest / (power * (rest * share + 0.5 * power))
    for s in range(vr.shape[0]):  # apart from the stores, see `hil.phy.sounding_numba.sound`
        total += errors[s]
    return total


@njit(cache=True, error_model="numpy")
def held(vr, vi, variance, half_noise):
    """What a locked phase is worth, as a look at angle 0; see `hil.phy.tracking_plain.held`."""
    a, b = 0.0, 0.0
    for p in range(vr.shape[0]):
        for s in range(vr.shape[1]):
            a += vr[p, s]
            b += vi[p, s]
    contradicted = math.atan2(b, a) ** 2 > 25 * (variance + half_noise / max(math.hypot(a, b), 1e-60))
    return 0.0 if contradicted else half_noise / variance


@njit(cache=True, error_model="numpy")
def smooth(vr, vi, power, pilots, window, hold, error_of, turn_r, turn_i, carrier_error, symbol_error):
    """Common phase by a moving average over the pilots, and each pilot's error without its own part in it.

    Args:
        vr, vi: float64 [pilot, symbol], looks; power: float64 [pilot], |expected|²; pilots: their positions.
        window: symbols (odd) to average; hold: a look at angle 0 that each average begins with, see `held`.
        error_of: float64 [carrier], the channel estimate's noise.
        turn_r, turn_i: float32 [symbol], output phasors; carrier_error, symbol_error: added to.

    Returns:
        sum of errors.
    """
    many, symbols = vr.shape
    half = window // 2
    sum_r, sum_i = np.zeros(symbols + 1), np.zeros(symbols + 1)
    strength = 0.0
    for p in range(many):
        strength += power[p]
    for s in range(symbols):
        a, b = 0.0, 0.0
        for p in range(many):
            a += vr[p, s]
            b += vi[p, s]
        sum_r[s + 1] = sum_r[s] + a
        sum_i[s + 1] = sum_i[s] + b
    tr, ti, looks_, errors = np.empty(symbols), np.empty(symbols), np.empty(symbols), np.empty(symbols)
    for s in range(symbols):
        low, high = max(s - half, 0), min(s + half + 1, symbols)
        tr[s], ti[s] = sum_r[high] - sum_r[low] + hold, sum_i[high] - sum_i[low]
        looks_[s] = (high - low) * strength + hold
        size = math.sqrt(tr[s] * tr[s] + ti[s] * ti[s])
        turn_r[s] = tr[s] / size if size > 0 else 1.0
        turn_i[s] = ti[s] / size if size > 0 else 0.0
    total = 0.0
    for p in range(many):
        share = 1 + error_of[pilots[p]]
        if many == 1 and min(window, symbols) == 1 and hold == 0:  # no other look: judged by the line alone
            for s in range(symbols):
                a, b = vr[p, s] - power[p], vi[p, s]
                errors[s] = (a * a + b * b) / max(power[p], 1e-60) / share
                total += errors[s]
                carrier_error[pilots[p]] += errors[s]
        else:
            sum_of = _judge(vr[p], vi[p], max(power[p], 1e-60), share, tr, ti, looks_, errors)
            total += sum_of
            carrier_error[pilots[p]] += sum_of
        for s in range(symbols):
            symbol_error[s] += errors[s]
    return total


@njit(cache=True, fastmath=FAST, error_model="numpy")
def turn_on(turn_r, turn_i, start, step):
    """Phasors times exp(j (start + step · index)), in place."""
    if start == 0 and step == 0:
        return
    for s in range(turn_r.shape[0]):
        c, d = np.float32(math.cos(start + step * s)), np.float32(math.sin(start + step * s))
        a = turn_r[s] * c - turn_i[s] * d
        turn_i[s] = turn_r[s] * d + turn_i[s] * c
        turn_r[s] = a
