"""Judges frames: their symbols are compared with what was sent, in one pass over them; see `hil.points.truth`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hil.phy.kernels import kernels
from hil.phy.reception import FrameReception
from hil.phy.tables import Tables
from hil.points.signature import Signature, signature_of
from hil.points.truth import FrameTruth, Tally, over_median

__all__ = ["Compared", "FrameWitness"]

Complexes = NDArray[np.complex64]
Floats = NDArray[np.float64]
SUSPICIOUS = 1.1
"""Errors that are so many times what they should be by the point's noise so far, or so uneven, are looked into."""


class Compared(NamedTuple):
    """A frame's symbols beside what was sent, see `hil.phy.against_plain.compare`.

    Attributes:
        uses: how many; left: Σ |y − Σ h x|²; off: Σ |y − target|².
        by_carrier, by_symbol: float64 [active carrier], [payload symbol], sums of |y − Σ h x|²/σ².
        gram: complex128 [tx, tx + 1], how what each transmitter sent goes with that of all, and with y.
    """

    uses: int
    left: float
    off: float
    by_carrier: Floats
    by_symbol: Floats
    gram: NDArray[np.complex128]


class _Part(NamedTuple):
    """Where the first uses of a frame lie.

    Attributes:
        used: those that are sent: all of them, or bool [use]; cells: int64 [n], theirs.
        on_carrier, in_symbol: float64, how many there are on each carrier and in each payload symbol.
    """

    used: slice | NDArray[np.bool_]
    cells: NDArray[np.int64]
    on_carrier: Floats
    in_symbol: Floats

    @classmethod
    def of(cls, tables: Tables, uses: int) -> _Part:
        active, rows = tables.active, tables.payload_rows
        used = tables.cells[:uses] < rows * active
        cells = tables.cells[:uses][used]
        carrier, symbol = cells % active, cells // active
        counts = (np.bincount(index, minlength=size).astype(float) for index, size in ((carrier, active), (symbol, rows)))
        return cls(slice(None) if used.all() else used, cells, *counts)


class FrameWitness:
    """Judges the frames of one format.

    Args:
        tables: of the receiver.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables, self._kernels = tables, kernels().against
        self._sounded = tables.transmitters * tables.sounding_symbols
        self._begin = int(tables.offsets[0])
        self._first = tables.rows - tables.payload_rows
        self._parts: dict[int, _Part] = {}
        counts = tables.observed_symbols.numpy()
        self._counts = counts
        self._sound_count, self._known_count = int(counts[: self._sounded].sum()), int(counts[self._first :].sum())
        self._carrier_count = tables.observed_carriers.numpy().astype(np.float64)
        sent = tables.cells < tables.payload_rows * tables.active
        self._places = np.stack([np.where(sent, tables.cells % tables.active, tables.active), tables.cells // tables.active])

    def compare(
        self, tasks: slice, symbols: Complexes, noise_var: NDArray[np.float32], channel: Complexes, sent: Complexes,
        target: Complexes,
    ) -> Compared:  # fmt: skip
        """Symbols of a frame beside what was sent.

        Args:
            tasks: of it, the first ones of the format's, in what follows.
            symbols: complex64 [task, use]; noise_var: float32 [task, use]; channel, sent: complex64 [tx, task, use].
            target: complex64 [task, use], what the symbols would be without noise.
        """
        by_carrier, by_symbol = np.empty(self._tables.active + 1), np.empty(self._tables.payload_rows + 1)
        gram = np.empty((len(channel), len(channel) + 1), np.complex128)
        count = tasks.stop - tasks.start
        left, off = self._kernels.compare(
            tasks.start, count, symbols, noise_var, channel, sent, target, self._places, by_carrier,
            by_symbol, gram,
        )  # fmt: skip
        return Compared(count * symbols.shape[1], left, off, by_carrier[:-1], by_symbol[:-1], gram)

    def judge(
        self, frame: FrameReception, seen: Compared, samples: NDArray[np.int16], noise: float, target: Callable[[], Complexes]
    ) -> FrameTruth:
        """Judge one frame.

        Args:
            frame: as received.
            seen: its symbols beside what was sent.
            samples: int16 [n, 2], the frame's.
            noise: power a carrier, of the point so far; errors beyond it are suspicious.
            target: makes complex64 [task, use], Σ h x of the tasks that it carries: the first ones of the format's.
        """
        heard, own = frame.observed, frame.noise
        stated, by_symbol = heard.stated.numpy(), heard.symbol_error.numpy()
        own_stated = stated[self._first :].astype(np.float64)
        beyond = own_stated - own
        part = self._part(seen.uses)
        truth = FrameTruth(
            noise=own,
            looks=heard.looks,
            sounding=Tally(float(by_symbol[: self._sounded].sum()), self._sound_count),
            known=Tally(
                float(by_symbol[self._first :].sum()), self._known_count, float(beyond @ self._counts[self._first :])
            ),
            sent=Tally(
                float(seen.by_symbol @ own_stated) / (1 + frame.response_error), len(part.cells), float(beyond @ part.in_symbol)
            ),
            carriers=np.array([heard.carrier_error.numpy(), self._carrier_count]),
            by_carrier=np.array([seen.by_carrier, part.on_carrier]),
            steady=over_median(seen.by_symbol, part.in_symbol),
            guard=frame.null_noise / max(own, 1e-30),
            kurtosis=self._kernels.kurtosis(samples[self._begin :]),
            front=_taken_off(frame),
            signature=None,
        )  # fmt: skip
        even = over_median(seen.by_carrier, part.on_carrier)
        if max(truth.over(noise), even, truth.steady) <= SUSPICIOUS:
            return truth
        return replace(truth, signature=self._signature(frame, part, target(), samples))

    def _signature(self, frame: FrameReception, part: _Part, target: Complexes, samples: NDArray[np.int16]) -> Signature:
        """What its errors look like, in units of the received carriers."""
        rows, active = self._tables.payload_rows, self._tables.active
        variance = np.maximum(frame.noise_var.numpy().reshape(-1)[: target.size][part.used], np.float32(1e-30))
        amplitude = np.sqrt(frame.observed.stated.numpy()[part.cells // active + self._first] / variance)
        sent = target.reshape(-1)[part.used]
        grid = np.zeros((2, rows * active), np.complex64)
        grid[0, part.cells] = (frame.symbols.numpy().reshape(-1)[: target.size][part.used] - sent) * amplitude
        grid[1, part.cells] = sent * amplitude
        error, expected = grid.reshape(2, rows, active)
        return signature_of(error, expected, self._tables.carriers, samples)

    def _part(self, uses: int) -> _Part:
        """Where the first so many uses lie."""
        if uses not in self._parts:
            self._parts[uses] = _Part.of(self._tables, uses)
        return self._parts[uses]


def _taken_off(frame: FrameReception) -> frozenset[str]:
    """What the receiver took off a frame."""
    if not frame.mended:
        return frozenset()
    front = frame.front
    done = {"dc": abs(front.dc) > 0, "iq": front.image_power > 0, "carrier": front.offset}
    return frozenset(name for name, there in done.items() if there)
