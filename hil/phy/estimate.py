"""Estimators on the demodulated grid, which gradients pass through: channel over delay, phase of a transmitter over time."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from hil.phy.numerology import Numerology

__all__ = ["delay_basis", "delay_projection", "smooth_phasor"]


@lru_cache(maxsize=16)
def delay_basis(numerology: Numerology, first_tap: int, taps: int) -> Tensor:
    """Orthonormal basis of channels with delays first_tap … first_tap + taps − 1, complex128 [active, dimension]."""
    carriers = torch.tensor(numerology.carriers, dtype=torch.float64)
    delays = torch.arange(first_tap, first_tap + taps, dtype=torch.float64)
    steering = torch.exp(-2j * math.pi / numerology.fft_size * carriers[:, None] * delays[None, :])
    left, values, _ = torch.linalg.svd(steering, full_matrices=False)
    basis: Tensor = left[:, values > 1e-6 * values[0]]
    return basis


@lru_cache(maxsize=16)
def delay_projection(numerology: Numerology, first_tap: int, taps: int) -> Tensor:
    """Least-squares projection of a channel on delays first_tap … first_tap + taps − 1, complex64 [active, active].

    `estimate @ projection` is the least-squares channel on those taps; noise power falls by taps/active.
    """
    left = delay_basis(numerology, first_tap, taps)
    projection: Tensor = (left @ left.conj().T).T.contiguous().to(torch.complex64)
    return projection


def smooth_phasor(phasor: Tensor, window: int) -> Tensor:
    """Moving average over an odd window, shortened at the ends; complex [symbol] to the same shape."""
    half = window // 2
    total = torch.nn.functional.pad(phasor.cumsum(0), (1, 0))
    count = phasor.shape[0]
    index = torch.arange(count)
    low, high = (index - half).clamp_min(0), (index + half + 1).clamp_max(count)
    return (total[high] - total[low]) / (high - low)
