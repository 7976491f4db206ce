"""Compiled loops of the channel (numba). Imported by `hil.channel.fast` only, where the extra `fast` is installed.

Each works on tiles that stay in the first-level cache and is written so that LLVM vectorises its inner loops. Only
`interpolate` may reorder sums; all others round exactly as their plain counterparts.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from hil.channel.polynomials import COS, LOG, SIN

__all__ = ["add_gaussian", "gaussian", "interpolate", "recurrence", "rotate", "sparse", "split"]

_TILE = 256
_L = tuple(np.float32(value) for value in LOG)
_S = tuple(np.float32(value) for value in SIN)
_C = tuple(np.float32(value) for value in COS)
_LN2 = np.float32(math.log(2))
_HALF, _ONE, _TWO, _ZERO = np.float32(0.5), np.float32(1), np.float32(-2), np.float32(0)
_GRAIN, _FOUR, _PAIR = np.float32(2.0**-29), np.float32(4), np.float32(2)
_TURN = np.float32(0.5 / math.pi)
_SQRT_HALF_BITS = np.int32(0x3F3504F3)
_I23, _I31, _I2, _I1 = np.int32(23), np.int32(31), np.int32(2), np.int32(1)
_M0, _M1 = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
_W0, _W1 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)
_ORIGIN = np.uint64(1 << 62)


def _high_product(typing: Any, a: Any, b: Any) -> Any:
    """Upper 64 bits of a 64 by 64 bit product."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        wide = ir.IntType(128)
        product = builder.mul(builder.zext(values[0], wide), builder.zext(values[1], wide))
        return builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), generate


_high: Any = intrinsic(_high_product)


