"""Phases over time, without compiled code: carrier offset of a sounding slot, line through the pilots' phases, smoothing."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOST", "held", "slot_rate", "smooth", "spin", "square", "track", "window_for"]

Complexes = NDArray[Any]
Doubles = NDArray[np.float64]
MOST = 65
"""Symbols at most over which pilot phases are averaged."""


def spin(angle: Any) -> Complexes:
    """exp(j angle)."""
    return np.asarray(np.exp(1j * np.asarray(angle)))


def square(values: Complexes) -> NDArray[Any]:
    """|values|², without the square root of `abs`."""
    return np.asarray(values.real**2 + values.imag**2)


def slot_rate(looks: Complexes) -> float:
    """Phase step from symbol to symbol (rad) by maximum likelihood: peak of Σ_d |Σ_m z[m, d] exp(−j ω m)|².

    Args:
        looks: complex [symbol, dimension], coordinates of looks at the channel in an orthonormal basis.
    """
    count = looks.shape[0]
    spectrum = np.fft.fft(looks, 2 * count, axis=0)
    lags = np.fft.ifft(square(spectrum).sum(1))[1:count]
    index, steps = np.arange(1, count), 4 * count
    grid = 2 * math.pi * (np.arange(steps) - steps // 2) / steps
    rate = float(grid[(spin(-grid[:, None] * index) @ lags).real.argmax()])
    for _ in range(4):  # Newton's method
        turned = lags * spin(-rate * index)
        slope, curve = float((index * turned.imag).sum()), -float((index**2 * turned.real).sum())
        if curve >= 0:
            break
        limit = 2 * math.pi / steps
        rate -= min(max(slope / curve, -limit), limit)
    return rate


def _coarse(looks: Complexes, time: Doubles, noise: float, prior: Doubles) -> float:
    """Slope (rad a symbol) near the right peak of the likelihood."""
    step = 2.0 / (time[0] + time.size)
    reach = min(200, int(4 * math.sqrt(prior[1]) / step))
    if not reach:
        return 0.0
    slopes = step * np.arange(-reach, reach + 1)
    # The phase at the sounding is known: |Σ| is taken together with the sounding's own weight.
    sums = spin(-slopes[:, None] * time) @ looks.sum(1) + 0.5 * noise / prior[0]
    return float(slopes[(np.abs(sums) - 0.25 * noise * slopes**2 / prior[1]).argmax()])


def track(
    looks: Complexes, power: Doubles, carriers: Doubles, time: Doubles, noise: float, prior: Doubles
) -> tuple[Doubles, float]:
    """MAP of phase (rad), its slope (rad a symbol) and its slope over carriers (rad a carrier and symbol).

    Args:
        looks: complex [symbol, pilot], received times conj(expected).
        power: [pilot], |expected|²; carriers: [pilot]; time: [symbol], symbols from the sounding's middle.
        noise: σ²; prior: [3], variances.

    Returns:
        the three, and the variance of the slope.
    """
    a, b, c = 0.0, _coarse(looks, time, noise, prior), 0.0
    h0, h1, h2 = (0.5 * noise / prior).tolist()
    w0, w1, w2 = float(power.sum()), float(power @ carriers), float(power @ carriers**2)
    t0, t1, t2 = time.size, float(time.sum()), float(time @ time)
    m00, m01, m02, m11, m12, m22 = h0 + w0 * t0, w0 * t1, w1 * t1, h1 + w0 * t2, w1 * t2, h2 + w2 * t2
    c00, c01, c02 = m11 * m22 - m12 * m12, m02 * m12 - m01 * m22, m01 * m12 - m02 * m11
    c11, c12, c22 = m00 * m22 - m02 * m02, m01 * m02 - m00 * m12, m00 * m11 - m01 * m01
    determinant = m00 * c00 + m01 * c01 + m02 * c02
    if not determinant > 0:
        return np.array([a, b, c]), float(prior[1])
    for _ in range(3):
        rates = b + c * carriers
        turned = (looks * spin(-a - time[:, None] * rates)).imag
        along = time @ turned
        g0, g1, g2 = float(turned.sum()) - h0 * a, float(along.sum()) - h1 * b, float(along @ carriers) - h2 * c
        da = (c00 * g0 + c01 * g1 + c02 * g2) / determinant
        db = (c01 * g0 + c11 * g1 + c12 * g2) / determinant
        dc = (c02 * g0 + c12 * g1 + c22 * g2) / determinant
        a, b, c = a + da, b + db, c + dc
        if abs(da) + (abs(db) + 30 * abs(dc)) * (time[0] + time.size) < 3e-4:
            break
    return np.array([a, b, c]), 0.5 * noise * c11 / determinant


def window_for(noise: float, strength: float, pilots: int, walk: float) -> int:
    """Symbols (odd) to average pilots' phases over: thermal phase noise against the phase's random walk.

    Averaging W symbols leaves σ²/(2 P W |G|²) of thermal phase variance and about walk · W/12 of wandering; the best W is
    √(6 σ²/(P · walk · |G|²)).

    Args:
        noise: σ²; strength: |G|²; pilots: a symbol, P; walk: variance of the phase's step from symbol to symbol, rad².
    """
    if walk <= 0:
        return MOST
    best = math.sqrt(6 * noise / max(strength, 1e-30) / (pilots * walk))
    return int(min(max(best, 1.0), float(MOST))) | 1


def held(looks: Complexes, variance: float, half_noise: float) -> float:
    """What a locked phase is worth, as a look at angle 0; nothing where all pilots together contradict it (5 σ).

    Phases about 0 with variance v are as good as one more look with |expected|² = σ²/(2 v) at angle 0 (MAP, von Mises).

    Args:
        looks: complex128 [symbol, pilot], received times conj(expected).
        variance: of the phase about 0, rad²; half_noise: σ²/2.
    """
    total = complex(looks.sum())
    angle = math.atan2(total.imag, total.real)
    return 0.0 if angle**2 > 25 * (variance + half_noise / max(abs(total), 1e-60)) else half_noise / variance


def smooth(looks: Complexes, power: Doubles, window: int, hold: float) -> tuple[Complexes, Complexes, Doubles]:
    """Common phase by a moving average over the pilots, for all and for each pilot without its own part in it.

    Args:
        looks: complex128 [symbol, pilot], received times conj(expected); power: [pilot], |expected|².
        window: symbols (odd) to average; hold: a look at angle 0 that each average begins with, see `held`.

    Returns:
        phasor [symbol]; phasor without the pilot's own look [symbol, pilot]; its phase noise over σ²/|expected|², the same
        shape.
    """
    symbols, pilots = looks.shape
    total = np.zeros(symbols + 1, complex)
    np.cumsum(looks.sum(1), out=total[1:])
    low, high = _reach(symbols, window)
    sums = total[high] - total[low] + hold
    if pilots == 1 and min(window, symbols) == 1 and not hold:  # no other look: judged by the line alone
        return _unit(sums), np.ones_like(looks), np.zeros(looks.shape)
    rest = (high - low)[:, None] * power.sum() + hold - power
    return _unit(sums), _unit(sums[:, None] - looks), 0.5 * power / np.maximum(rest, 1e-60)


@lru_cache(maxsize=64)
def _reach(symbols: int, window: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First symbol, and the one after the last, that a moving average takes in."""
    index = np.arange(symbols)
    return np.maximum(index - window // 2, 0), np.minimum(index + window // 2 + 1, symbols)


def _unit(values: Complexes) -> Complexes:
    size = np.sqrt(square(values))
    if not size.all():
        values, size = np.where(size > 0, values, 1), np.where(size > 0, size, 1)
    return np.asarray(values * (1 / size))
