"""The shape of a channel over frames, without compiled code; docs/decisions/0007 says why.

What a static link at fixed gains does to a frame is one response over the carriers, with a phase and a delay of the frame's
own. It is filtered over frames, each of which takes the last one's with it; phase and delay are fitted to the frame's few
sounding symbols alone.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["FITTED", "FORGET", "LIMIT", "REACH", "RESTLESS", "Joined", "join"]

LIMIT = 3.0
"""How far a frame may be from the shape, over what noise makes of it: chance passes with probability about 1e-6."""
RESTLESS = 1.5
"""The same in the mean of late: seven standard deviations, where a channel has 16 taps."""
FORGET = 1 / 8
"""Weight of a frame in that mean."""
FITTED = 1.0
"""Complex numbers that are fitted: phase is half of one, delay another."""
REACH = 4.0
"""Samples of delay that are searched to either side."""
STEPS = 5
"""Hypotheses of delay in half of the correlation's main lobe."""
Complexes = NDArray[Any]


class Joined(NamedTuple):
    """A frame's channel with what was known of its shape.

    Attributes:
        mean: complex [carrier], to be projected on the channel's taps; None where the shape is contradicted, or unknown.
        weight: sounding symbols that the shape rests on now; unrest: how far frames were from it of late.
        error: [carrier], error of the channel over the noise.
    """

    mean: Complexes | None
    weight: float
    unrest: float
    error: NDArray[Any]


def _delay(products: Complexes, carriers: NDArray[np.float64], size: int) -> float:
    """Phase slope over carriers (rad) at the peak of |Σ products exp(j slope carrier)|."""
    step = 2 * math.pi / len(carriers) / STEPS
    most = math.ceil(2 * math.pi * REACH / size / step)
    grid = step * np.arange(-most, most + 1)
    turned = np.exp(1j * grid[:, None] * carriers) @ products
    slope = float(grid[(turned.real**2 + turned.imag**2).argmax()])
    for _ in range(4):  # Newton's method
        turned = products * np.exp(1j * slope * carriers)
        r, a, b = turned.sum(), turned @ carriers, turned @ carriers**2
        first, second = -2 * (r.conjugate() * a).imag, 2 * (abs(a) ** 2 - (r.conjugate() * b).real)
        if second >= 0:
            break
        slope -= min(max(float(first / second), -step), step)
    return slope


def join(
    mean: Complexes, count: int, known: Complexes, trust: NDArray[np.float64], scatter: float, basis: Complexes,
    leverage: NDArray[Any], carriers: NDArray[np.float64], size: int, memory: float,
) -> Joined:  # fmt: skip
    """A frame's mean look at its channel, joined with the shape that is known.

    Args:
        mean: complex [carrier], of `count` looks.
        known: complex [carrier], the last frame's channel; trust: as `hil.phy.reception.Shape`.
        scatter: noise power of a look.
        basis: complex [dimension, carrier], orthonormal, of channels; leverage: [carrier], Σ |basis|².
        carriers: signed; size: N; memory: looks that a shape rests on at most.
    """
    alone = Joined(None, float(count), 1.0, leverage / count)
    weight = min(float(trust[0]), memory)
    known = known.astype(complex)
    power = known.real**2 + known.imag**2
    total = float(power.sum())
    if weight <= 0 or not total > 0:
        return alone
    dimensions = len(basis)
    slope = _delay(known.conj() * mean, carriers, size)
    shape = known * np.exp(-1j * slope * carriers)
    fitted = shape * np.exp(1j * np.angle(np.vdot(shape, mean)))
    left = basis.conj() @ (mean - fitted)
    expected = scatter * (dimensions - FITTED) * (1 / count + 1 / weight)
    distance = float((left.real**2 + left.imag**2).sum()) / max(expected, 1e-60)
    unrest = float(trust[1]) + FORGET * (distance - float(trust[1]))
    if distance > LIMIT or unrest > RESTLESS:
        return alone
    share = weight / (weight + count)
    bend = 0.5 * carriers**2 * total / max(float(power @ carriers**2), 1e-60)
    own = power / total * (0.5 + bend) * (1 / count - 1 / (weight + count))
    return Joined(share * fitted + (1 - share) * mean, weight + count, unrest, leverage / (weight + count) + own)
