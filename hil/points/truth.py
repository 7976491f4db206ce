"""Whether a frame is what its receiver says: errors beside the noise stated for them, and what they look like.

SIGNALS.md, "Noise, and whether what is stated is true". Three kinds of error are judged: of the sounding symbols around the
channel estimated from them, of the payload's known cells (pilots and fillers), and of the tasks' symbols against what was
sent, since a run knows what it sent. The last one is the truth that the first two should tell; it never reaches a decoder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hil.phy.reception import FrameReception
from hil.phy.tables import Tables
from hil.points.signature import Signature, signature_of

__all__ = ["FrameTruth", "FrameWitness", "Tally", "unevenness"]

Floats = NDArray[np.float64]
SUSPICIOUS = 1.15
"""Errors that are so many times what they should be, or so uneven, are looked into."""
_QUARTER = 1.271
"""Standard deviations by which the lowest quarter of normal deviates lies below their mean."""
_FEW, _FEW_LOOKS = 4, 25
"""Carriers, and errors on each, below which no quarter of them tells anything."""


@dataclass(frozen=True)
class Tally:
    """Sum of error powers, of how many cells, and the sum of what was stated for them beyond the noise."""

    error: float
    count: int
    beyond: float = 0.0


@dataclass(frozen=True, kw_only=True)
class FrameTruth:
    """What is kept of a frame.

    Attributes:
        noise: stated power a carrier, and `looks` that it rests on.
        sounding, known, sent: errors of sounding symbols, of known payload cells, and of tasks' symbols.
        carriers: float64 [2, active carrier], error powers of sounding and known cells, and how many.
        by_carrier: float64 [2, active carrier], sums of the symbols' errors over what was stated for them, and how many.
        steady: mean over median of the symbols' errors in time, `unevenness`.
        guard: noise on null carriers over that in silence.
        kurtosis: excess, of the samples' I and Q after the preamble: 0 for OFDM, below where a converter clipped.
        front: what was taken off, in words of `hil.points.impaired.DONE`.
        signature: what the errors look like; None where nothing is wrong.
    """

    noise: float
    looks: int
    sounding: Tally
    known: Tally
    sent: Tally
    carriers: Floats
    by_carrier: Floats
    steady: float
    guard: float
    kurtosis: float
    front: frozenset[str]
    signature: Signature | None

    @property
    def observed(self) -> float:
        """Errors of all known cells over what was stated for them, unbiased for the noise's few looks."""
        stated = self.noise * (self.sounding.count + self.known.count) + self.sounding.beyond + self.known.beyond
        return (self.sounding.error + self.known.error) / max(stated, 1e-30) * (self.looks - 1) / self.looks

    @property
    def true(self) -> float:
        """The same of the symbols that were sent."""
        stated = self.noise * self.sent.count + self.sent.beyond
        return self.sent.error / max(stated, 1e-30) * (self.looks - 1) / self.looks


class _Part(NamedTuple):
    """Where the first uses of a frame lie.

    Attributes:
        used: those that are sent: all of them, or bool [use]; cells: int64 [n], theirs.
        carrier, symbol: int64 [n] of each; on_carrier, in_symbol: float64, how many there are.
    """

    used: slice | NDArray[np.bool_]
    cells: NDArray[np.int64]
    carrier: NDArray[np.int64]
    symbol: NDArray[np.int64]
    on_carrier: Floats
    in_symbol: Floats

    @classmethod
    def of(cls, tables: Tables, uses: int) -> _Part:
        active, rows = tables.active, tables.payload_rows
        used = tables.cells[:uses] < rows * active
        cells = tables.cells[:uses][used]
        carrier, symbol = cells % active, cells // active
        counts = (np.bincount(index, minlength=size).astype(float) for index, size in ((carrier, active), (symbol, rows)))
        return cls(slice(None) if used.all() else used, cells, carrier, symbol, *counts)


