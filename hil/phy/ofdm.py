"""OFDM modulation and demodulation with a unitary FFT, so that noise power a sample is noise power a carrier."""

from __future__ import annotations

import torch
from torch import Tensor

from hil.errors import ShapeError
from hil.phy.numerology import Numerology

__all__ = ["demodulate", "modulate"]


def modulate(grid: Tensor, numerology: Numerology) -> Tensor:
    """Active carriers to samples with cyclic prefix.

    Args:
        grid: complex [..., symbol, active carrier].
        numerology: carriers and prefix.

    Returns:
        samples, complex [..., symbol · (N + CP)]; carriers of unit power give mean power active/N.

    Raises:
        ShapeError: the last axis is not the number of active carriers.
    """
    if grid.shape[-1] != numerology.active:
        raise ShapeError(f"Argument 'grid' must have {numerology.active} carriers on its last axis, not {grid.shape[-1]}.")
    bins = torch.zeros((*grid.shape[:-1], numerology.fft_size), dtype=grid.dtype, device=grid.device)
    bins[..., list(numerology.bins)] = grid
    time = torch.fft.ifft(bins, norm="ortho")
    time = torch.cat([time[..., numerology.fft_size - numerology.cyclic_prefix :], time], dim=-1)
    return time.flatten(-2)


def demodulate(samples: Tensor, numerology: Numerology, *, advance: int = 0) -> Tensor:
    """Samples of whole OFDM symbols to all FFT bins.

    Args:
        samples: complex [..., symbol · (N + CP)]; the first sample is the first of a prefix.
        numerology: carriers and prefix.
        advance: samples by which the FFT window starts before the end of the prefix, 0…CP.

    Returns:
        complex [..., symbol, N].

    Raises:
        ShapeError: not a whole number of symbols.
    """
    length = numerology.symbol_samples
    if samples.shape[-1] % length:
        raise ShapeError(f"Argument 'samples' must hold whole symbols of {length} samples, not {samples.shape[-1]} samples.")
    symbols = samples.unflatten(-1, (samples.shape[-1] // length, length))
    first = numerology.cyclic_prefix - advance
    grid: Tensor = torch.fft.fft(symbols[..., first : first + numerology.fft_size], norm="ortho")
    return grid
