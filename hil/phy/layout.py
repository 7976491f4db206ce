"""What never changes in the frames of a format, laid out once for the transmitter's kernels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from hil.phy import header
from hil.phy.frame import FrameFormat
from hil.phy.ofdm import modulate
from hil.units import db_to_amplitude

__all__ = ["Layout", "Run"]


class Run(NamedTuple):
    """OFDM symbols that a transmitter sends one after the other and that differ from frame to frame.

    Attributes:
        tx: the transmitter; row: first of its rows in `Layout.spectra`; symbols: how many.
        start: first sample, of the first prefix.
    """

    tx: int
    row: int
    symbols: int
    start: int


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A frame's constant part, and where the rest goes.

    Attributes:
        prefix: CP.
        template: complex64 [tx, sample], what does not change: silence, preamble, sounding.
        spectra: complex64 [row, N], of the symbols that differ what does not: pilots, fillers, the header's rest.
        runs: where the rows lie in time.
        amplitude: float32 [tx], of a sum over bins without any factor.
        source: int64 [cell], from tx · task · use; target: int64 [cell], to row · N + bin; weight: complex64 [cell], the
            precoder's, None for 1.
        repetitions: of the header; header, header_weight: the same of its symbols, [repetitions · 192].
    """

    prefix: int
    template: Tensor
    spectra: Tensor
    runs: tuple[Run, ...]
    amplitude: Tensor
    source: Tensor
    target: Tensor
    weight: Tensor | None
    repetitions: int
    header: Tensor
    header_weight: Tensor

    @classmethod
    def of(cls, form: FrameFormat, precoder: Tensor | None = None, scale: Tensor | None = None) -> Layout:
        """The layout of a format.

        Args:
            form: the frame format.
            precoder: complex64 [tx, active carrier], of all OFDM symbols; None for 1.
            scale: float32 [tx], amplitude of each transmitter; None for 1.
        """
        numerology, transmitters = form.numerology, form.transmitters
        size, bins, data = numerology.fft_size, torch.tensor(numerology.bins), torch.tensor(numerology.data_positions)
        gain = torch.ones(transmitters) if scale is None else scale.to(torch.float32)
        weights = torch.ones((transmitters, numerology.active), dtype=torch.complex64) if precoder is None else precoder
        runs, row_of = _runs(form)
        grid = _constant_cells(form) * weights[:, None]
        varying = row_of >= 0
        spectra = torch.zeros((int(varying.sum()), size), dtype=torch.complex64)
        spectra[:, bins] = grid[varying]
        template = torch.zeros((transmitters, form.samples), dtype=torch.complex64)
        sounding = modulate(grid * ~varying[:, :, None], numerology)
        template[:, form.sounding_start :] = sounding * (gain * form.sample_amplitude)[:, None]
        preamble = form.preamble * (db_to_amplitude(form.config.digital_rms_dbfs) * gain[0])
        template[0, form.preamble_start : form.sounding_start] = preamble

        def place(tx: int, first: int, cells: Tensor) -> tuple[Tensor, Tensor]:
            """Targets and weights of data cells, counted from a frame's symbol `first`."""
            symbol, carrier = torch.div(cells, len(data), rounding_mode="floor"), data[cells % len(data)]
            return row_of[tx, first + symbol] * size + bins[carrier], weights[tx, carrier]

        sources, targets = [], [(torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.complex64))]
        task, uses = torch.arange(form.tasks)[:, None], form.occupied.shape[1]
        for segment in form.segments:
            for tx in segment.transmitters:
                sources.append(((tx * form.tasks + task) * uses + segment.uses).flatten())
                targets.append(place(tx, form.payload_index + segment.first, segment.cells))
        head, head_weight = place(0, form.header_index, torch.arange(header.USES * form.config.header_repetitions))
        return cls(
            prefix=numerology.cyclic_prefix,
            template=template,
            spectra=spectra,
            runs=runs,
            amplitude=gain * (form.sample_amplitude / math.sqrt(size)),
            source=torch.cat(sources) if sources else torch.zeros(0, dtype=torch.int64),
            target=torch.cat([target for target, _ in targets]),
            weight=None if precoder is None else torch.cat([weight for _, weight in targets]),
            repetitions=form.config.header_repetitions,
            header=head,
            header_weight=head_weight,
        )


def _runs(form: FrameFormat) -> tuple[tuple[Run, ...], Tensor]:
    """Runs of symbols that differ from frame to frame, and the row of each, int64 [tx, symbol], −1 for none."""
    spans = [(0, form.header_index, form.header_symbols)] if form.header_symbols else []
    for segment in form.segments:
        spans += [(tx, form.payload_index + segment.first, segment.symbols) for tx in segment.transmitters]
    row_of = torch.full((form.transmitters, form.symbols), -1, dtype=torch.int64)
    runs: list[Run] = []
    for tx, first, symbols in sorted(spans):
        row = runs[-1].row + runs[-1].symbols if runs else 0
        row_of[tx, first : first + symbols] = torch.arange(row, row + symbols)
        start = form.sounding_start + first * form.numerology.symbol_samples
        if runs and runs[-1].tx == tx and runs[-1].start + runs[-1].symbols * form.numerology.symbol_samples == start:
            runs[-1] = runs[-1]._replace(symbols=runs[-1].symbols + symbols)
        else:
            runs.append(Run(tx, row, symbols, start))
    return tuple(runs), row_of


def _constant_cells(form: FrameFormat) -> Tensor:
    """Sounding, pilots, fillers and the header's rest, complex64 [tx, symbol, active carrier]; zero where tasks' uses go."""
    grid = torch.zeros((form.transmitters, form.symbols, form.numerology.active), dtype=torch.complex64)
    slot, data = form.config.sounding_symbols, list(form.numerology.data_positions)
    for tx in range(form.transmitters):
        grid[tx, tx * slot : (tx + 1) * slot] = form.sounding[tx]
    grid[0, form.header_index : form.payload_index] = form.header_template
    for segment in form.segments:
        first = form.payload_index + segment.first
        known = form.pilot_symbols[segment.first : segment.first + segment.symbols]
        cells = known[:, data].flatten()
        cells[segment.cells] = 0
        for tx in segment.transmitters:
            payload = grid[tx, first : first + segment.symbols]
            payload[:, data] = cells.unflatten(0, (segment.symbols, len(data)))
            pilots = form.pilots_of(segment, tx)
            payload[:, pilots] = known[:, pilots]
    return grid
