"""Header codewords in compiled code (numba): put into spectra, and decoded. The code itself is `hil.phy.header`."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from hil.phy.header import CHIPS, SHIFT, USES

__all__ = ["decode", "encode"]

_WORD = CHIPS // 3


@njit(cache=True, error_model="numpy")
def _crc8(value):
    register = 0xFF
    for shift in (8, 0):
        register ^= (value >> shift) & 0xFF
        for _ in range(8):
            register = ((register << 1) ^ 0x07) & 0xFF if register & 0x80 else (register << 1) & 0xFF
    return register


@njit(cache=True, error_model="numpy")
def encode(number, repetitions, words, scramble, targets, weight, row):
    """QPSK symbols of a frame number times their weights into complex64 row[targets], `hil.phy.header.encode`."""
    chips = np.empty(CHIPS, np.float32)
    data = (number >> 8, number & 0xFF, _crc8(number))
    for w in range(3):
        sign = np.float32(math.sqrt(0.5)) * np.float32(1 - 2 * (data[w] >> 7))
        word = words[data[w] & 0x7F]
        for i in range(_WORD):
            chips[w * _WORD + i] = sign * word[i] * scramble[w * _WORD + i]
    for r in range(repetitions):
        for u in range(USES):
            i = (2 * u - SHIFT * r) % CHIPS
            n = r * USES + u
            row[targets[n]] = weight[n] * np.complex64(complex(chips[i], chips[i + 1]))


@njit(cache=True, error_model="numpy")
def decode(yr, yi, hr, hi, first, repetitions, data, tau, rate, words, scramble):
    """Frame number (−1 if the CRC fails or there is none) and margin, `hil.phy.header.decode`.

    Args:
        yr, yi: float32 [row, carrier], all rows; hr, hi: float32 [carrier], channel at the sounding.
        first: the header's first row, `tau` symbols after the sounding; rate: phase step a symbol.
        data: int64, positions of data carriers.
    """
    if repetitions == 0:
        return -1, np.nan
    total = np.zeros(CHIPS, np.float32)
    row, place = 0, 0
    c, s = math.cos(rate * tau), math.sin(rate * tau)
    for r in range(repetitions):
        i = -SHIFT * r % CHIPS
        for _ in range(USES):
            n = data[place]
            gr, gi = hr[n] * c - hi[n] * s, hr[n] * s + hi[n] * c
            total[i] += yr[first + row, n] * gr + yi[first + row, n] * gi
            total[i + 1] += yi[first + row, n] * gr - yr[first + row, n] * gi
            i = i + 2 if i + 2 < CHIPS else 0
            place += 1
            if place == data.shape[0]:
                row, place = row + 1, 0
                c, s = math.cos(rate * (tau + row)), math.sin(rate * (tau + row))
    margin = np.inf
    value = 0
    for w in range(3):
        word = total[w * _WORD : (w + 1) * _WORD]
        for i in range(_WORD):
            word[i] *= scramble[w * _WORD + i]
        step = 1
        while step < _WORD:  # fast Hadamard transform
            for block in range(0, _WORD, 2 * step):
                for i in range(block, block + step):
                    a, b = word[i], word[i + step]
                    word[i], word[i + step] = a + b, a - b
            step *= 2
        best, second = np.float32(-1), np.float32(-1)
        which = 0
        for i in range(_WORD):
            size = abs(word[i])
            if size > best:
                second = best
                best = size
                which = i
            elif size > second:
                second = size
        margin = min(margin, best / max(second, np.float32(1e-30)))
        value = value << 8 | which | (128 if word[which] < 0 else 0)
    return (value >> 8 if _crc8(value >> 8) == value & 0xFF else -1), margin
