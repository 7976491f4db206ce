"""Estimators on the demodulated grid: channel over delay, unbiased signal power, phase of a transmitter over time."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from hil.phy.numerology import Numerology

__all__ = ["delay_basis", "delay_projection", "smooth_phasor", "smoothing_window", "unbiased_power"]


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


def unbiased_power(matched: Tensor) -> Tensor:
    """Mean |H|² over carriers from M noisy looks at H, free of the noise's power.

    Args:
        matched: complex [..., M, carrier], M ≥ 2 looks H + n with independent noise.

    Returns:
        float [...]: mean over carriers of (|Σ_m r_m|² − Σ_m |r_m|²) / (M (M − 1)).
    """
    looks = matched.shape[-2]
    coherent = matched.sum(-2).abs().square() - matched.abs().square().sum(-2)
    return coherent.mean(-1) / (looks * (looks - 1))


def smoothing_window(noise_to_signal: float, pilots: int, walk: float, *, least: int = 1, most: int = 65) -> int:
    """Symbols (odd) to average a pilot phasor over: thermal phase noise against a random walk of the phase.

    Averaging W symbols leaves σ²/(2 P W) of thermal phase variance and about walk · W/12 of wandering; the best W is
    √(6 σ²/(P · walk)).

    Args:
        noise_to_signal: σ² at |x|² = |G|² = 1.
        pilots: pilots a symbol, P.
        walk: variance of the phase's step from symbol to symbol, rad².
        least: lower bound of W.
        most: upper bound of W.
    """
    best = most if walk <= 0 else math.sqrt(6 * noise_to_signal / (pilots * walk))
    return int(min(max(best, least), most)) | 1


def smooth_phasor(phasor: Tensor, window: int) -> Tensor:
    """Moving average over an odd window, shortened at the ends; complex [symbol] to the same shape."""
    half = window // 2
    total = torch.nn.functional.pad(phasor.cumsum(0), (1, 0))
    count = phasor.shape[0]
    index = torch.arange(count)
    low, high = (index - half).clamp_min(0), (index + half + 1).clamp_max(count)
    return (total[high] - total[low]) / (high - low)
