"""Transmit kernels without compiled code (torch): tasks' symbols to samples. Gradients pass through them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hil.phy import header
from hil.phy.layout import Layout

__all__ = ["WaveKernels"]


class WaveKernels:
    """Kernels for frames of one layout; `hil.phy.waves_numba` has the same class."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def build(self, symbols: Tensor, numbers: Sequence[int], out: Tensor | None) -> Tensor:
        """Frames' samples.

        Args:
            symbols: complex64 [frame, tx, task, use].
            numbers: 0…65535, each frame's; none without a header.
            out: complex64 [frame, tx, sample] to write into, or None.

        Returns:
            `out`, or complex64 [frame, tx, sample].
        """
        layout, frames = self._layout, symbols.shape[0]
        waves = layout.template.repeat(frames, 1, 1)
        if not layout.runs:
            return waves if out is None else out.copy_(waves)
        spectra = layout.spectra.flatten().repeat(frames, 1)
        values = symbols.flatten(1)[:, layout.source]
        spectra = spectra.index_copy(1, layout.target, values if layout.weight is None else values * layout.weight)
        if numbers:
            words = torch.stack([header.encode(number, layout.repetitions) for number in numbers])
            spectra = spectra.index_copy(1, layout.header, words * layout.header_weight)
        time = torch.fft.ifft(spectra.unflatten(1, layout.spectra.shape), norm="forward")
        time = torch.cat([time[..., time.shape[-1] - layout.prefix :], time], dim=-1)
        for run in layout.runs:
            body = time[:, run.row : run.row + run.symbols].flatten(1)
            waves[:, run.tx, run.start : run.start + body.shape[1]] = body * layout.amplitude[run.tx]
        return waves if out is None else out.copy_(waves)