class FrameWitness:
    """Judges the frames of one format.

    Args:
        tables: of the receiver.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._sounded = tables.transmitters * tables.sounding_symbols
        self._begin = int(tables.offsets[0])
        self._first = tables.rows - tables.payload_rows
        self._parts: dict[int, _Part] = {}
        counts = tables.observed_symbols.numpy()
        self._counts = counts
        self._sound_count, self._known_count = int(counts[: self._sounded].sum()), int(counts[self._first :].sum())
        self._carrier_count = tables.observed_carriers.numpy().astype(np.float64)

    def judge(self, frame: FrameReception, target: NDArray[np.complex64], samples: NDArray[np.int16]) -> FrameTruth:
        """Judge one frame.

        Args:
            frame: as received.
            target: complex64 [task, use], Σ h x of the tasks that it carries: the first ones of the format's.
            samples: int16 [n, 2], the frame's.
        """
        seen, noise = frame.observed, frame.noise
        beyond = seen.stated.numpy() - np.float32(noise)
        by_symbol = seen.symbol_error.numpy()
        uses = target.size
        part = self._part(uses)
        used = part.used
        stated = seen.stated.numpy()[part.symbol + self._first]
        variance = np.maximum(frame.noise_var.numpy().reshape(-1)[:uses][used], np.float32(1e-30))
        left = (frame.symbols.numpy().reshape(-1)[:uses] - target.reshape(-1))[used]
        errors = (left.real**2 + left.imag**2) / variance
        weight = stated / variance
        power = errors * stated
        by_carrier = np.stack([np.bincount(part.carrier, errors, self._tables.active), part.on_carrier])
        by_symbol_sent = np.stack([np.bincount(part.symbol, errors, self._tables.payload_rows), part.in_symbol])
        even, steady = unevenness(by_carrier)[0], unevenness(by_symbol_sent)[0]
        truth = FrameTruth(
            noise=noise,
            looks=seen.looks,
            sounding=Tally(float(by_symbol[: self._sounded].sum()), self._sound_count),
            known=Tally(
                float(by_symbol[self._first :].sum()), self._known_count,
                float(beyond[self._first :] @ self._counts[self._first :]),
            ),
            sent=Tally(
                float(power.sum(dtype=np.float64)) / (1 + frame.response_error), power.size,
                float((stated - np.float32(noise)).sum()),
            ),
            carriers=np.stack([seen.carrier_error.numpy().astype(np.float64), self._carrier_count]),
            by_carrier=by_carrier,
            steady=steady,
            guard=frame.null_noise / max(noise, 1e-30),
            kurtosis=_kurtosis(samples[self._begin :]),
            front=_taken_off(frame),
            signature=None,
        )  # fmt: skip
        if max(truth.observed, truth.true, even, steady) <= SUSPICIOUS:
            return truth
        grid = np.zeros((2, self._tables.payload_rows * self._tables.active), np.complex64)
        amplitude = np.sqrt(weight)
        grid[0, part.cells] = left * amplitude
        grid[1, part.cells] = target.reshape(-1)[used] * amplitude
        errors, sent = grid.reshape(2, self._tables.payload_rows, self._tables.active)
        found = signature_of(errors, sent, self._tables.carriers, samples)
        return _with(truth, signature=found)

    def _part(self, uses: int) -> _Part:
        """Where the first so many uses lie."""
        if uses not in self._parts:
            self._parts[uses] = _Part.of(self._tables, uses)
        return self._parts[uses]


def unevenness(sums: Floats) -> tuple[float, float]:
    """Mean over median, and over the lowest quarter, of mean powers; 1 where they differ by chance.

    The mean of n looks is Gamma distributed: its median is lower by a share of 1/3n, and its lowest quarter by 1.27 standard
    deviations of 1/√n.

    Args:
        sums: float64 [2, n], of powers by carrier or by symbol, and of how many.
    """
    total, count = sums
    there = count > 0
    means = np.sort(total[there] / count[there])
    if len(means) < _FEW or not means[0] > 0:
        return 1.0, 1.0
    looks, mean = _middle(np.sort(count[there])), float(means.mean())
    quarter = float(means[: len(means) // 4].mean()) / (1 - _QUARTER / looks**0.5) if looks >= _FEW_LOOKS else mean
    return mean / _middle(means) * (1 - 1 / (3 * looks)), mean / quarter


def _middle(ascending: Floats) -> float:
    """The median."""
    half = len(ascending) // 2
    return float(ascending[half] if len(ascending) % 2 else (ascending[half - 1] + ascending[half]) / 2)


def _kurtosis(samples: NDArray[np.int16]) -> float:
    """Excess kurtosis of I and Q, each about its mean."""
    if not samples.size:
        return 0.0
    values = np.empty((2, len(samples)), np.float32)
    values[:] = samples.T
    values -= values.mean(1, dtype=np.float64, keepdims=True).astype(np.float32)
    squares = np.square(values, out=values).reshape(-1)
    power = float(squares.mean())
    return float(squares @ squares) / squares.size / power**2 - 3 if power > 0 else 0.0


def _taken_off(frame: FrameReception) -> frozenset[str]:
    """What the receiver took off a frame."""
    front = frame.front
    done = {"dc": abs(front.dc) > 0, "iq": front.image_power > 0, "carrier": front.offset}
    return frozenset(name for name, there in done.items() if there)


def _with(truth: FrameTruth, **changes: Any) -> FrameTruth:
    values: Mapping[str, Any] = {**truth.__dict__, **changes}
    return FrameTruth(**values)
