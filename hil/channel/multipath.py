"""Propagation: static taps as one FIR at the sample rate, and Rayleigh block fading."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hil.channel.noise import philox
from hil.channel.resample import FilterBank, filter_bank

__all__ = ["Path", "fade", "frequency_response", "impulse_response", "rayleigh"]


@dataclass(frozen=True, kw_only=True)
class Path:
    """One way from transmitter to receiver: delay (s) and complex amplitude."""

    delay_s: float
    gain: complex


def impulse_response(paths: tuple[Path, ...], sample_rate_hz: float, order: int = 0) -> FilterBank:
    """All paths, with their fractional delays, as one filter bank at the sample rate (`order` as in `filter_bank`)."""
    delays = np.array([path.delay_s for path in paths]) * sample_rate_hz
    return filter_bank(delays, np.array([path.gain for path in paths], dtype=np.complex128), order)


def frequency_response(paths: tuple[Path, ...], freqs_hz: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Response Σ g exp(−j2πfτ) at baseband frequencies, complex128 [freq]."""
    delays = np.array([path.delay_s for path in paths])
    gains = np.array([path.gain for path in paths], dtype=np.complex128)
    return np.asarray(np.exp(-2j * math.pi * np.multiply.outer(freqs_hz, delays)) @ gains)


def rayleigh(seed: int, link: str, start: int, n: int, block: int) -> Tensor:
    """Rayleigh block fading: one CN(0, 1) gain per `block` air samples, a pure function of (seed, link, block index).

    Args:
        seed: of the air.
        link: name of the link.
        start: first air sample.
        n: number of samples.
        block: samples over which the gain is constant.

    Returns:
        complex64 [n].
    """
    first, last = start // block, (start + n - 1) // block
    gains = torch.tensor([fade(seed, link, index) for index in range(first, last + 1)], dtype=torch.complex64)
    return gains.repeat_interleave(block)[start - first * block :][:n]


def fade(seed: int, link: str, index: int) -> complex:
    """The CN(0, 1) gain of one fading block."""
    i, q = philox(seed, f"{link}/rayleigh", index).standard_normal(2) * math.sqrt(0.5)
    return complex(i, q)
