"""Compiled detection kernels (numba, the optional extra `fast`). The same as `hil.phy.detector_plain`.

Samples are float32 views [2 n] of complex64 [n]. Loops are written so that LLVM turns the innermost one into vector code:
real and imaginary parts apart, neighbouring positions in neighbouring lanes.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from hil.phy.search import Hit, Search
from hil.phy.vector_numba import (
    add,
    chip_sums,
    combine,
    combine_real,
    excess,
    filter,
    products,
    signed,
    window_power,
)  # fmt: skip
from hil.phy.verify_numba import select, verify

__all__ = ["TILES", "DetectorKernels", "clean_copy", "scaled_copy"]

_FAST = {"contract", "reassoc", "nsz", "nnan", "arcp"}
_TILE = 512
_CHIP = 16
_GROUP = 64
TILES = 1
"""Tiles of positions that are looked at together."""


@njit(cache=True, fastmath={"reassoc"})
def _copy(source, target):
    """Copy; Σ |value|, which is not finite if a value is not."""
    total = np.float32(0)
    for i in range(source.shape[0]):
        target[i] = source[i]
    for i in range(source.shape[0]):
        total += abs(source[i])
    return total


@njit(cache=True)
def clean_copy(source, target):
    """Copy float32 [2 n], with zeros for samples that are not finite or beyond 3e7; how many were replaced."""
    bad = 0
    for start in range(0, source.shape[0], 1024):
        part = source[start : start + 1024]
        if _copy(part, target[start : start + 1024]) <= np.float32(3e7):
            continue
        for i in range(0, part.shape[0], 2):
            if not (abs(part[i]) <= np.float32(3e7) and abs(part[i + 1]) <= np.float32(3e7)):
                target[start + i] = 0
                target[start + i + 1] = 0
                bad += 1
    return bad


@njit(cache=True, error_model="numpy")
def scaled_copy(source, full_scale, target):
    """Copy int16 [2 n], divided by full scale."""
    for i in range(source.shape[0]):
        target[i] = np.float32(source[i]) / full_scale


@njit(cache=True, fastmath=_FAST)
def _scan(score, total, threshold, first, pos, metric, found):
    """Best position of each 16 whose score exceeds threshold · total; appended to pos, metric."""
    for group in range(0, _TILE, _GROUP):
        top = np.float32(-1.0)
        for n in range(group, group + _GROUP):
            value = score[n] - threshold * total[n]
            top = value if value > top else top
        if not top > 0:
            continue
        for cell in range(group, group + _GROUP, _CHIP):
            best = threshold
            where = -1
            for n in range(cell, cell + _CHIP):
                if total[n] > 0 and score[n] > best * total[n]:
                    best = score[n] / total[n]
                    where = n
            if where >= 0 and found < pos.shape[0]:
                pos[found] = first + where
                metric[found] = best
                found += 1
    return found


@njit(cache=True, fastmath=_FAST)
def autocorrelation_peaks(y, first, tiles, signs, threshold, pos, metric, freq):
    """Candidates by the autocorrelation one chip apart, at every fourth sample.

    Args:
        y: float32 [2 n].
        first: first position; `tiles` · 512 positions are looked at, a multiple of 2,048, and 16 · chips samples more.
        signs: float32 [7 k + 1], products of neighbouring chips, zero-padded; the last entry is the number of chips.
        threshold: of |M|²/P².
        pos, metric, freq: outputs; freq in cycles a sample, −1/32…1/32.

    Returns:
        number of candidates, the best of each 16 samples.
    """
    chips = int(signs[signs.shape[0] - 1])
    terms = signs.shape[0] - 1
    tile_size = 4 * _TILE
    used = tile_size + chips * _CHIP
    span = tile_size + (max(terms, chips) + 2) * _CHIP
    yr = np.empty(used, np.float32)
    yi = np.empty(used, np.float32)
    zr = np.zeros(span, np.float32)
    zi = np.zeros(span, np.float32)
    power = np.zeros(span, np.float32)
    quarter = np.empty(span // 4, np.float32)
    box = np.empty(span // 4 - 4, np.float32)
    spare = np.empty(span // 4 - 4, np.float32)
    mr = np.empty(_TILE, np.float32)
    mi = np.empty(_TILE, np.float32)
    total = np.empty(_TILE, np.float32)
    score = np.empty(_TILE, np.float32)
    passed = np.empty(_TILE // 16, np.float32)
    found = 0
    for tile in range(tiles // 4):
        base = first + tile * tile_size
        products(y[2 * base : 2 * (base + used)], yr, yi, power, zr[: used - _CHIP], zi[: used - _CHIP])
        chip_sums(zr, quarter, box)
        signed(box, signs[:terms], mr)
        chip_sums(zi, quarter, box)
        signed(box, signs[:terms], mi)
        chip_sums(power, quarter, box)
        current, following = box, spare
        size = box.shape[0]
        for m in range(_TILE):
            total[m] = 0
        offset = 0
        bit = 1
        while bit <= chips:
            if chips & bit:
                add(total, current[offset:], total, _TILE)
                offset += 4 * bit
            if 2 * bit <= chips:
                size -= 4 * bit
                add(current, current[4 * bit :], following, size)
                current, following = following, current
            bit *= 2
        excess(mr, mi, total, threshold, score, passed)
        for group in range(passed.shape[0]):
            if not passed[group] > 0:
                continue
            for cell in range(16 * group, 16 * group + 16, 4):
                best = threshold
                where = -1
                for m in range(cell, cell + 4):
                    if total[m] > 0 and score[m] > best * total[m] * total[m]:
                        best = score[m] / (total[m] * total[m])
                        where = m
                if where >= 0 and found < pos.shape[0]:
                    pos[found] = base + 4 * where
                    metric[found] = best
                    freq[found] = math.atan2(mi[where], mr[where]) / (2 * math.pi * _CHIP)
                    found += 1
    return found


@njit(cache=True, fastmath=_FAST)
def bank_peaks(y, first, tiles, filters_r, filters_i, weights_r, weights_i, which, grid, chips, threshold, pos, metric, freq):
    """Candidates by correlation with the whole preamble at a bank of frequencies.

    Args:
        y, first, tiles, threshold (of |D|²/P), pos, metric, freq: as in `autocorrelation_peaks`.
        filters_r, filters_i: float32 [mixes, 16], chip times exp(+j 2π f_m i), conjugated.
        weights_r, weights_i: float32 [hypotheses, 5 k], code[r] exp(−j 2π f 16 r), zero-padded in r.
        which: int64 [hypotheses], the filter of each hypothesis; ascending.
        grid: float64 [hypotheses], frequencies, cycles a sample.
        chips: number of chips.
    """
    terms = weights_r.shape[1]
    span = _TILE + terms * _CHIP + 32
    used = _TILE + chips * _CHIP
    yr = np.zeros(span + _CHIP, np.float32)
    yi = np.zeros(span + _CHIP, np.float32)
    cr = np.zeros(span, np.float32)
    ci = np.zeros(span, np.float32)
    spare = np.empty(span, np.float32)
    other = np.empty(span, np.float32)
    power = np.empty(used + _CHIP, np.float32)
    power[used:] = 0
    total = np.empty(_TILE, np.float32)
    dr = np.empty(_TILE, np.float32)
    di = np.empty(_TILE, np.float32)
    score = np.empty(_TILE, np.float32)
    arg = np.empty(_TILE, np.int32)
    plain = weights_r.shape[0] == 1
    for r in range(terms):
        plain &= weights_i[0, r] == 0
    found = 0
    for tile in range(tiles):
        base = first + tile * _TILE
        part = y[2 * base : 2 * (base + used)]
        for n in range(used):
            a = part[2 * n]
            b = part[2 * n + 1]
            yr[n] = a
            yi[n] = b
            power[n] = a * a + b * b
        window_power(power, spare, other, total, chips)
        for n in range(_TILE):
            score[n] = -1
            arg[n] = 0
        current = -1
        for h in range(weights_r.shape[0]):
            if which[h] != current:
                current = which[h]
                filter(yr, yi, filters_r[current], filters_i[current], cr, ci, used - _CHIP)
            if plain:
                combine_real(cr, ci, weights_r[h], dr, di, _TILE)
            else:
                combine(cr, ci, weights_r[h], weights_i[h], dr, di, _TILE)
            number = np.int32(h)
            for n in range(_TILE):
                value = dr[n] * dr[n] + di[n] * di[n]
                better = value > score[n]
                arg[n] = number if better else arg[n]
                score[n] = value if better else score[n]
        before = found
        found = _scan(score, total, threshold, base, pos, metric, found)
        for index in range(before, found):
            freq[index] = grid[arg[pos[index] - base]]
    return found


@njit(cache=True)
def _find(
    y, start, tiles, first, last, fast, max_cfo, near, lowest, threshold, signs, filters_r, filters_i, weights_r, weights_i,
    which, grid, chip_r, chip_i, code_r, code_i, step, reach, pos, metric, freq, tries, cfos, heights, where, cfo, value, half,
):  # fmt: skip
    """Candidates, their selection and their second test; how many came to the second test."""
    chips = code_r.shape[0]
    if fast:
        count = autocorrelation_peaks(y, start, tiles, signs, lowest, pos, metric, freq)
    else:
        count = bank_peaks(
            y, start, tiles, filters_r, filters_i, weights_r, weights_i, which, grid, chips, lowest, pos, metric, freq
        )
    count = select(pos, metric, freq, count, first, last, near, max_cfo, fast, tries, cfos, heights)
    verify(y, tries, cfos, count, chip_r, chip_i, code_r, code_i, step, reach, where, cfo, value, half)
    if not fast:
        return count
    # The autocorrelation's peak is as wide as a chip and noise moves it: where it was clear, look beyond ±8 too.
    total = count
    for i in range(count):
        if heights[i] > 2 * lowest and not value[i] > threshold and total + 2 <= tries.shape[0]:
            for move in (-14, 14):
                tries[total] = tries[i] + move
                cfos[total] = cfos[i]
                total += 1
    rest = slice(count, total)
    verify(
        y, tries[rest], cfos[rest], total - count, chip_r, chip_i, code_r, code_i, step, reach,
        where[rest], cfo[rest], value[rest], half[rest],
    )  # fmt: skip
    return total


class DetectorKernels:
    """Kernels for one preamble; see `hil.phy.detector_plain.DetectorKernels`."""

    def __init__(self, search: Search) -> None:
        self._threshold = search.threshold
        self._constants = (
            search.fast, search.max_cfo, search.near, np.float32(search.first), search.threshold, search.signs, *search.filters,
            *search.weights, search.which, search.grid, *search.chip, *search.code, search.step, search.reach,
        )  # fmt: skip
        kinds = (np.int64, np.float64, np.float64, np.int64, np.float64, np.float64, np.int64, np.float64, np.float64, np.int64)
        self._spare = tuple(np.empty(search.most, kind) for kind in kinds)

    def search(self, y: Any, start: int, tiles: int, first: int, last: int) -> list[Hit]:
        """Preambles whose first test peaks in first … last − 1 and that pass the second."""
        count = _find(y, start, tiles, first, last, *self._constants, *self._spare)
        if not count:
            return []
        where, cfo, value, half = self._spare[6:]
        passed = (index for index in range(count) if value[index] > self._threshold)
        return [Hit(int(where[i]), float(cfo[i]), float(value[i]), bool(half[i])) for i in passed]
