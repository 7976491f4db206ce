"""Tasks' symbols to samples: one waveform a transmitter."""

from __future__ import annotations

import torch
from torch import Tensor

from hil.errors import ShapeError
from hil.phy.frame import FrameFormat
from hil.phy.ofdm import modulate
from hil.units import db_to_amplitude

__all__ = ["build_frame"]


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