@numba.njit(cache=True)
def _words(key: Any, first: Any, out: Any) -> None:
    """Philox4x64-10 of _TILE // 4 counters from `first` on, to uint64 [_TILE]."""
    for i in range(_TILE // 4):
        c0, c1, c2, c3 = first + np.uint64(i), key[2], key[3], np.uint64(0)
        k0, k1 = key[0], key[1]
        for _ in range(10):
            low0, high0 = c0 * _M0, _high(c0, _M0)
            low1, high1 = c2 * _M1, _high(c2, _M1)
            c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
            k0 += _W0
            k1 += _W1
        out[4 * i] = c0
        out[4 * i + 1] = c1
        out[4 * i + 2] = c2
        out[4 * i + 3] = c3


@numba.njit(cache=True)
def _polar(words: Any, scale: Any, f: Any, re: Any, pairs: Any) -> None:
    """`hil.channel.gaussian._polar`: the same float32 operations in the same order."""
    bits = f.view(np.int32)
    for i in range(_TILE):
        f[i] = np.float32(np.int32(np.uint32(words[i]) >> np.uint32(1))) + _HALF
    for i in range(_TILE):
        whole = bits[i]
        exponent = (whole - _SQRT_HALF_BITS) >> _I23
        bits[i] = whole - (exponent << _I23)
        re[i] = np.float32(exponent - _I31) * _LN2
    for i in range(_TILE):
        s = f[i] - _ONE
        p = _L[8]
        p = p * s + _L[7]
        p = p * s + _L[6]
        p = p * s + _L[5]
        p = p * s + _L[4]
        p = p * s + _L[3]
        p = p * s + _L[2]
        p = p * s + _L[1]
        p = p * s + _L[0]
        minus = (p * s + re[i]) * _TWO
        radius = np.float32(math.sqrt(minus if minus > _ZERO else _ZERO)) * scale
        word = np.int32(words[i] >> np.uint64(32))
        t = np.float32(word >> _I2) * _GRAIN
        z = t * t
        sine = (((_S[3] * z + _S[2]) * z + _S[1]) * z + _S[0]) * t * radius
        cosine = ((((_C[4] * z + _C[3]) * z + _C[2]) * z + _C[1]) * z + _C[0]) * radius
        cosine = -cosine if word & _I2 else cosine
        swap = word & _I1
        pairs[2 * i] = sine if swap else cosine
        pairs[2 * i + 1] = cosine if swap else sine


@numba.njit(cache=True)
def _noise(key: Any, start: int, scale: Any, out: Any, add: bool) -> None:
    words = np.empty(_TILE, np.uint64)
    f, re = np.empty(_TILE, np.float32), np.empty(_TILE, np.float32)
    pairs = np.empty(2 * _TILE, np.float32)
    first = start >> 2
    skip = 2 * (start - 4 * first)
    done, n = 0, out.size
    while done < n:
        _words(key, np.uint64(first) + _ORIGIN, words)
        _polar(words, scale, f, re, pairs)
        take = min(2 * _TILE - skip, n - done)
        if add:
            for i in range(take):
                out[done + i] += pairs[skip + i]
        else:
            for i in range(take):
                out[done + i] = pairs[skip + i]
        done += take
        skip = 0
        first += _TILE // 4


@numba.njit(cache=True)
def gaussian(key: Any, start: int, scale: Any, out: Any) -> None:
    """Samples from `start` on, interleaved float32 [2n]; see `hil.channel.gaussian.complex_gaussian`."""
    _noise(key, start, scale, out, False)


@numba.njit(cache=True)
def add_gaussian(key: Any, start: int, scale: Any, out: Any) -> None:
    """The same, added to what is there."""
    _noise(key, start, scale, out, True)


@numba.njit(cache=True)
def recurrence(white: Any, pole: float, scale: float, state: float) -> float:
    """In place: y[i] = pole · y[i − 1] + scale · white[i], from y[−1] = state; float32 [n]. Returns the last value."""
    for i in range(white.size):
        state = pole * state + scale * white[i]
        white[i] = state
    return state


@numba.njit(cache=True)
def rotate(out: Any, phase: Any, start: int, step: float, turns: float) -> None:
    """In place: sample i times exp(j(2π(step · (start + i) + turns) + phase[i])).

    Args:
        out: interleaved, float32 [2n].
        phase: float32 [n] in rad, or empty.
        start: index of sample 0.
        step: cycles a sample.
        turns: cycles at index 0.
    """
    n = out.size // 2
    sine, cosine = np.empty(_TILE, np.float32), np.empty(_TILE, np.float32)
    for begin in range(0, n, _TILE):
        count = min(_TILE, n - begin)
        first = np.float64(start + begin)
        for i in range(count):
            turn = step * (first + np.float64(i)) + turns
            sine[i] = np.float32(turn - math.floor(turn))
        if phase.size:
            for i in range(count):
                sine[i] += phase[begin + i] * _TURN
        for i in range(count):
            quarters = sine[i] * _FOUR
            near = np.float32(math.floor(quarters + _HALF))
            t = (quarters - near) * _PAIR
            quadrant = np.int32(near)
            z = t * t
            s = (((_S[3] * z + _S[2]) * z + _S[1]) * z + _S[0]) * t
            c = (((_C[4] * z + _C[3]) * z + _C[2]) * z + _C[1]) * z + _C[0]
            odd = quadrant & _I1
            sine[i] = c if odd else s
            cosine[i] = -s if odd else c
            if quadrant & _I2:
                sine[i] = -sine[i]
                cosine[i] = -cosine[i]
        for i in range(count):
            re, im = out[2 * (begin + i)], out[2 * (begin + i) + 1]
            out[2 * (begin + i)] = re * cosine[i] - im * sine[i]
            out[2 * (begin + i) + 1] = re * sine[i] + im * cosine[i]


@numba.njit(cache=True)
def split(samples: Any, pad: int, re: Any, im: Any) -> None:
    """Interleaved float32 [2n] to planar re, im [pad + n + …], zeros around."""
    n = samples.size // 2
    re[:pad] = _ZERO
    im[:pad] = _ZERO
    for i in range(n):
        re[pad + i] = samples[2 * i]
        im[pad + i] = samples[2 * i + 1]
    re[pad + n :] = _ZERO
    im[pad + n :] = _ZERO


@numba.njit(cache=True)
def sparse(re: Any, im: Any, delays: Any, gains: Any, cell: int, out_re: Any, out_im: Any) -> None:
    """Few taps at whole delays: out[i] = Σ_l g_l(i) x[i − d_l], zero before the start.

    Args:
        re: float32 [n].
        im: the same.
        delays: int64 [tap], ≥ 0.
        gains: float32 [tap, 1 or grid, 2]; one value = static, else one every `cell` samples, interpolated linearly.
        cell: samples between gains.
        out_re: float32 [n].
        out_im: the same.
    """
    n, taps = re.size, delays.size
    varying = gains.shape[1] > 1
    out_re[:] = _ZERO
    out_im[:] = _ZERO
    step = cell if varying else 4 * _TILE
    for begin in range(0, n, step):
        end = min(begin + step, n)
        for tap in range(taps):
            d = delays[tap]
            lo = max(begin, d)
            if lo >= end:
                continue
            at = begin // cell if varying else 0
            gr, gi = gains[tap, at, 0], gains[tap, at, 1]
            a_re, a_im = re[lo - d : end - d], im[lo - d : end - d]
            b_re, b_im = out_re[lo:end], out_im[lo:end]
            if varying:
                dr, di = (gains[tap, at + 1, 0] - gr) / np.float32(cell), (gains[tap, at + 1, 1] - gi) / np.float32(cell)
                for i in range(end - lo):
                    f = np.float32(lo - begin + i)
                    hr, hi = gr + dr * f, gi + di * f
                    b_re[i] += hr * a_re[i] - hi * a_im[i]
                    b_im[i] += hr * a_im[i] + hi * a_re[i]
            else:
                for i in range(end - lo):
                    b_re[i] += gr * a_re[i] - gi * a_im[i]
                    b_im[i] += gr * a_im[i] + gi * a_re[i]


@numba.njit(cache=True, fastmath={"reassoc", "nsz", "contract"}, error_model="numpy")
def interpolate(re: Any, im: Any, pad: int, table: Any, start: int, ratio: float, offset: float, out: Any) -> None:
    """Band-limited values at positions offset + (start + i) · ratio of a planar signal, to interleaved float32 [2n].

    Args:
        re: float32, sample 0 at index `pad`; zero outside.
        im: the same.
        pad: see there; at least the table's width, and as much after the end.
        table: float32 [phase + 1, tap]; row p has the kernel at fraction p / phase, latest sample last.
        start: index of the first output.
        ratio: input samples an output.
        offset: position of output 0, in samples.
        out: interleaved.
    """
    phases, width = table.shape[0] - 1, table.shape[1]
    last = re.size - width
    taps = np.uint64(width)  # not a constant: the loops below must stay loops to be vectorised
    for i in range(out.size // 2):
        position = offset + np.float64(start + i) * ratio
        whole = math.floor(position)
        row = np.uint64((position - whole) * phases + 0.5)
        left = int(whole) + pad - width // 2 + 1
        total_re, total_im = _ZERO, _ZERO
        if left >= 0 and left <= last:
            at = np.uint64(left)
            for k in range(taps):
                total_re += table[row, k] * re[at + k]
            for k in range(taps):
                total_im += table[row, k] * im[at + k]
        out[2 * i] = total_re
        out[2 * i + 1] = total_im
