"""From the first test's candidates to preambles (numba): the highest nearby, then the whole preamble's metric."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from hil.phy.vector_numba import combine, deinterleave, filter, phasors

__all__ = ["select", "verify"]

_FAST = {"contract", "reassoc", "nsz", "nnan", "arcp"}
_CHIP = 16


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
        for _ in range(3 if reach else 0):  # Newton's method on |Σ q_r exp(−j 2π f 16 r)|²
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
