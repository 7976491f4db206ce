"""Finding preambles in a stream: a cheap test of every sample, then the exact metric where it passes.

Three first tests, one second test. *Fast*: products with the sample one chip later, summed under the code's signs; any
CFO. *Sensitive*: correlation with the whole preamble at a bank of frequencies. *Known*: the bank has one frequency (a
CFO of less than a third of a cycle over the preamble). The second test maximises the whole preamble's correlation over
±8 samples (half samples too, but in fast mode) and over frequency, and compares |D|²/P with the threshold that noise passes
with the stated probability. All positions are worked on in blocks of a fixed absolute grid, so that results do not
depend on how the stream was chopped.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hil.errors import ShapeError
from hil.phy.detect import threshold_for
from hil.phy.kernels import kernels
from hil.phy.preamble import CHIP, Preamble

__all__ = ["MARGIN", "Detector", "Found", "Mode"]

Mode = Literal["fast", "sensitive"]
MARGIN = 256
"""Positions on both sides of a block that are looked at for larger peaks."""
_TILE = 512


class Found(NamedTuple):
    """A preamble: position (sample), CFO (cycles a sample), metric |D|²/P (1 in the mean on noise, at most its length)."""

    position: int
    cfo: float
    metric: float
    half: bool


class Detector:
    """Finds one preamble.

    `positions` is the size of a block.

    Args:
        preamble: the waveform.
        mode: "fast" or "sensitive".
        max_cfo: largest |CFO|, cycles a sample.
        false_alarm: probability of a false detection at one sample of noise.
        fast: kernels, see `hil.phy.kernels.kernels`.
    """

    def __init__(self, preamble: Preamble, *, mode: Mode, max_cfo: float, false_alarm: float, fast: bool | None = None) -> None:
        self.preamble = preamble
        self.kernels = kernels(fast)[0]
        length, chips = preamble.length, preamble.code.size
        known = max_cfo * length <= 0.34
        self._fast = mode == "fast" and not known
        self._max_cfo = max_cfo
        halves = 1 if self._fast else 2
        self._templates = halves
        self._tiles = 64 if self._fast else 32
        self.positions = self._tiles * _TILE - 2 * MARGIN
        cells = self._tiles * _TILE // CHIP
        self._step = 0.5 / length
        self._reach = max(1, math.ceil(0.006 / self._step)) if self._fast else (1 if known else 2)
        if max_cfo == 0:
            self._reach = 0
        self.threshold = _threshold(false_alarm, length, max_cfo, halves)
        templates = np.stack([preamble.chip, preamble.chip_shifted(0.5)][:halves])
        self._chip_r, self._chip_i = _parts(templates)
        self._code = _parts(preamble.sums.conj())
        self._near = min(MARGIN - CHIP, length)
        if self._fast:
            signs = preamble.code[1:] * preamble.code[:-1]
            padded = np.zeros(-(-signs.size // 7) * 7 + 1, np.float32)
            padded[: signs.size] = signs
            padded[-1] = chips
            self._signs = padded
            self._first = 7.0 * (chips - 1) * CHIP / length**2
        else:
            self._bank(max_cfo, known)
            self._first = 7.0 if known else 9.0
        self._pos = np.empty(cells, np.int64)
        self._metric = np.empty(cells, np.float64)
        self._freq = np.empty(cells, np.float64)
        most = cells * (2 + math.ceil(2 * CHIP * max_cfo))
        self._tries, self._cfos, self._first_value = np.empty(most, np.int64), np.empty(most), np.empty(most)
        self._where, self._half = np.empty(most, np.int64), np.empty(most, np.int64)
        self._cfo, self._value = np.empty(most), np.empty(most)

    @property
    def needs(self) -> tuple[int, int]:
        """Samples before a block's first position and after its last that must be at hand."""
        return MARGIN + 32, MARGIN + self.preamble.length + 64

    def false_alarm(self, metric: float) -> float:
        """Probability that noise alone reaches a metric at one sample: how surely a preamble is present."""
        length = self.preamble.length
        level = max(metric, 0.0)
        hypotheses = self._templates * (1 + 2 * self._max_cfo * length * math.sqrt(math.pi * level / 3))
        return min(1.0, hypotheses * max(0.0, 1 - level / length) ** (length - 1))

    def _bank(self, max_cfo: float, known: bool) -> None:
        length, chips = self.preamble.length, self.preamble.code.size
        spacing = 1 / (1.6 * length)
        reach = 0 if known else math.ceil(max_cfo / spacing - 0.3)
        grid = np.arange(-reach, reach + 1) * spacing
        mixes = max(1, math.ceil(max_cfo * CHIP * 4 - 0.1)) if not known else 1  # a filter covers ±¼ cycle a chip
        edges = np.linspace(-max_cfo, max_cfo, mixes + 1)
        centres = (edges[1:] + edges[:-1]) / 2
        self._which = np.abs(grid[:, None] - centres[None, :]).argmin(1).astype(np.int64)
        time = np.arange(CHIP)
        self._filters = _parts(np.conj(self.preamble.chip * np.exp(2j * np.pi * centres[:, None] * time)))
        weights = np.zeros((grid.size, -(-chips // 5) * 5), complex)
        weights[:, :chips] = self.preamble.code * np.exp(-2j * np.pi * grid[:, None] * CHIP * np.arange(chips))
        self._weights = _parts(weights)
        self._grid = grid

    def block(self, samples: NDArray[np.float32], first: int, origin: int = 0) -> list[Found]:
        """Preambles whose first test peaks in one block.

        Args:
            samples: float32 [2 n], with `needs` samples around the block.
            first: index of the block's first position in `samples`.
            origin: added to the positions found.

        Raises:
            ShapeError: too few samples around the block.
        """
        before, after = self.needs
        if first < before or samples.size < 2 * (first + self.positions + after):
            raise ShapeError(
                f"Argument 'samples' must hold {before} samples before and {self.positions + after} from the block's first "
                f"position on, not {first} and {samples.size // 2 - first}."
            )
        start = first - MARGIN
        if self._fast:
            count = self.kernels.autocorrelation_peaks(
                samples, start, self._tiles, self._signs, np.float32(self._first), self._pos, self._metric, self._freq
            )
        else:
            count = self.kernels.bank_peaks(
                samples, start, self._tiles, *self._filters, *self._weights, self._which, self._grid, self.preamble.code.size,
                np.float32(self._first), self._pos, self._metric, self._freq,
            )  # fmt: skip
        count = self.kernels.select(
            self._pos,
            self._metric,
            self._freq,
            count,
            first,
            first + self.positions,
            self._near,
            self._max_cfo,
            self._fast,
            self._tries,
            self._cfos,
            self._first_value,
        )
        return self._verify(samples, count, origin) if count else []

    def _verify(self, samples: NDArray[np.float32], count: int, origin: int) -> list[Found]:
        found = self._metrics(samples, count, origin)
        if self._fast:
            # The autocorrelation's peak is as wide as a chip and noise moves it: where it was clear, look beyond ±8 too.
            value, clear = self._value[:count], self._first_value[:count] > 2 * self._first
            missed = (clear & (value <= self.threshold)).nonzero()[0]
            if missed.size:
                places = np.concatenate([self._tries[missed] - 14, self._tries[missed] + 14])
                self._cfos[: places.size] = np.concatenate([self._cfos[missed], self._cfos[missed]])
                self._tries[: places.size] = places
                found += self._metrics(samples, places.size, origin)
        return found

    def _metrics(self, samples: NDArray[np.float32], count: int, origin: int) -> list[Found]:
        where, half, cfo, metric = self._where, self._half, self._cfo, self._value
        self.kernels.verify(
            samples, self._tries, self._cfos, count, self._chip_r, self._chip_i, *self._code, self._step, self._reach,
            where, cfo, metric, half,
        )  # fmt: skip
        good = (metric[:count] > self.threshold).nonzero()[0]
        offsets = [0.0] * good.size if self._max_cfo == 0 else cfo[good].tolist()
        columns = ((where[good] + origin).tolist(), offsets, metric[good].tolist(), half[good].astype(bool).tolist())
        return list(map(Found, *columns))


def _threshold(false_alarm: float, length: int, max_cfo: float, templates: int) -> float:
    """Metric that noise exceeds with probability `false_alarm` a sample, maximised over frequency and templates.

    A periodogram over `length` samples crosses a level t upwards √(π t / 3) e^(−t) times a resolution cell (Rice).
    """
    level = 25.0
    for _ in range(8):
        hypotheses = templates * (1 + 2 * max_cfo * length * math.sqrt(math.pi * level / 3))
        level = threshold_for(false_alarm, length, hypotheses)
    return level


def _parts(values: NDArray[np.complex128]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return np.ascontiguousarray(values.real, np.float32), np.ascontiguousarray(values.imag, np.float32)
