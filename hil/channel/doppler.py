"""Moving scatterers: taps whose gains have Jakes' spectrum, as a sum of sinusoids on a coarse grid of time.

Each tap is Σ_m exp(j(2π f_D cos α_m · t + φ_m))/√M with α_m = (2πm + θ)/M and θ, φ_m uniform; over draws its autocorrelation
is exactly J0(2π f_D τ) and its value close to complex Gaussian. A pure function of (seed, stream, tap, time).

Source: Jakes, "Microwave Mobile Communications", 1974; Zheng and Xiao, "Simulation models with correct statistical
properties for Rayleigh fading channels", IEEE Trans. Communications 51(6), 2003.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hil.channel.noise import philox

__all__ = ["SINUSOIDS", "Scatterers", "interpolate_gains"]

SINUSOIDS = 16
_STEP_TURNS = 0.004  # of the fastest sinusoid between grid points: linear interpolation errs by less than −80 dB
_TABLE = 256


class Scatterers:
    """The gains of several taps, each of mean power 1, on a grid of `step` samples.

    Args:
        seed, stream: which realisation.
        taps: how many, independent of one another.
        doppler: largest shift f_D, cycles a sample, > 0.
    """

    def __init__(self, seed: int, stream: str, taps: int, doppler: float) -> None:
        self.step = int(min(max(_STEP_TURNS / doppler, 1), 1024))
        draws = [philox(seed, f"{stream}/jakes", tap) for tap in range(taps)]
        turned = np.array([draw.uniform(-math.pi, math.pi) for draw in draws])[:, None]
        angles = (2 * math.pi * np.arange(SINUSOIDS) + turned) / SINUSOIDS
        self._phases = np.array([draw.uniform(0, 2 * math.pi, SINUSOIDS) for draw in draws])
        self._rates = doppler * self.step * np.cos(angles)  # cycles from one grid point to the next, [tap, sinusoid]
        self._table = np.exp(2j * math.pi * np.multiply.outer(self._rates, np.arange(_TABLE))) / math.sqrt(SINUSOIDS)

    def grid(self, first: int, points: int) -> NDArray[np.complex64]:
        """Gains at samples step · (first, first + 1, …), complex64 [tap, point]."""
        out = np.empty((len(self._rates), points), dtype=np.complex64)
        for begin in range(0, points, _TABLE):
            start = np.exp(1j * (2 * math.pi * np.remainder(self._rates * (first + begin), 1.0) + self._phases))
            count = min(_TABLE, points - begin)
            out[:, begin : begin + count] = (start[:, None, :] @ self._table[:, :, :count])[:, 0]
        return out


def interpolate_gains(grid: Tensor, positions: NDArray[np.float64]) -> Tensor:
    """Gains between grid points, linearly: complex64 [..., point] to [..., n] at positions ≥ 0 counted in points."""
    whole = np.floor(positions)
    index = torch.from_numpy(whole.astype(np.int64))
    fraction = torch.from_numpy((positions - whole).astype(np.float32))
    left = grid[..., index]
    return left + (grid[..., index + 1] - left) * fraction
