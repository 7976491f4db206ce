"""Compiled detection kernels (numba, the optional extra `fast`). Same contracts as `hil.phy.kernels_torch`.

Samples are float32 views [2 n] of complex64 [n]. Loops are written so that LLVM turns the innermost one into vector code:
real and imaginary parts apart, neighbouring positions in neighbouring lanes.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from hil.phy.vector_numba import add, combine, combine_real, deinterleave, filter, phasors, window_power

__all__ = ["autocorrelation_peaks", "bank_peaks", "clean_copy", "select", "verify"]

_FAST = {"contract", "reassoc", "nsz", "nnan", "arcp"}
_TILE = 512
_CHIP = 16
_GROUP = 64


@njit(cache=True, fastmath={"reassoc"})
def _copy(source, target):
    """Copy; Σ |value|, which is not finite if a value is not."""
    total = np.float32(0)
    for i in range(source.shape[0]):
        value = source[i]
        target[i] = value
        total += abs(value)
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
def _products(part, yr, yi, power, zr, zi):
    """Samples apart into real and imaginary, their power, and products with the sample 16 later."""
    for n in range(yr.shape[0]):
        a = part[2 * n]
        b = part[2 * n + 1]
        yr[n] = a
        yi[n] = b
        power[n] = a * a + b * b
    for n in range(zr.shape[0]):
        zr[n] = yr[n + _CHIP] * yr[n] + yi[n + _CHIP] * yi[n]
        zi[n] = yi[n + _CHIP] * yr[n] - yr[n + _CHIP] * yi[n]


@njit(cache=True, fastmath=_FAST)
def _chips(series, quarter, out):
    """Sums over 16 samples at every fourth position."""
    for m in range(quarter.shape[0]):
        quarter[m] = (series[4 * m] + series[4 * m + 1]) + (series[4 * m + 2] + series[4 * m + 3])
    for m in range(out.shape[0]):
        out[m] = (quarter[m] + quarter[m + 1]) + (quarter[m + 2] + quarter[m + 3])


@njit(cache=True, fastmath=_FAST)
def _signed(boxes, signs, out):
    """out[m] = Σ_r signs[r] boxes[m + 4 r], seven terms at a time."""
    count = out.shape[0]
    for m in range(count):
        out[m] = 0
    for g in range(0, signs.shape[0], 7):
        d0, d1, d2, d3 = signs[g], signs[g + 1], signs[g + 2], signs[g + 3]
        d4, d5, d6 = signs[g + 4], signs[g + 5], signs[g + 6]
        b = boxes[4 * g :]
        for m in range(count):
            out[m] += (
                d0 * b[m] + d1 * b[m + 4] + d2 * b[m + 8] + d3 * b[m + 12] + d4 * b[m + 16] + d5 * b[m + 20] + d6 * b[m + 24]
            )


@njit(cache=True, fastmath=_FAST)
def _excess(mr, mi, total, threshold, score, out):
    """|M|², and for each 16 positions whether one of them passes."""
    for m in range(score.shape[0]):
        score[m] = mr[m] * mr[m] + mi[m] * mi[m]
    for g in range(out.shape[0]):
        top = np.float32(-1.0)
        for m in range(16 * g, 16 * g + 16):
            value = score[m] - threshold * total[m] * total[m]
            top = value if value > top else top
        out[g] = top


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
        _products(y[2 * base : 2 * (base + used)], yr, yi, power, zr[: used - _CHIP], zi[: used - _CHIP])
        _chips(zr, quarter, box)
        _signed(box, signs[:terms], mr)
        _chips(zi, quarter, box)
        _signed(box, signs[:terms], mi)
        _chips(power, quarter, box)
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
        _excess(mr, mi, total, threshold, score, passed)
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


@njit(cache=True)
def select(pos, metric, freq, count, first, last, near, max_cfo, folded, out_pos, out_freq, out_metric):
    """Candidates in first…last − 1 without a higher one within `near` samples; with `folded`, every alias of their CFO.

    Args:
        pos, metric, freq: `count` candidates, pos ascending.
        max_cfo: largest |CFO|, cycles a sample; `folded`: freq is known modulo one cycle a chip.
        out_pos, out_freq, out_metric: outputs.

    Returns:
        number of outputs.
    """
    found = 0
    for i in range(count):
        if pos[i] < first or pos[i] >= last:
            continue
        good = True
        j = i - 1
        while good and j >= 0 and pos[i] - pos[j] <= near:
            good = metric[j] < metric[i]
            j -= 1
        j = i + 1
        while good and j < count and pos[j] - pos[i] <= near:
            good = metric[j] <= metric[i]
            j += 1
        if not good:
            continue
        reach = int(max_cfo * _CHIP + 1.0) if folded else 0
        for alias in range(-reach, reach + 1):
            value = freq[i] + alias / _CHIP
            if found < out_pos.shape[0] and (not folded or abs(value) <= max_cfo + 0.003):
                out_pos[found] = pos[i]
                out_freq[found] = value
                out_metric[found] = metric[i]
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
    plain = weights_r.shape[0] == 1 and np.abs(weights_i).max() == 0
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


@njit(cache=True, fastmath=_FAST)
def _next(wr, wi, sr, si, count):
    """Weights of the next frequency."""
    for r in range(count):
        a = wr[r] * sr[r] - wi[r] * si[r]
        wi[r] = wr[r] * si[r] + wi[r] * sr[r]
        wr[r] = a


@njit(cache=True, fastmath=_FAST)
def verify(y, pos, freq, count, chip_r, chip_i, code_r, code_i, step, reach, out_pos, out_freq, out_metric, out_half):
    """Metric of the whole preamble around each candidate, maximised over time and frequency.

    Args:
        y: float32 [2 n], at least 8 samples before and 16 · chips + 8 after each candidate.
        pos, freq: candidates, `count` of them.
        chip_r, chip_i: float32 [templates, 16], chip at delay 0 and, for half-sample search, at ½.
        code_r, code_i: float32 [chips], conjugated sums that a clean preamble gives, over those of a chip.
        step: spacing of the frequencies tried, cycles a sample; `reach`: how many on each side.
        out_pos, out_freq, out_metric, out_half: the best position, frequency, |D|²/P and template of each candidate.
    """
    chips = code_r.shape[0]
    length = chips * _CHIP
    terms = (chips + 4) // 5 * 5
    yr = np.empty(length + 16, np.float32)
    yi = np.empty(length + 16, np.float32)
    qr = np.zeros(terms * _CHIP, np.float32)
    qi = np.zeros(terms * _CHIP, np.float32)
    wr = np.zeros(terms, np.float32)
    wi = np.zeros(terms, np.float32)
    pr = np.zeros(_CHIP, np.float32)
    pi = np.zeros(_CHIP, np.float32)
    keep_r = np.empty(chips)
    keep_i = np.empty(chips)
    ar = np.empty(16, np.float32)
    ai = np.empty(16, np.float32)
    mr = np.empty(_CHIP)
    mi = np.empty(_CHIP)
    tr = np.empty(chips)
    ti = np.empty(chips)
    wide_r = np.empty(chips)
    wide_i = np.empty(chips)
    phasors(wide_r, wide_i, step * _CHIP)
    step_r = wide_r.astype(np.float32)
    step_i = wide_i.astype(np.float32)
    for index in range(count):
        base = pos[index] - 8
        f0 = freq[index]
        part = y[2 * base : 2 * (base + length + 16)]
        deinterleave(part, yr, yi, length + 16)
        best = np.float32(-1.0)
        best_d = 0
        best_f = f0
        best_t = 0
        phasors(mr, mi, f0)
        for template in range(chip_r.shape[0]):
            for i in range(_CHIP):  # conj(chip) exp(−j 2π f0 i)
                pr[i] = chip_r[template, i] * mr[i] + chip_i[template, i] * mi[i]
                pi[i] = chip_r[template, i] * mi[i] - chip_i[template, i] * mr[i]
            filter(yr, yi, pr, pi, qr, qi, length)
            improved = False
            for j in range(-reach, reach + 1):
                f = f0 + j * step
                if j == -reach:
                    phasors(tr, ti, f * _CHIP)
                    for r in range(chips):
                        wr[r] = tr[r] * code_r[r] - ti[r] * code_i[r]
                        wi[r] = tr[r] * code_i[r] + ti[r] * code_r[r]
                else:
                    _next(wr, wi, step_r, step_i, chips)
                combine(qr, qi, wr, wi, ar, ai, 16)
                for d in range(16):
                    value = ar[d] * ar[d] + ai[d] * ai[d]
                    if value > best:
                        best = value
                        best_d = d
                        best_f = f
                        best_t = template
                        improved = True
            if improved:
                for r in range(chips):
                    a, b = qr[_CHIP * r + best_d], qi[_CHIP * r + best_d]
                    keep_r[r] = a * code_r[r] - b * code_i[r]
                    keep_i[r] = a * code_i[r] + b * code_r[r]
        best64 = np.float64(best)
        middle = 0.5 * (chips - 1)
        for _ in range(3):  # Newton's method on |Σ q_r exp(−j 2π f 16 r)|²
            phasors(tr, ti, best_f * _CHIP)
            sr = 0.0
            si = 0.0
            ur = 0.0
            ui = 0.0
            vr = 0.0
            vi = 0.0
            for r in range(chips):
                a = keep_r[r] * tr[r] - keep_i[r] * ti[r]
                b = keep_r[r] * ti[r] + keep_i[r] * tr[r]
                x = r - middle
                sr += a
                si += b
                ur += x * a
                ui += x * b
                vr += x * x * a
                vi += x * x * b
            best64 = sr * sr + si * si
            slope = si * ur - sr * ui  # half the derivative by the phase step a chip, negated
            curve = ur * ur + ui * ui - sr * vr - si * vi
            if curve < 0:
                move = -slope / curve / (2 * math.pi * _CHIP)
                move = min(max(move, -step), step)
                best_f -= move
            else:
                break
        total = 0.0
        for n in range(length):
            total += yr[best_d + n] * yr[best_d + n] + yi[best_d + n] * yi[best_d + n]
        out_pos[index] = base + best_d
        out_freq[index] = best_f
        out_metric[index] = best64 / total if total > 0 else 0.0
        out_half[index] = best_t
