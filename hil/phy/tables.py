"""What the receiver's kernels must know of a frame format, laid out once as arrays."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hil.phy.estimate import delay_basis
from hil.phy.frame import FrameFormat
from hil.phy.leakage import guard_filter
from hil.phy.numerology import Numerology
from hil.phy.reception import ReceiverConfig

__all__ = ["Options", "Pair", "Tables", "parts"]

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Pair = tuple[Floats, Floats]
"""Real and imaginary parts of one complex array."""


def parts(values: Any) -> Pair:
    """Real and imaginary parts, contiguous float32."""
    values = np.asarray(values)
    return np.ascontiguousarray(values.real, np.float32), np.ascontiguousarray(values.imag, np.float32)


class Options(NamedTuple):
    """How a receiver goes about its frames.

    Attributes:
        drift: sample-clock offset (as a ratio) of a carrier offset of one cycle a sample: one oscillator drives both.
        clock: standard deviation of what else the clock turns, rad a carrier and symbol.
        walk: variance of the phase's random walk, rad² a symbol.
        wander: variance of a locked phase about what the sounding said, rad²; 0: pilots alone say it.
        reference: what symbols are divided by, 0 for the response.
        locked: no carrier offset is taken out; aligned: superposed transmitters share one response; mmse: the equaliser.
        memory: sounding symbols that the shape of a channel rests on at most, over frames; 0: on its own frame's.
    """

    drift: float
    clock: float
    walk: float
    wander: float
    reference: float
    locked: bool
    aligned: bool
    mmse: bool
    memory: float

    @classmethod
    def of(cls, numerology: Numerology, config: ReceiverConfig) -> Options:
        """Those of a configuration."""
        turn = 2 * math.pi * numerology.symbol_samples / numerology.fft_size
        return cls(
            drift=config.sample_rate_hz / config.center_freq_hz,
            clock=turn * config.clock_left_ppm * 1e-6,
            walk=config.phase_walk_rad2,
            wander=config.phase_noise_rad**2 if config.phase_noise_rad and not config.max_cfo_hz else 0.0,
            reference=config.reference or 0.0,
            locked=config.max_cfo_hz == 0,
            aligned=config.aligned,
            mmse=config.equaliser == "mmse",
            memory=float(config.shape_memory),
        )


@dataclass(frozen=True, kw_only=True)
class Tables:
    """A frame's rows are its OFDM symbols from the first sounding symbol on, and last the silent symbol.

    Attributes:
        size: N; spacing: N + CP; half: active carriers on each side; transmitters, sounding (M), rows (without the silent one).
        offsets: int64 [row + 1], first sample of each row's FFT window, from the frame's start.
        senders_of_row: float64 [row + 1, tx], weights of the transmitters' carrier offsets in the one a row is freed of.
        carriers: float64 [active], signed; null_bins: int64.
        undo: [active], undoes the windows' advance, times 1/√N.
        sounding: [tx, M, active], conjugates of what is sent; basis: [dimension, active], orthonormal, of a channel with the
            configured delays; leverage: float32 [active], share of a sounding symbol's noise that its projection keeps.
        header: (first row, uses sent, repetitions); data: int64, positions of the data carriers.
        known: [payload row, active], pilots and fillers.
        segments: int64 [segment, 3]: first payload row, rows, senders; senders: int64 [segment, tx], who, then −1.
        pilots: int64 [segment, tx, pilot], positions of a sender's pilots, then −1.
        cells: int64 [task · use], payload cell (row · active + position) of each; unoccupied: payload rows · active.
        targets: int64 [payload cell], the same seen from the cells, −1 for none.
        everywhere: every transmitter sends in every use.
        fillers: int64, payload cells that hold known symbols.
        guard, leak: bins of the guard carriers; [2, guard, active], what leaks from there, for SNRs up to 35 dB and above.
        leak_limit: power of leakage on a guard carrier over that of an active one, beyond which it is none.
        observed_carriers, observed_symbols: int64 [active], [row], how many cells' errors are observed.
        options: how the receiver goes about it.
    """

    size: int
    spacing: int
    half: int
    transmitters: int
    sounding_symbols: int
    rows: int
    offsets: Ints
    senders_of_row: NDArray[np.float64]
    carriers: NDArray[np.float64]
    null_bins: Ints
    undo: Pair
    sounding: Pair
    basis: Pair
    leverage: Floats
    header: tuple[int, int, int]
    data: Ints
    known: Pair
    segments: Ints
    senders: Ints
    pilots: Ints
    cells: Ints
    targets: Ints
    everywhere: bool
    fillers: Ints
    guard: Ints
    leak: Pair
    leak_limit: float
    observed_carriers: Tensor
    observed_symbols: Tensor
    options: Options

    @classmethod
    def of(cls, form: FrameFormat, config: ReceiverConfig) -> Tables:
        """The tables of a format, as a receiver of some configuration looks at it."""
        numerology, slot = form.numerology, form.config.sounding_symbols
        size, spacing, active = numerology.fft_size, numerology.symbol_samples, numerology.active
        carriers = np.array(numerology.carriers, np.float64)
        offsets = form.sounding_start + spacing * np.arange(form.symbols) + numerology.cyclic_prefix - config.advance
        undo = np.exp(2j * np.pi / size * config.advance * carriers) / math.sqrt(size)
        basis = delay_basis(numerology, -config.taps_before, config.taps).numpy()
        segments, senders, pilots = _segments(form)
        cells, fillers = _cells(form)
        guard, noisy, limit = guard_filter(numerology, config.advance, 1e-3)
        clean = guard_filter(numerology, config.advance, 1e-5)[1]
        targets = np.full(active * (form.symbols - form.payload_index) + 1, -1)
        targets[cells] = np.arange(cells.size)
        known = form.pilot_symbols.numpy()[: form.symbols - form.payload_index]
        counts = _counts(form, pilots, senders, fillers)
        return cls(
            size=size,
            spacing=spacing,
            half=numerology.active_half,
            transmitters=form.transmitters,
            sounding_symbols=slot,
            rows=form.symbols,
            offsets=np.append(offsets, numerology.cyclic_prefix // 2),
            senders_of_row=_senders_of_row(form),
            carriers=carriers,
            null_bins=np.array(numerology.null_bins, np.int64),
            undo=parts(undo),
            sounding=parts(form.sounding.conj().resolve_conj().numpy()),
            basis=parts(basis.T),
            leverage=np.square(np.abs(basis)).sum(1).astype(np.float32),
            header=(form.header_index, form.header_symbols, form.config.header_repetitions),
            data=np.array(numerology.data_positions, np.int64),
            known=parts(known),
            segments=segments,
            senders=senders,
            pilots=pilots,
            cells=cells,
            targets=targets[:-1],
            everywhere=bool(form.occupied.all()),
            fillers=fillers,
            guard=guard,
            leak=parts(np.stack([noisy, clean])),
            leak_limit=limit,
            observed_carriers=torch.from_numpy(counts.sum(0)),
            observed_symbols=torch.from_numpy(counts.sum(1)),
            options=Options.of(numerology, config),
        )

    @property
    def active(self) -> int:
        """Active carriers."""
        return 2 * self.half

    @property
    def payload_rows(self) -> int:
        """Rows of the payload."""
        return self.known[0].shape[0]


def _senders_of_row(form: FrameFormat) -> NDArray[np.float64]:
    out = np.zeros((form.symbols + 1, form.transmitters))
    out[:, 0] = 1.0  # header and silence
    for tx in range(form.transmitters):
        rows = slice(tx * form.config.sounding_symbols, (tx + 1) * form.config.sounding_symbols)
        out[rows] = 0
        out[rows, tx] = 1
    for segment in form.segments:
        first = form.payload_index + segment.first
        out[first : first + segment.symbols] = 0
        out[first : first + segment.symbols, list(segment.transmitters)] = 1 / len(segment.transmitters)
    return out


def _segments(form: FrameFormat) -> tuple[Ints, Ints, Ints]:
    count, transmitters = len(form.segments), form.transmitters
    segments = np.zeros((count, 3), np.int64)
    senders = np.full((count, transmitters), -1, np.int64)
    pilots = np.full((count, transmitters, form.numerology.pilots), -1, np.int64)
    for index, segment in enumerate(form.segments):
        segments[index] = segment.first, segment.symbols, len(segment.transmitters)
        for place, tx in enumerate(segment.transmitters):
            senders[index, place] = tx
            own = form.pilots_of(segment, tx)
            pilots[index, place, : len(own)] = own
    return segments, senders, pilots


def _cells(form: FrameFormat) -> tuple[Ints, Ints]:
    data = torch.tensor(form.numerology.data_positions)
    active, tasks, uses = form.numerology.active, form.tasks, form.occupied.shape[1]
    rows = form.symbols - form.payload_index
    cells = torch.full((tasks, uses), rows * active, dtype=torch.int64)
    fillers = [torch.zeros(0, dtype=torch.int64)]

    def place(segment_cells: torch.Tensor, first: int) -> torch.Tensor:
        row = torch.div(segment_cells, len(data), rounding_mode="floor") + first
        return row * active + data[segment_cells % len(data)]

    for segment in form.segments:
        cells[:, segment.uses] = place(segment.cells, segment.first).unflatten(0, (tasks, -1))
        fillers.append(place(segment.filler, segment.first).sort().values)
    return cells.flatten().numpy(), torch.cat(fillers).numpy()


def _counts(form: FrameFormat, pilots: Ints, senders: Ints, fillers: Ints) -> Ints:
    """How often the error of each row and active carrier is observed, int64 [row, active]."""
    out = np.zeros((form.symbols, form.numerology.active), np.int64)
    out[: form.header_index] = 1
    payload = out[form.payload_index :]
    for index, segment in enumerate(form.segments):
        own = pilots[index][senders[index] >= 0]
        payload[segment.first : segment.first + segment.symbols, own[own >= 0]] = 1
    payload.reshape(-1)[fillers] = 1
    return out
