"""Tasks' symbols to samples: one waveform a transmitter."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from hil.errors import ShapeError
from hil.phy.frame import FrameFormat
from hil.phy.kernels import kernels
from hil.phy.ofdm import modulate
from hil.units import db_to_amplitude

__all__ = ["FrameBuilder", "build_frame"]

_BATCH = 16


class FrameBuilder:
    """Many frames of one format to samples. What never changes is laid out once.

    Args:
        form: the frame format.
        precoder: complex64 [tx, active carrier], transmit pre-equalisation of all OFDM symbols; None for 1.
        scale: float32 [tx], constant amplitude of each transmitter (energy accounting); None for 1.
        fast: kernels, see `hil.phy.kernels.kernels`.
    """

    def __init__(
        self, form: FrameFormat, *, precoder: Tensor | None = None, scale: Tensor | None = None, fast: bool | None = None
    ) -> None:
        self.form = form
        self._kernels = kernels(fast)[1]
        numerology, transmitters, uses = form.numerology, form.transmitters, form.occupied.shape[1]
        size, data = numerology.fft_size, torch.tensor(numerology.data_positions)
        bins = torch.tensor(numerology.bins)
        self._bins = bins.numpy()
        grid = torch.zeros((transmitters, form.symbols, numerology.active), dtype=torch.complex64)
        slot = form.config.sounding_symbols
        sources, targets = [], []
        for tx in range(transmitters):
            grid[tx, tx * slot : (tx + 1) * slot] = form.sounding[tx]
        for segment in form.segments:
            first = form.payload_index + segment.first
            known = form.pilot_symbols[segment.first : segment.first + segment.symbols]
            for tx in segment.transmitters:
                payload = grid[tx, first : first + segment.symbols]
                cells = known[:, data].flatten()
                cells[segment.cells] = 0
                payload[:, data] = cells.unflatten(0, (segment.symbols, len(data)))
                pilots = form.pilots_of(segment, tx)
                payload[:, pilots] = known[:, pilots]
                task = torch.arange(form.tasks)[:, None]
                sources.append(((tx * form.tasks + task) * uses + segment.uses).flatten())
                symbol = torch.div(segment.cells, len(data), rounding_mode="floor")
                place = (tx * form.symbols + first + symbol) * size + bins[data[segment.cells % len(data)]]
                targets.append(place)
        self._source = torch.cat(sources).numpy() if sources else np.zeros(0, np.int64)
        self._target = torch.cat(targets).numpy() if targets else np.zeros(0, np.int64)
        template = torch.zeros((_BATCH, transmitters, form.symbols, size), dtype=torch.complex64)
        template[..., bins] = grid
        self._spectra = template
        gain = torch.ones(transmitters) if scale is None else scale.to(torch.float32)
        weights = torch.ones((transmitters, numerology.active), dtype=torch.complex64) if precoder is None else precoder
        self._weights: Tensor | None = None
        if precoder is not None or scale is not None:
            self._weights = torch.zeros((transmitters, 1, size), dtype=torch.complex64)
            self._weights[:, 0, bins] = weights * gain[:, None]
        head = torch.zeros((transmitters, form.sounding_start), dtype=torch.complex64)
        head[0, form.preamble_start :] = form.preamble * (db_to_amplitude(form.config.digital_rms_dbfs) * float(gain[0]))
        self._head = head

    @torch.no_grad()
    def build(self, symbols: Tensor, numbers: Sequence[int] | None = None, *, out: Tensor | None = None) -> Tensor:
        """Frames' samples, 1.0 = full scale of the converter.

        Args:
            symbols: complex64 [frame, tx, task, use].
            numbers: each frame's number, taken modulo 65536; needed if the format has a header.
            out: complex64 [frame, tx, samples] to write into, else new storage.

        Returns:
            complex64 [frame, tx, samples].

        Raises:
            ShapeError: the symbols, numbers or `out` do not fit the format.
        """
        form = self.form
        expected = (form.transmitters, form.tasks, form.occupied.shape[1])
        if symbols.ndim != 4 or tuple(symbols.shape[1:]) != expected or symbols.dtype != torch.complex64:
            raise ShapeError(
                f"Argument 'symbols' must be complex64 [frame, tx, task, use] with {expected}, not {tuple(symbols.shape)}."
            )
        frames = symbols.shape[0]
        if form.header_symbols and (numbers is None or len(numbers) != frames):
            raise ShapeError(f"Argument 'numbers' must hold a number for each of {frames} frames; this format has a header.")
        shape = (frames, form.transmitters, form.samples)
        if out is None:
            out = torch.empty(shape, dtype=torch.complex64)
        elif tuple(out.shape) != shape or not out.is_contiguous() or out.dtype != torch.complex64:
            raise ShapeError(f"Argument 'out' must be contiguous complex64 {shape}, not {out.dtype} {tuple(out.shape)}.")
        out[:, :, : form.sounding_start] = self._head
        values = symbols.contiguous().view(frames, -1).numpy()
        samples = torch.view_as_real(out).view(frames * form.transmitters, -1).numpy()
        size, prefix = form.numerology.fft_size, form.numerology.cyclic_prefix
        scale = np.float32(form.sample_amplitude * math.sqrt(size))
        for first in range(0, frames, _BATCH):
            count = min(_BATCH, frames - first)
            spectra = self._spectra[:count]
            self._kernels.place(values[first : first + count], self._source, self._target, spectra.view(count, -1).numpy())
            if form.header_symbols and numbers is not None:
                for index in range(count):
                    header = form.header_grid(numbers[first + index] % 65536)
                    spectra[index, 0, form.header_index : form.payload_index, self._bins] = header
            time = torch.fft.ifft(spectra if self._weights is None else spectra * self._weights)
            blocks = torch.view_as_real(time).view(count * form.transmitters, form.symbols, 2 * size).numpy()
            rows = slice(first * form.transmitters, (first + count) * form.transmitters)
            self._kernels.emit(blocks, prefix, scale, form.sounding_start, samples[rows])
        return out


def build_frame(
    symbols: Tensor | None, number: int, form: FrameFormat, *, precoder: Tensor | None = None, scale: Tensor | None = None
) -> Tensor:
    """One frame's samples for every transmitter, 1.0 = full scale of the converter.

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
    numerology, transmitters = form.numerology, form.transmitters
    expected = (transmitters, form.tasks, form.occupied.shape[1])
    if form.segments and (symbols is None or tuple(symbols.shape) != expected):
        given = None if symbols is None else tuple(symbols.shape)
        raise ShapeError(f"Argument 'symbols' must be [tx, task, use] = {expected} for this frame, not {given}.")
    grid = torch.zeros((transmitters, form.symbols, numerology.active), dtype=torch.complex64)
    slot = form.config.sounding_symbols
    for tx in range(transmitters):
        grid[tx, tx * slot : (tx + 1) * slot] = form.sounding[tx]
    grid[0, form.header_index : form.payload_index] = form.header_grid(number % 65536)
    data = list(numerology.data_positions)
    for segment in form.segments:
        rows = slice(form.payload_index + segment.first, form.payload_index + segment.first + segment.symbols)
        known = form.pilot_symbols[segment.first : segment.first + segment.symbols]
        for tx in segment.transmitters:
            assert symbols is not None  # checked above: a frame with segments has symbols
            cells = known[:, data].flatten()
            cells[segment.cells] = symbols[tx][:, segment.uses].flatten()
            payload = grid[tx, rows]
            payload[:, data] = cells.unflatten(0, (segment.symbols, len(data)))
            pilots = form.pilots_of(segment, tx)
            payload[:, pilots] = known[:, pilots]
    if precoder is not None:
        grid = grid * precoder[:, None, :]
    samples = torch.zeros((transmitters, form.samples), dtype=torch.complex64)
    samples[:, form.sounding_start :] = modulate(grid, numerology) * form.sample_amplitude
    preamble = form.preamble * db_to_amplitude(form.config.digital_rms_dbfs)
    samples[0, form.preamble_start : form.sounding_start] = preamble
    return samples if scale is None else samples * scale[:, None]
