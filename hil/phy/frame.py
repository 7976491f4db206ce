"""The frame: where everything lies, and how tasks' uses map to payload carriers. SIGNALS.md, "Frame in time".

In time: one silent OFDM symbol · preamble (transmitter 0) · sounding slot k of M symbols (transmitter k) · header
(transmitter 0) · payload. The payload has one segment for each set of transmitters that send together: one for a single
transmitter, one each in OMA, one in all in NOMA.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from hil.config import Config
from hil.errors import ConfigError, ShapeError
from hil.phy import header
from hil.phy.numerology import Numerology
from hil.phy.preamble import Preamble, design
from hil.units import db_to_amplitude, db_to_power, power_to_db

__all__ = ["FrameConfig", "FrameFormat", "Segment", "estimate_cost_db", "sounding_cost_db", "sounding_symbols_for"]


class FrameConfig(Config):
    """What a run chooses about its frames.

    Attributes:
        numerology: OFDM carriers and prefix.
        preamble_samples: length of the known preamble, a multiple of 16.
        sounding_symbols: M, sounding symbols of each transmitter.
        header_repetitions: repetitions of the header's codewords; 0 = no header, frames have no number.
        tasks_per_frame: tasks that ride in one frame.
        interleave: spread each task's uses over the segment's carriers and symbols.
        spreading: ``dft``: the uses of an OFDM symbol are sent as their Fourier transform (`hil.phy.spread`).
        digital_rms_dbfs: the one digital scale of every part of every frame (dBFS rms).
        seed: of preamble, sounding, pilots and interleaver.
    """

    numerology: Numerology = Numerology()
    preamble_samples: int = Field(480, ge=64, multiple_of=16)
    sounding_symbols: int = Field(8, ge=2)
    header_repetitions: int = Field(2, ge=0, le=256)
    tasks_per_frame: int = Field(84, ge=0)
    interleave: bool = True
    spreading: Literal["none", "dft"] = "none"
    digital_rms_dbfs: float = Field(-12.0, le=0)
    seed: int = 1

    @model_validator(mode="before")
    @classmethod
    def _retired(cls, values: Any) -> Any:
        """Captures of format 1 say `silent = true`; every frame has its silent symbol now."""
        if isinstance(values, dict) and values.get("silent") is True:
            return {key: value for key, value in values.items() if key != "silent"}
        return values


def sounding_symbols_for(snr_db: float, *, taps: int, active: int, cost_db: float = 0.15) -> int:
    """Least number of sounding symbols whose channel estimate costs at most `cost_db` of effective SNR."""
    counts = range(2, 1024)
    for count in counts:
        if sounding_cost_db(snr_db, taps=taps, active=active, symbols=count) <= cost_db:
            return count
    raise ConfigError(f"an SNR of {snr_db:g} dB needs more than {counts[-1]} sounding symbols; ask for a higher SNR")


def sounding_cost_db(snr_db: float, *, taps: int, active: int, symbols: int) -> float:
    """Effective SNR that channel estimation costs (dB).

    A least-squares estimate on `taps` taps over `active` carriers from M symbols has error variance c σ² with
    c = taps / (active · M), relative to |H|² = 1.
    """
    return estimate_cost_db(snr_db, taps / (active * symbols))


def estimate_cost_db(snr_db: float, error: float) -> float:
    """Effective SNR (dB) that a channel estimate costs whose error variance is `error` · σ², relative to |H|² = 1.

    Dividing by it multiplies the error power by about (1 + c) (1 + c σ²): noise seen through the estimate, and noise
    enhancement.
    """
    c = error
    return power_to_db((1 + c) * (1 + c * db_to_power(-snr_db)))


@dataclass(frozen=True, kw_only=True)
class Segment:
    """Payload symbols in which the same transmitters send.

    Attributes:
        transmitters: who sends.
        uses: int64 [use], the task's uses that ride here.
        first: first payload symbol.
        symbols: number of payload symbols.
        cells: int64 [task · use] -> data cell of the segment (symbol · data carriers + data carrier).
        filler: int64, data cells that carry no task (known filler symbols).
    """

    transmitters: tuple[int, ...]
    uses: Tensor
    first: int
    symbols: int
    cells: Tensor
    filler: Tensor


@dataclass(frozen=True, eq=False)
class FrameFormat:
    """A frame in every detail, from a `FrameConfig` and a plan's `occupied` (bool [tx, use]).

    Positions are samples from the first sample of the frame's silent symbol.
    """

    config: FrameConfig
    occupied: Tensor

    def __post_init__(self) -> None:
        if self.occupied.ndim != 2 or self.occupied.dtype != torch.bool or self.occupied.shape[0] < 1:
            raise ShapeError(
                f"Argument 'occupied' must be bool [tx, use], not {self.occupied.dtype} {tuple(self.occupied.shape)}."
            )
        most = int(self.occupied.sum(0).max()) if self.occupied.shape[1] and self.tasks else 0
        if most > self.numerology.pilots:
            raise ShapeError(
                f"Argument 'occupied' has {most} transmitters in one use, each of which needs a pilot of its own: "
                f"numerology.pilots must be at least {most}, not {self.numerology.pilots}."
            )

    @property
    def numerology(self) -> Numerology:
        """The OFDM numerology."""
        return self.config.numerology

    @property
    def transmitters(self) -> int:
        """Number of transmitters."""
        return self.occupied.shape[0]

    @property
    def tasks(self) -> int:
        """Tasks in a frame."""
        return self.config.tasks_per_frame

    @cached_property
    def preamble_start(self) -> int:
        """First sample of the preamble."""
        return self.numerology.symbol_samples

    @cached_property
    def sounding_start(self) -> int:
        """First sample of sounding slot 0."""
        return self.preamble_start + self.config.preamble_samples

    @cached_property
    def header_symbols(self) -> int:
        """OFDM symbols of the header."""
        return math.ceil(header.USES * self.config.header_repetitions / len(self.numerology.data_positions))

    @cached_property
    def header_index(self) -> int:
        """The header's first symbol, counted from the first sounding symbol."""
        return self.transmitters * self.config.sounding_symbols

    @cached_property
    def payload_index(self) -> int:
        """The payload's first symbol, counted from the first sounding symbol."""
        return self.header_index + self.header_symbols

    @cached_property
    def symbols(self) -> int:
        """OFDM symbols from the first sounding symbol to the end."""
        return self.payload_index + sum(segment.symbols for segment in self.segments)

    @cached_property
    def samples(self) -> int:
        """Samples of the whole frame, silent symbol included."""
        return self.sounding_start + self.symbols * self.numerology.symbol_samples

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """The payload's segments, in order of time."""
        patterns: dict[tuple[bool, ...], list[int]] = {}
        for use in range(self.occupied.shape[1]):
            pattern = tuple(bool(value) for value in self.occupied[:, use])
            if any(pattern):
                patterns.setdefault(pattern, []).append(use)
        width = len(self.numerology.data_positions)
        segments: list[Segment] = []
        first = 0
        for index, (pattern, uses) in enumerate(patterns.items()):
            wanted = self.tasks * len(uses)
            symbols = math.ceil(wanted / width)
            if not symbols:
                continue
            order = torch.arange(symbols * width)
            if self.config.interleave:
                generator = torch.Generator().manual_seed(self.config.seed * 1009 + index)
                order = torch.randperm(symbols * width, generator=generator)
            segments.append(
                Segment(
                    transmitters=tuple(tx for tx, sends in enumerate(pattern) if sends),
                    uses=torch.tensor(uses),
                    first=first,
                    symbols=symbols,
                    cells=order[:wanted],
                    filler=order[wanted:],
                )
            )
            first += symbols
        return tuple(segments)

    def pilots_of(self, segment: Segment, tx: int) -> list[int]:
        """Positions (indices into the active carriers) of a transmitter's pilots; disjoint, the others' stay empty."""
        return list(self.numerology.pilot_positions[segment.transmitters.index(tx) :: len(segment.transmitters)])

    @cached_property
    def sample_amplitude(self) -> float:
        """Amplitude that brings OFDM symbols of unit-power carriers to the digital scale."""
        return db_to_amplitude(self.config.digital_rms_dbfs) * math.sqrt(self.numerology.fft_size / self.numerology.active)

    @cached_property
    def preamble_design(self) -> Preamble:
        """The preamble as detectors see it."""
        band = (self.numerology.active_half + 0.6) / self.numerology.fft_size
        return design(self.config.preamble_samples, self.config.seed, band)

    @cached_property
    def preamble(self) -> Tensor:
        """The preamble, complex64 [preamble_samples], mean power 1."""
        return torch.from_numpy(self.preamble_design.samples).to(torch.complex64)

    @cached_property
    def sounding(self) -> Tensor:
        """Known sounding symbols, complex64 [tx, M, active carrier], |x| = 1."""
        shape = (self.transmitters, self.config.sounding_symbols, self.numerology.active)
        return _qpsk(shape, self.config.seed * 31 + 1)

    @cached_property
    def pilot_symbols(self) -> Tensor:
        """Known pilots and fillers, complex64 [payload symbol, active carrier], |x| = 1."""
        shape = (max(1, sum(segment.symbols for segment in self.segments)), self.numerology.active)
        return _qpsk(shape, self.config.seed * 31 + 2)

    @cached_property
    def header_template(self) -> Tensor:
        """Header symbols whose codewords are still to be put in, complex64 [header symbol, active carrier], |x| = 1."""
        if not self.config.header_repetitions:
            return torch.zeros((0, self.numerology.active), dtype=torch.complex64)
        return _qpsk((self.header_symbols, self.numerology.active), self.config.seed * 31 + 3)

    def header_grid(self, number: int) -> Tensor:
        """Header symbols of a frame number, complex64 [header symbol, active carrier], |x| = 1."""
        data, repetitions = list(self.numerology.data_positions), self.config.header_repetitions
        grid = self.header_template.clone()
        if repetitions:
            body = grid[:, data].flatten()
            body[: header.USES * repetitions] = header.encode(number, repetitions)
            grid[:, data] = body.unflatten(0, (self.header_symbols, len(data)))
        return grid


def _qpsk(shape: tuple[int, ...], seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    quarter = torch.randint(0, 4, shape, generator=generator)
    points = torch.tensor([1 + 1j, 1 - 1j, -1 + 1j, -1 - 1j], dtype=torch.complex64) / math.sqrt(2)
    return points[quarter]
