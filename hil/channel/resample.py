"""Band-limited interpolation: fractional delay, multipath and sample-clock offset by one polyphase (Farrow) filter bank.

A signal between its samples is Σ x[m] h(t − m) with h a Kaiser-windowed sinc. For a clock that drifts, each tap of h is a
polynomial in the fraction of a sample, so that one FFT convolution per power and a Horner sum give every output.
Error below −65 dB for |f| ≤ 0.41 of the sample rate.

Source: Farrow, "A continuously variable digital delay element", ISCAS 1988; Laakso et al., "Splitting the unit delay",
IEEE Signal Processing Magazine 13(1), 1996.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hil.errors import ShapeError

__all__ = [
    "HALF_WIDTH",
    "ORDER",
    "FilterBank",
    "convolve",
    "filter_bank",
    "fractional_delay",
    "interpolate",
    "kernel",
    "place",
    "resample",
]

HALF_WIDTH = 16
"""Samples on either side of the interpolation kernel's centre."""
ORDER = 5
"""Degree of the polynomials for a drifting clock."""
_BETA = 6.8  # Kaiser, 70 dB: transition 0.135 of the sample rate at this width


@dataclass(frozen=True, kw_only=True)
class FilterBank:
    """Impulse response of a channel as a polynomial in the fraction μ of a sample.

    Attributes:
        taps: complex64 [order + 1, tap]; coefficient of μ^m at lag `first` + tap.
        first: lag of the first tap, in samples; negative where the kernel reaches ahead.
    """

    taps: Tensor
    first: int


def kernel(t: NDArray[np.float64]) -> NDArray[np.float64]:
    """The interpolation kernel h(t), t in samples."""
    inside = np.clip(1 - (t / HALF_WIDTH) ** 2, 0, None)
    window = np.i0(_BETA * np.sqrt(inside)) / np.i0(_BETA)
    return np.asarray(np.where(np.abs(t) < HALF_WIDTH, np.sinc(t) * window, 0.0))


def filter_bank(delays: NDArray[np.float64], gains: NDArray[np.complex128], order: int = 0) -> FilterBank:
    """Filter bank of a sum of delayed, scaled copies.

    Args:
        delays: of each path in samples, [path].
        gains: complex amplitude of each path, [path].
        order: 0 for a fixed grid (an FIR), `ORDER` for a drifting one.

    Raises:
        ShapeError: delays and gains differ in length, or there is none.
    """
    delays, gains = np.atleast_1d(delays), np.atleast_1d(gains)
    if delays.shape != gains.shape or delays.ndim != 1 or not len(delays):
        raise ShapeError(f"Arguments 'delays' and 'gains' must be [path] alike, not {delays.shape} and {gains.shape}.")
    first = int(np.floor(delays.min())) - HALF_WIDTH
    last = int(np.ceil(delays.max())) + HALF_WIDTH
    lags = np.arange(first, last + 1)
    nodes = np.cos(np.pi * (np.arange(4 * order) + 0.5) / (4 * order)) / 2 if order else np.zeros(1)  # Chebyshev, ±1/2
    response = np.einsum("p,mjp->mj", gains, kernel(lags[None, :, None] + nodes[:, None, None] - delays[None, None, :]))
    fit = np.linalg.lstsq(nodes[:, None] ** np.arange(order + 1), response, rcond=None)[0]
    coefficients = fit if order else response
    used = np.flatnonzero(np.abs(coefficients).max(axis=0) > 0)
    kept = coefficients[:, used[0] : used[-1] + 1] if len(used) else coefficients[:, :1]
    begin = first + int(used[0]) if len(used) else first
    return FilterBank(taps=torch.from_numpy(np.ascontiguousarray(kept)).to(torch.complex64), first=begin)


def convolve(samples: Tensor, bank: FilterBank, size: int | None = None, spectrum: Tensor | None = None) -> Tensor:
    """Full linear convolution with every branch of the bank, by FFT.

    Args:
        samples: complex64 [..., n].
        bank: the filters.
        size: FFT length, ≥ n + taps − 1; fixed by callers that need the same bits for shorter inputs.
        spectrum: the bank's own FFT of that length, where it is already known.

    Returns:
        complex64 [..., order + 1, n + taps − 1]; entry 0 belongs to lag `bank.first`.
    """
    length = samples.shape[-1] + bank.taps.shape[-1] - 1
    fft = size if size is not None else 1 << (length - 1).bit_length()
    if fft < length:
        raise ShapeError(f"Argument 'size' must be at least {length}, not {fft}.")
    response = torch.fft.fft(bank.taps, fft) if spectrum is None else spectrum
    full: Tensor = torch.fft.ifft(torch.fft.fft(samples, fft).unsqueeze(-2) * response)
    return full[..., :length]


def fractional_delay(samples: Tensor, delay: float) -> Tensor:
    """Delay by any number of samples, zeros shifted in.

    Args:
        samples: complex64 [..., n].
        delay: in samples, of either sign.

    Returns:
        complex64 [..., n].
    """
    bank = filter_bank(np.array([delay]), np.ones(1, dtype=np.complex128))
    return place(convolve(samples, bank)[..., 0, :], bank.first, samples.shape[-1])


def place(samples: Tensor, first: int, n: int) -> Tensor:
    """Window [0, n) of a signal whose entry 0 is sample `first`; zeros where it is not known."""
    before = max(first, 0)
    body = samples[..., max(-first, 0) :][..., : max(n - before, 0)]
    return torch.nn.functional.pad(body, (min(before, n), n - min(before, n) - body.shape[-1]))


def resample(samples: Tensor, ratio: float, offset: float = 0.0, n: int | None = None) -> Tensor:
    """Read a signal on another, slightly faster or slower clock.

    Args:
        samples: complex64 [..., n_in], zero outside.
        ratio: input samples per output sample; 1 + ppm·1e-6, not for changes of rate by more than 1 %.
        offset: input position of output 0, in samples.
        n: number of outputs; as many as inputs when None.

    Returns:
        complex64 [..., n]; output i is the input at position offset + i·ratio.

    Raises:
        ShapeError: a ratio that would alias.
    """
    if not 0.99 <= ratio <= 1.01:
        raise ShapeError(f"Argument 'ratio' must lie in 0.99 … 1.01, not {ratio}.")
    count = samples.shape[-1] if n is None else n
    bank = filter_bank(np.zeros(1), np.ones(1, dtype=np.complex128), ORDER)
    branches = convolve(samples, bank)
    positions = offset + np.arange(count) * ratio
    return interpolate(branches, bank.first, positions)


def interpolate(branches: Tensor, first: int, positions: NDArray[np.float64]) -> Tensor:
    """Evaluate the polynomials of a convolved bank.

    Args:
        branches: from `convolve`, complex64 [..., order + 1, length].
        first: the bank's first lag.
        positions: in input samples, float64 [n].

    Returns:
        complex64 [..., n]; zero where a position is outside.
    """
    nearest = np.rint(positions)
    mu = torch.from_numpy((positions - nearest).astype(np.float32))
    index = nearest.astype(np.int64) - first
    length = branches.shape[-1]
    known = torch.from_numpy(((index >= 0) & (index < length)).astype(np.float32))
    taken = branches[..., torch.from_numpy(np.clip(index, 0, length - 1))]
    out = taken[..., -1, :]
    for power in range(taken.shape[-2] - 2, -1, -1):
        out = out * mu + taken[..., power, :]
    return out * known
