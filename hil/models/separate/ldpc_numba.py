"""Layered normalised min-sum in compiled code (numba), one codeword after the other. See `hil.models.separate.ldpc_plain`."""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["decode"]


@njit(cache=True, error_model="numpy")
def _rotated(words, column, shift, lifting, out):
    """out[z] = words[column · Z + (z + shift) mod Z]: two stretches, so that both loops are vectorised."""
    base = column * lifting
    stay = lifting - shift
    for z in range(stay):
        out[z] = words[base + shift + z]
    for z in range(shift):
        out[stay + z] = words[base + z]


@njit(cache=True, error_model="numpy")
def _back(words, column, shift, lifting, values):
    base = column * lifting
    stay = lifting - shift
    for z in range(stay):
        words[base + shift + z] = values[z]
    for z in range(shift):
        words[base + z] = values[stay + z]


@njit(cache=True, error_model="numpy")
def _valid(words, starts, columns, shifts, lifting, sums):
    """Whether all checks hold for the hard decisions."""
    for row in range(len(starts) - 1):
        sums[:] = 0
        for edge in range(starts[row], starts[row + 1]):
            base = columns[edge] * lifting
            shift = shifts[edge]
            stay = lifting - shift
            for z in range(stay):
                sums[z] ^= words[base + shift + z] < 0
            for z in range(shift):
                sums[stay + z] ^= words[base + z] < 0
        for z in range(lifting):
            if sums[z]:
                return False
    return True


@njit(cache=True, error_model="numpy")
def _layer(words, messages, extrinsic, start, stop, columns, shifts, lifting, normalisation, least, second, signs):
    for z in range(lifting):
        least[z] = np.inf
        second[z] = np.inf
        signs[z] = 1.0
    for edge in range(start, stop):
        own = extrinsic[edge - start]
        message = messages[edge]
        _rotated(words, columns[edge], shifts[edge], lifting, own)
        for z in range(lifting):
            value = own[z] - message[z]
            own[z] = value
            size = abs(value)
            larger = max(least[z], size)
            least[z] = min(least[z], size)
            second[z] = min(second[z], larger)
            signs[z] = -signs[z] if value < 0 else signs[z]
    for edge in range(start, stop):
        own = extrinsic[edge - start]
        message = messages[edge]
        for z in range(lifting):
            value = own[z]
            size = normalisation * (second[z] if abs(value) == least[z] else least[z])
            size = size * signs[z]
            size = -size if value < 0 else size
            message[z] = size
            own[z] = value + size
        _back(words, columns[edge], shifts[edge], lifting, own)


@njit(cache=True, error_model="numpy")
def decode(posterior, starts, columns, shifts, lifting, iterations, normalisation):
    """Decode in place; arguments and result as those of `hil.models.separate.ldpc_plain.decode`."""
    made = np.full(len(posterior), -1, np.int64)
    degree = np.max(starts[1:] - starts[:-1])
    messages = np.empty((len(columns), lifting), np.float32)
    extrinsic = np.empty((degree, lifting), np.float32)
    least, second = np.empty(lifting, np.float32), np.empty(lifting, np.float32)
    signs, sums = np.empty(lifting, np.float32), np.empty(lifting, np.uint8)
    for word in range(len(posterior)):
        words = posterior[word]
        messages[:] = 0
        if _valid(words, starts, columns, shifts, lifting, sums):
            made[word] = 0
            continue
        for iteration in range(iterations):
            for row in range(len(starts) - 1):
                _layer(
                    words, messages, extrinsic, starts[row], starts[row + 1], columns, shifts, lifting, normalisation, least,
                    second, signs,
                )  # fmt: skip
            if _valid(words, starts, columns, shifts, lifting, sums):
                made[word] = iteration + 1
                break
    return made
