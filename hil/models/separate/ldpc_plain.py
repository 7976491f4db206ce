"""Layered normalised min-sum in plain numpy, all codewords at once: the compiled one's sums in its order."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["decode"]


def decode(
    posterior: NDArray[np.float32],
    starts: NDArray[np.int64],
    columns: NDArray[np.int64],
    shifts: NDArray[np.int64],
    lifting: int,
    iterations: int,
    normalisation: np.float32,
) -> NDArray[np.int64]:
    """Decode in place.

    Args:
        posterior: float32 [codeword, n], the channel's; afterwards the decoder's.
        starts: int64 [block row + 1], where each block row's edges begin.
        columns, shifts: int64 [edge], block column and cyclic shift.
        lifting: bits of a block.
        iterations: at most.
        normalisation: factor of the smallest magnitude.

    Returns:
        int64 [codeword], iterations after which all checks held; −1 where they never did.
    """
    words = posterior.reshape(len(posterior), -1, lifting)
    messages = np.zeros((len(words), len(columns), lifting), np.float32)
    made = np.where(_valid(words, starts, columns, shifts), 0, -1)
    for iteration in range(1, iterations + 1):
        left = np.flatnonzero(made < 0)
        if not len(left):
            break
        some, own = words[left], messages[left]
        for start, stop in pairwise(starts):
            _layer(some, own, columns[start:stop], shifts[start:stop], int(start), normalisation)
        words[left], messages[left] = some, own
        made[left[_valid(some, starts, columns, shifts)]] = iteration
    return made


def _layer(
    words: NDArray[np.float32],
    messages: NDArray[np.float32],
    columns: NDArray[np.int64],
    shifts: NDArray[np.int64],
    start: int,
    normalisation: np.float32,
) -> None:
    """One block row: its checks share no bit, so they are one step."""
    seen = np.stack([np.roll(words[:, column], -shift, axis=1) for column, shift in zip(columns, shifts, strict=True)], axis=1)
    own = slice(start, start + len(columns))
    extrinsic = seen - messages[:, own]
    magnitude = np.abs(extrinsic)
    two = np.partition(magnitude, 1, axis=1)[:, :2]
    negative = extrinsic < 0
    flips = negative ^ np.bitwise_xor.reduce(negative, axis=1, keepdims=True)
    least = normalisation * np.where(magnitude == two[:, :1], two[:, 1:], two[:, :1])
    messages[:, own] = np.where(flips, -least, least)
    updated = extrinsic + messages[:, own]
    for place, (column, shift) in enumerate(zip(columns, shifts, strict=True)):
        words[:, column] = np.roll(updated[:, place], shift, axis=1)


def _valid(
    words: NDArray[np.float32], starts: NDArray[np.int64], columns: NDArray[np.int64], shifts: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Whether all checks hold for the hard decisions, bool [codeword]."""
    hard = words < 0
    wrong = np.zeros(len(words), np.bool_)
    for start, stop in pairwise(starts):
        sums = np.zeros(words[:, 0].shape, np.bool_)
        for column, shift in zip(columns[start:stop], shifts[start:stop], strict=True):
            sums ^= np.roll(hard[:, column], -shift, axis=1)
        wrong |= sums.any(axis=1)
    return ~wrong
