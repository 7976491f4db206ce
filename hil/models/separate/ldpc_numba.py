"""Layered normalised min-sum in compiled code (numba), `LANES` codewords side by side. See `hil.models.separate.ldpc_plain`.

Codewords interleaved bit by bit are one of a code whose blocks and shifts are as many times as long, so that every step is
one long loop whatever the lifting. A codeword that is done leaves its lane to the next one; none hangs on its neighbours.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["decode"]

LANES = 16
"""As many as a vector of 512 bits holds; what 16 codewords of 1944 bits need still fits into a core's own cache."""


@njit(cache=True, nogil=True, error_model="numpy")
def _collect(seen, message, own, least, second, signs):
    """Take a block's messages out again, and add it to the two smallest magnitudes and the sign of each check."""
    for z in range(len(own)):
        value = seen[z] - message[z]
        own[z] = value
        size = abs(value)
        larger = max(least[z], size)
        least[z] = min(least[z], size)
        second[z] = min(second[z], larger)
        signs[z] = -signs[z] if value < 0 else signs[z]


@njit(cache=True, nogil=True, error_model="numpy")
def _spread(seen, message, own, least, second, signs, normalisation):
    """What the checks say to a block."""
    for z in range(len(own)):
        value = own[z]
        size = normalisation * (second[z] if abs(value) == least[z] else least[z])
        size = size * signs[z]
        size = -size if value < 0 else size
        message[z] = size
        seen[z] = value + size


@njit(cache=True, nogil=True, error_model="numpy")
def _layer(words, messages, extrinsic, start, stop, columns, shifts, lifting, normalisation, least, second, signs):
    """One block row. A shifted block is two stretches, each of neighbouring places."""
    least[:] = np.inf
    second[:] = np.inf
    signs[:] = 1.0
    for edge in range(start, stop):
        own, message, base, stay = extrinsic[edge - start], messages[edge], columns[edge] * lifting, lifting - shifts[edge]
        upper, lower = words[base + shifts[edge] : base + lifting], words[base : base + shifts[edge]]
        _collect(upper, message[:stay], own[:stay], least[:stay], second[:stay], signs[:stay])
        _collect(lower, message[stay:], own[stay:], least[stay:], second[stay:], signs[stay:])
    for edge in range(start, stop):
        own, message, base, stay = extrinsic[edge - start], messages[edge], columns[edge] * lifting, lifting - shifts[edge]
        upper, lower = words[base + shifts[edge] : base + lifting], words[base : base + shifts[edge]]
        _spread(upper, message[:stay], own[:stay], least[:stay], second[:stay], signs[:stay], normalisation)
        _spread(lower, message[stay:], own[stay:], least[stay:], second[stay:], signs[stay:], normalisation)


@njit(cache=True, nogil=True, error_model="numpy")
def _odd(words, sums):
    for z in range(len(words)):
        sums[z] ^= words[z] < 0


@njit(cache=True, nogil=True, error_model="numpy")
def _check(words, starts, columns, shifts, lifting, lanes, sums, wrong):
    """Mark the lanes in which a check does not hold, until all are marked: most often that is after the first block row."""
    for row in range(len(starts) - 1):
        sums[:] = 0
        for edge in range(starts[row], starts[row + 1]):
            base, stay = columns[edge] * lifting, lifting - shifts[edge]
            _odd(words[base + shifts[edge] : base + lifting], sums[:stay])
            _odd(words[base : base + shifts[edge]], sums[stay:])
        right = 0
        for lane in range(lanes):
            for z in range(lane, lifting, lanes):
                wrong[lane] |= sums[z]
            right += wrong[lane] == 0
        if right == 0:
            return


@njit(cache=True, nogil=True, error_model="numpy")
def _hard(posterior, starts, columns, shifts, lifting, made):
    """Note which codewords need no iteration."""
    sums, wrong = np.empty(lifting, np.uint8), np.empty(1, np.uint8)
    for word in range(len(posterior)):
        wrong[0] = 0
        _check(posterior[word], starts, columns, shifts, lifting, 1, sums, wrong)
        made[word] = -1 if wrong[0] else 0


@njit(cache=True, nogil=True, error_model="numpy")
def decode(posterior, starts, columns, shifts, lifting, iterations, normalisation):
    """Decode in place; arguments and result as those of `hil.models.separate.ldpc_plain.decode`."""
    count, n = posterior.shape
    made = np.empty(count, np.int64)
    _hard(posterior, starts, columns, shifts, lifting, made)
    wide, far = lifting * LANES, shifts * LANES
    words, messages = np.zeros((n, LANES), np.float32), np.zeros((len(columns) * lifting, LANES), np.float32)
    all_words, all_messages = words.reshape(n * LANES), messages.reshape((len(columns), wide))
    extrinsic = np.empty((np.max(starts[1:] - starts[:-1]), wide), np.float32)
    least, second = np.empty(wide, np.float32), np.empty(wide, np.float32)
    signs, sums = np.empty(wide, np.float32), np.empty(wide, np.uint8)
    held, turns, wrong = np.full(LANES, -1, np.int64), np.zeros(LANES, np.int64), np.empty(LANES, np.uint8)
    following = 0 if iterations > 0 else count
    while True:
        for lane in range(LANES):
            while following < count and made[following] == 0:
                following += 1
            if held[lane] < 0 and following < count:
                held[lane], turns[lane] = following, 0
                words[:, lane] = posterior[following]
                messages[:, lane] = 0
                following += 1
        if np.max(held) < 0:
            return made
        for row in range(len(starts) - 1):
            start, stop = starts[row], starts[row + 1]
            _layer(
                all_words, all_messages, extrinsic, start, stop, columns, far, wide, normalisation, least, second, signs
            )  # fmt: skip
        wrong[:] = held < 0
        _check(all_words, starts, columns, far, wide, LANES, sums, wrong)
        for lane in range(LANES):
            turns[lane] += 1
            if held[lane] >= 0 and (wrong[lane] == 0 or turns[lane] == iterations):
                made[held[lane]] = turns[lane] if wrong[lane] == 0 else -1
                posterior[held[lane]] = words[:, lane]
                held[lane] = -1
