"""Tasks' symbols to samples: one waveform a transmitter."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from hil.errors import ShapeError
from hil.phy.frame import FrameFormat
from hil.phy.kernels import kernels
from hil.phy.layout import Layout

__all__ = ["FrameBuilder", "build_frame"]


class FrameBuilder:
    """Frames of one format to samples. What never changes is laid out once.

    Args:
        form: the frame format.
        precoder: complex64 [tx, active carrier], transmit pre-equalisation of all OFDM symbols; None for 1.
        scale: float32 [tx], constant amplitude of each transmitter (energy accounting); None for 1.
        fast: True: compiled kernels, False: plain ones, which gradients pass through, None: compiled if numba is installed.
    """

    def __init__(
        self, form: FrameFormat, *, precoder: Tensor | None = None, scale: Tensor | None = None, fast: bool | None = None
    ) -> None:
        self.form = form
        self._kernels = kernels(fast).waves.WaveKernels(Layout.of(form, precoder, scale))

    def build(self, symbols: Tensor | None, numbers: Sequence[int] | None = None, *, out: Tensor | None = None) -> Tensor:
        """Frames' samples, 1.0 = full scale of the converter.

        Args:
            symbols: complex64 [frame, tx, task, use]; None for frames without tasks.
            numbers: each frame's number, taken modulo 65536; needed if the format has a header.
            out: complex64 [frame, tx, samples] to write into, else new storage.

        Returns:
            complex64 [frame, tx, samples].

        Raises:
            ShapeError: the symbols, numbers or `out` do not fit the format.
        """
        form = self.form
        expected = (form.transmitters, form.tasks, form.occupied.shape[1])
        if symbols is None and not form.tasks:
            symbols = torch.zeros((len(numbers or [0]), *expected), dtype=torch.complex64)
        if symbols is None or symbols.ndim != 4 or tuple(symbols.shape[1:]) != expected or symbols.dtype != torch.complex64:
            given = None if symbols is None else f"{symbols.dtype} {tuple(symbols.shape)}"
            raise ShapeError(f"Argument 'symbols' must be complex64 [frame, tx, task, use] with {expected}, not {given}.")
        frames = symbols.shape[0]
        if form.header_symbols and (numbers is None or len(numbers) != frames):
            raise ShapeError(f"Argument 'numbers' must hold a number for each of {frames} frames; this format has a header.")
        shape = (frames, form.transmitters, form.samples)
        if out is not None and (tuple(out.shape) != shape or not out.is_contiguous() or out.dtype != torch.complex64):
            raise ShapeError(f"Argument 'out' must be contiguous complex64 {shape}, not {out.dtype} {tuple(out.shape)}.")
        taken = [number % 65536 for number in numbers] if form.header_symbols and numbers is not None else []
        waves: Tensor = self._kernels.build(symbols, taken, out)
        return waves


def build_frame(
    symbols: Tensor | None, number: int, form: FrameFormat, *, precoder: Tensor | None = None, scale: Tensor | None = None
) -> Tensor:
    """One frame's samples for every transmitter, 1.0 = full scale of the converter; gradients pass through.

    Args:
        symbols: complex64 [tx, task, use] with the frame's number of tasks; None for a frame without payload.
        number: frame number, taken modulo 65536.
        form: the frame format.
        precoder: complex64 [tx, active carrier], transmit pre-equalisation of all OFDM symbols; None for 1.
        scale: float32 [tx], constant amplitude of each transmitter (energy accounting); None for 1.

    Returns:
        complex64 [tx, samples].

    Raises:
        ShapeError: the symbols do not fit the format.
    """
    plain = precoder is None and scale is None
    builder = _builder(form) if plain else FrameBuilder(form, precoder=precoder, scale=scale, fast=False)
    return builder.build(None if symbols is None else symbols[None], [number])[0]


@lru_cache(maxsize=8)
def _builder(form: FrameFormat) -> FrameBuilder:
    return FrameBuilder(form, fast=False)
