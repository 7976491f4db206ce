"""What the kernels of detection must know, laid out once as arrays by `hil.phy.detector`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Hit", "Search"]

Floats = NDArray[np.float32]


class Hit(NamedTuple):
    """A preamble in a block of samples: position, CFO (cycles a sample), metric |D|²/P, whether half a sample later."""

    position: int
    cfo: float
    metric: float
    half: bool


@dataclass(frozen=True, kw_only=True)
class Search:
    """What the kernels must know of a detector; complex arrays are pairs of real and imaginary parts.

    Attributes:
        fast: the first test is the autocorrelation, else the bank.
        max_cfo: cycles a sample; near: samples within which only the highest first test counts.
        first, threshold: what the two tests must pass.
        signs: float32 [7 k + 1], products of neighbouring code signs, zero-padded, and last the number of chips.
        filters: [mix, 16], chip times exp(+j 2π f_m i), conjugated; weights: [hypothesis, 5 k], code[r] exp(−j 2π f 16 r),
            zero-padded; which: int64 [hypothesis], the filter of each, ascending; grid: float64 [hypothesis], cycles a sample.
        chip: [template, 16], the chip at delay 0 and, for half-sample search, at ½; code: [chip], conjugated sums that a clean
            preamble gives, over those of a chip.
        step: spacing of the frequencies tried in the second test, cycles a sample; reach: how many on each side.
        most: candidates at most.
    """

    fast: bool
    max_cfo: float
    near: int
    first: float
    threshold: float
    signs: Floats
    filters: tuple[Floats, Floats]
    weights: tuple[Floats, Floats]
    which: NDArray[np.int64]
    grid: NDArray[np.float64]
    chip: tuple[Floats, Floats]
    code: tuple[Floats, Floats]
    step: float
    reach: int
    most: int
