"""The shape of a channel over frames (numba); the same as `hil.phy.shape_plain`."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from hil.phy.shape_plain import FITTED, FORGET, LIMIT, REACH, RESTLESS, STEPS

__all__ = ["join"]


@njit(cache=True, error_model="numpy")
def _carrier(place, half):
    """Signed carrier of an active one."""
    return place - half if place < half else place - half + 1


@njit(cache=True, error_model="numpy")
def _moments(qr, qi, half, slope):
    """Σ q kⁿ exp(j slope k) over the carriers k, for n = 0, 1, 2: real and imaginary parts."""
    s0, s1, s2, t0, t1, t2 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    c, s = math.cos(slope), math.sin(slope)
    xr, xi = math.cos(-slope * half), math.sin(-slope * half)
    for n in range(2 * half):
        if n == half:  # the null carrier has no place
            xr, xi = xr * c - xi * s, xr * s + xi * c
        k = _carrier(n, half)
        a, b = qr[n] * xr - qi[n] * xi, qr[n] * xi + qi[n] * xr
        s0 += a
        t0 += b
        s1 += a * k
        t1 += b * k
        s2 += a * k * k
        t2 += b * k * k
        xr, xi = xr * c - xi * s, xr * s + xi * c
    return s0, t0, s1, t1, s2, t2


@njit(cache=True, error_model="numpy")
def _delay(qr, qi, half, size):
    """Phase slope over carriers (rad) at the peak of |Σ q exp(j slope k)|."""
    step = math.pi / half / STEPS
    most = math.ceil(2 * math.pi * REACH / size / step)
    best, slope = -1.0, 0.0
    for index in range(-most, most + 1):
        found = _moments(qr, qi, half, step * index)
        height = found[0] * found[0] + found[1] * found[1]
        if height > best:
            best, slope = height, step * index
    for _ in range(4):  # Newton's method
        r, ri, a, ai, b, bi = _moments(qr, qi, half, slope)
        first = -2 * (r * ai - ri * a)
        second = 2 * (a * a + ai * ai - (r * b + ri * bi))
        if second >= 0:
            break
        slope -= min(max(first / second, -step), step)
    return slope


@njit(cache=True, error_model="numpy")
def _along(xr, xi, ur, ui):
    """Power of a row's projection on a basis."""
    total = 0.0
    for d in range(ur.shape[0]):
        a, b = 0.0, 0.0
        for c in range(xr.shape[0]):
            a += ur[d, c] * xr[c] + ui[d, c] * xi[c]
            b += ur[d, c] * xi[c] - ui[d, c] * xr[c]
        total += a * a + b * b
    return total


@njit(cache=True, error_model="numpy")
def join(mr, mi, count, known, trust, apart, noise, ur, ui, leverage, size, memory, error, told):
    """A frame's mean look at its channel, joined with the shape that is known, in place.

    Args:
        mr, mi: float32 [carrier], mean of `count` looks; `apart`: their power in all; noise: of the silent symbol.
        known, trust: of one frame and transmitter, see `hil.phy.reception.Rows`; told: `memory` there, output.
        ur, ui: [dimension, carrier], orthonormal basis; leverage: [carrier], Σ |basis|²; size: N.
        memory: looks that a shape rests on at most.
        error: float64 [carrier], output: error of the channel over the noise.
    """
    width, dimensions = mr.shape[0], ur.shape[0]
    half = width // 2
    mean = 0.0
    for c in range(width):
        error[c] = leverage[c] / np.float32(count)
        mean += error[c]
    told[0], told[1], told[2], told[3] = count, 1.0, 0.0, mean / width
    weight = min(trust[0], memory)
    if not weight > 0:
        return
    told[2] = -1.0
    pr, pi, qr, qi = np.empty(width), np.empty(width), np.empty(width), np.empty(width)
    total, spread = 0.0, 0.0
    for c in range(width):
        k = _carrier(c, half)
        pr[c], pi[c] = known[2 * c], known[2 * c + 1]
        qr[c], qi[c] = pr[c] * mr[c] + pi[c] * mi[c], pr[c] * mi[c] - pi[c] * mr[c]
        power = pr[c] * pr[c] + pi[c] * pi[c]
        total += power
        spread += power * k * k
    if not total > 0:
        return
    slope = _delay(qr, qi, half, size)
    found = _moments(qr, qi, half, slope)
    scatter = max(noise, (apart - count * _along(mr, mi, ur, ui)) / (count * width - dimensions))
    phase = math.atan2(found[1], found[0])
    for c in range(width):
        k = _carrier(c, half)
        xr, xi = math.cos(phase - slope * k), math.sin(phase - slope * k)
        qr[c], qi[c] = pr[c] * xr - pi[c] * xi, pr[c] * xi + pi[c] * xr
        pr[c] = (pr[c] * pr[c] + pi[c] * pi[c]) / total * (0.5 + 0.5 * k * k * total / max(spread, 1e-60))
    left_r, left_i = np.empty(width), np.empty(width)
    for c in range(width):
        left_r[c], left_i[c] = mr[c] - qr[c], mi[c] - qi[c]
    expected = scatter * (dimensions - FITTED) * (1 / count + 1 / weight)
    distance = _along(left_r, left_i, ur, ui) / max(expected, 1e-60)
    unrest = trust[1] + FORGET * (distance - trust[1])
    if distance > LIMIT or unrest > RESTLESS:
        return
    share = weight / (weight + count)
    mean = 0.0
    for c in range(width):
        mr[c] = share * qr[c] + (1 - share) * mr[c]
        mi[c] = share * qi[c] + (1 - share) * mi[c]
        error[c] = leverage[c] / (weight + count) + pr[c] * (1 / count - 1 / (weight + count))
        mean += error[c]
    told[0], told[1], told[2], told[3] = weight + count, unrest, 1.0, mean / width
