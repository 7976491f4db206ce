"""Static paths read by a slightly faster or slower clock, block by block: the plain counterpart of the compiled kernels.

Over one block the fraction of a sample moves by little, so every tap of the interpolated channel is a polynomial in it around
the nearest of `_PHASES` fractions, a parabola for usual clocks: one FFT forth and three back for a block. Differentiable in
the samples.

Source: overlap-save with a Farrow structure; see `hil.channel.resample`.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hil.channel.resample import HALF_WIDTH, kernel
from hil.errors import ShapeError

__all__ = ["DriftingFilter"]

_PHASES = 64
_REACH = 0.045  # of a sample, off a fraction of the grid, that blocks are made short for
_ERROR = 4e-4  # of the polynomial at 0.40 of the rate: −68 dB
_BATCH = 32  # blocks at a time


class DriftingFilter:
    """Y[n] = Σ_p g_p x(offset + n · ratio − τ_p), band-limited.

    Args:
        delays: τ of each path in samples, [path].
        gains: complex amplitude of each path, [path].
        ratio: input samples per output sample, 1 + ppm · 1e-6.

    Attributes:
        first, last: a sample of the input reaches outputs whose input position is this much later, first … last.

    Raises:
        ShapeError: clocks that differ by more than 1 %.
    """

    def __init__(self, delays: NDArray[np.float64], gains: NDArray[np.complex128], ratio: float = 1.0) -> None:
        if not 0.99 <= ratio <= 1.01:
            raise ShapeError(f"Argument 'ratio' must lie in 0.99 … 1.01, not {ratio}.")
        self._ratio = ratio
        drift = abs(ratio - 1)
        first = math.floor(float(delays.min())) - HALF_WIDTH - 1
        last = math.ceil(float(delays.max())) + HALF_WIDTH
        self.first, self.last, taps = first, last, last - first + 1
        size = 1 << max(2048, 8 * taps - 1).bit_length() - (taps <= 256)
        if drift:
            size = min(size, 1 << max(int(math.log2(2 * (_REACH - 0.5 / _PHASES) / drift + taps)), (2 * taps - 1).bit_length()))
        self._size, self._hop, self._taps = size, size - taps + 1, taps
        lags = np.arange(first, last + 1)
        reach = (0.5 / _PHASES + self._hop * drift / 2) if drift else 0.0
        order = 0
        while drift and (2 * math.pi * 0.4 * reach) ** (order + 1) / math.factorial(order + 1) > _ERROR:
            order += 1
        centres = np.arange(_PHASES + 1) / _PHASES if drift else np.zeros(1)
        nodes = np.cos(np.pi * (np.arange(2 * order + 1) + 0.5) / (2 * order + 1)) * reach
        fit = np.linalg.pinv(nodes[:, None] ** np.arange(order + 1))
        bank = np.empty((len(centres), order + 1, taps), dtype=np.complex128)
        for index, centre in enumerate(centres):
            t = lags[None, :, None] + centre + nodes[:, None, None] - delays
            bank[index] = fit @ (kernel(t) @ gains)
        self._spectra = torch.fft.fft(torch.from_numpy(bank).to(torch.complex64), size)

    def apply(self, samples: Tensor, n: int | None = None, offset: float = 0.0) -> Tensor:
        """Filter a signal that is zero outside.

        Args:
            samples: complex64 [..., n_in].
            n: outputs; as many as inputs when None.
            offset: input position of output 0; whole if the ratio is 1.

        Returns:
            complex64 [..., n].
        """
        count = samples.shape[-1] if n is None else n
        blocks = math.ceil(count / self._hop)
        starts = offset + np.arange(blocks) * self._hop * self._ratio
        slope = self._ratio - 1
        whole = np.floor(starts + slope * self._hop / 2).astype(np.int64)  # so that the middle of a block is within a sample
        fraction = starts - whole
        row = np.zeros(blocks, dtype=np.int64)
        if slope:
            row = np.rint((fraction + slope * self._hop / 2) * _PHASES).astype(np.int64)
        lead = self.last  # a block's FFT begins this much before its first position
        low, high = int(whole.min()) - lead, int(whole.max()) - lead + self._size  # what is needed of the input
        known = max(low, 0), min(high, samples.shape[-1])
        padded = samples.new_zeros((*samples.shape[:-1], high - low))
        if known[0] < known[1]:
            padded = torch.nn.functional.pad(samples[..., known[0] : known[1]], (known[0] - low, high - known[1]))
        ramp = torch.arange(self._hop, dtype=torch.float32) * slope
        parts = []
        for begin in range(0, blocks, _BATCH):
            chosen = range(begin, min(begin + _BATCH, blocks))
            at = [int(whole[index]) - lead - low for index in chosen]
            spectrum = torch.fft.fft(torch.stack([padded[..., first : first + self._size] for first in at], dim=-2))
            bank = self._spectra[torch.from_numpy(row[begin : begin + len(at)])]
            full = torch.fft.ifft(spectrum.unsqueeze(-2) * bank)[..., self._taps - 1 :]
            out = full[..., -1, :]
            if slope:
                off = torch.from_numpy((fraction - row / _PHASES)[begin : begin + len(at)].astype(np.float32))
                delta = (off[:, None] + ramp).unsqueeze(-1)
                total = torch.view_as_real(out)
                for power in range(full.shape[-2] - 2, -1, -1):
                    total = total * delta + torch.view_as_real(full[..., power, :])
                out = torch.view_as_complex(total)
            parts.append(out.flatten(-2))
        return torch.cat(parts, dim=-1)[..., :count]
