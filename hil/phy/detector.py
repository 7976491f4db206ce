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
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hil.errors import ShapeError
from hil.phy.kernels import kernels
from hil.phy.preamble import CHIP, Preamble
from hil.phy.search import Hit, Search

__all__ = ["MARGIN", "Detector", "Mode", "threshold_for"]

Floats = NDArray[np.float32]
Mode = Literal["fast", "sensitive"]
MARGIN = 256
"""Positions on both sides of a block that are looked at for larger peaks."""
_TILE = 512


class Detector:
    """Finds one preamble.

    `positions` is the size of a block; `before` the samples ahead of its first position that must be at hand.

    Args:
        preamble: the waveform.
        mode: "fast" or "sensitive".
        max_cfo: largest |CFO|, cycles a sample.
        false_alarm: probability of a false detection at one sample of noise.
        fast: kernels, see `hil.phy.kernels.kernels`.
    """

    def __init__(self, preamble: Preamble, *, mode: Mode, max_cfo: float, false_alarm: float, fast: bool | None = None) -> None:
        self.preamble, self._max_cfo = preamble, max_cfo
        self.kernels = kernels(fast).detector
        length, chips = preamble.length, preamble.code.size
        known = max_cfo * length <= 0.34
        self._fast = mode == "fast" and not known
        self._templates = 1 if self._fast else 2
        tiles = 64 if self._fast else 32
        self.positions, self.before = tiles * _TILE - 2 * MARGIN, MARGIN + 32
        self._together = 4 if self._fast else int(self.kernels.TILES)
        self._beyond = length + 64 - MARGIN
        self.threshold = _threshold(false_alarm, length, max_cfo, self._templates)
        signs = preamble.code[1:] * preamble.code[:-1]
        padded = np.zeros(-(-signs.size // 7) * 7 + 1, np.float32)
        padded[: signs.size], padded[-1] = signs, chips
        step = 0.5 / length
        reach = max(1, math.ceil(0.006 / step)) if self._fast else (1 if known else 2)
        filters, weights, which, grid = _bank(preamble, max_cfo, known)
        self._search = self.kernels.DetectorKernels(
            Search(
                fast=self._fast,
                max_cfo=max_cfo,
                near=min(MARGIN - CHIP, length),
                first=7.0 * (chips - 1) * CHIP / length**2 if self._fast else 7.0 if known else 9.0,
                threshold=self.threshold,
                signs=padded,
                filters=filters,
                weights=weights,
                which=which,
                grid=grid,
                chip=_parts(np.stack([preamble.chip, preamble.chip_shifted(0.5)][: self._templates])),
                code=_parts(preamble.sums.conj()),
                step=step,
                reach=reach if max_cfo else 0,
                most=tiles * _TILE // CHIP * (2 + math.ceil(2 * CHIP * max_cfo)),
            )
        )

    def after(self, count: int) -> int:
        """Samples from a block's first position on that must be at hand to look at `count` positions."""
        return self._tiles(count) * _TILE + self._beyond

    def _tiles(self, count: int) -> int:
        return -(-(count + 2 * MARGIN) // (self._together * _TILE)) * self._together

    def false_alarm(self, metric: float) -> float:
        """Probability that noise alone reaches a metric at one sample: how surely a preamble is present."""
        length = self.preamble.length
        level = max(metric, 0.0)
        hypotheses = self._templates * (1 + 2 * self._max_cfo * length * math.sqrt(math.pi * level / 3))
        return min(1.0, hypotheses * max(0.0, 1 - level / length) ** (length - 1))

    def block(self, samples: NDArray[np.float32], first: int, origin: int = 0, count: int | None = None) -> list[Hit]:
        """Preambles whose first test peaks in one block, or in its first `count` positions.

        Args:
            samples: float32 [2 n], with samples `before` and `after` around the block.
            first: index of the block's first position in `samples`.
            origin: added to the positions found.
            count: positions to look at; at most, and by default, all of the block's.

        Raises:
            ShapeError: too few samples around the block.
        """
        count = self.positions if count is None else min(count, self.positions)
        if first < self.before or samples.size < 2 * (first + self.after(count)):
            raise ShapeError(
                f"Argument 'samples' must hold {self.before} samples before and {self.after(count)} from the block's first "
                f"position on, not {first} and {samples.size // 2 - first}."
            )
        found = self._search.search(samples, first - MARGIN, self._tiles(count), first, first + count)
        return [hit._replace(position=hit.position + origin, cfo=hit.cfo if self._max_cfo else 0.0) for hit in found]


def _bank(preamble: Preamble, max_cfo: float, known: bool) -> tuple[Any, Any, NDArray[np.int64], NDArray[np.float64]]:
    """Filters, weights, filter of each hypothesis and frequencies of the bank; see `Search`."""
    chips = preamble.code.size
    spacing = 1 / (1.6 * preamble.length)
    reach = 0 if known else math.ceil(max_cfo / spacing - 0.3)
    grid = np.arange(-reach, reach + 1) * spacing
    mixes = max(1, math.ceil(max_cfo * CHIP * 4 - 0.1)) if not known else 1  # a filter covers ±¼ cycle a chip
    edges = np.linspace(-max_cfo, max_cfo, mixes + 1)
    centres = (edges[1:] + edges[:-1]) / 2
    which = np.abs(grid[:, None] - centres[None, :]).argmin(1).astype(np.int64)
    filters = np.conj(preamble.chip * np.exp(2j * np.pi * centres[:, None] * np.arange(CHIP)))
    weights = np.zeros((grid.size, -(-chips // 5) * 5), complex)
    weights[:, :chips] = preamble.code * np.exp(-2j * np.pi * grid[:, None] * CHIP * np.arange(chips))
    return _parts(filters), _parts(weights), which, grid


def threshold_for(false_alarm: float, length: int, hypotheses: float) -> float:
    """Metric that noise exceeds with probability `false_alarm` at one position (union bound over hypotheses).

    On complex Gaussian noise metric/length is Beta(1, length − 1): P(metric > t) = (1 − t/length)^(length − 1).
    """
    return length * (1 - math.exp(math.log(false_alarm / hypotheses) / (length - 1)))


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
