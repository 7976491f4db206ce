"""The frame header: a 16-bit frame number and a CRC-8, sent as first-order Reed-Muller codewords.

The 24 bits are three bytes; each is a codeword of RM(1, 7): 128 chips that are a row of the Hadamard matrix (7 bits)
times a sign (1 bit). A fast Hadamard transform decodes it with maximum likelihood at any SNR, and the error probability
has a simple union bound: Pe <= 3 · 254 · Q(√(d² / 2σ²)), with which `repetitions_for` picks the number of repetitions.

Source: MacWilliams and Sloane, The Theory of Error-Correcting Codes, ch. 13 and 14.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hil.errors import ConfigError, ShapeError
from hil.units import db_to_power

__all__ = ["CHIPS", "SHIFT", "USES", "crc8", "decode", "encode", "repetitions_for", "scramble", "word_error_bound", "words"]

CHIPS = 384
"""Real chips of one repetition: 3 codewords of 128."""
USES = CHIPS // 2
"""Complex (QPSK) uses of one repetition."""
SHIFT = 74
"""Chips by which each repetition is rotated further than the one before."""


def crc8(value: int) -> int:
    """CRC-8 (polynomial x⁸ + x² + x + 1, initial value 0xFF) of a 16-bit value."""
    register = 0xFF
    for byte in (value >> 8 & 0xFF, value & 0xFF):
        register ^= byte
        for _ in range(8):
            register = (register << 1 ^ 0x07) & 0xFF if register & 0x80 else register << 1
    return register


@lru_cache(maxsize=1)
def words() -> NDArray[np.float32]:
    """Codewords of 7 bits, float32 [word, chip] of ±1: the Hadamard matrix in Sylvester's order."""
    matrix = np.ones((1, 1), np.float32)
    for _ in range(7):
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return matrix


@lru_cache(maxsize=1)
def scramble() -> NDArray[np.float32]:
    """Signs that take the codewords' regularity away, float32 [384]."""
    generator = torch.Generator().manual_seed(0x48494C)
    signs: NDArray[np.float32] = (torch.randint(0, 2, (CHIPS,), generator=generator).float() * 2 - 1).numpy()
    return signs


@lru_cache(maxsize=256)
def _unrolled(repetition: int) -> NDArray[np.int64]:
    """Which chip of a repetition each chip is, int64 [384]."""
    return (np.arange(CHIPS) + SHIFT * repetition) % CHIPS


def encode(number: int, repetitions: int) -> Tensor:
    """Frame number to unit-power QPSK symbols.

    Args:
        number: 0…65535.
        repetitions: how often the codewords are sent, each time scrambled and rotated by a different shift.

    Returns:
        complex64 [repetitions · 192], |x|² = 1.

    Raises:
        ShapeError: the number does not fit 16 bits.
    """
    if not 0 <= number < 1 << 16:
        raise ShapeError(f"Argument 'number' must be in 0…65535, not {number}.")
    data = (number >> 8, number & 0xFF, crc8(number))
    chips = np.concatenate([words()[byte & 0x7F] * (1 - 2 * (byte >> 7)) for byte in data]) * scramble()
    sent = np.concatenate([np.roll(chips, SHIFT * index) for index in range(repetitions)]) / np.float32(math.sqrt(2))
    return torch.from_numpy(sent.view(np.complex64))


def decode(matched: Tensor | NDArray[np.complex64]) -> tuple[int | None, float]:
    """Maximum-likelihood decoding of matched-filter output.

    Args:
        matched: complex [repetitions · 192]: received symbol times the conjugate of the channel (no division).

    Returns:
        the frame number, or None if the CRC fails; and the margin: the least ratio, over the three words, of the best
        correlation to the second best (1 = a coin toss).
    """
    chips = np.ascontiguousarray(matched, np.complex64).view(np.float32)
    total = chips[:CHIPS].copy()
    for repetition in range(1, chips.size // CHIPS):
        total += chips[repetition * CHIPS + _unrolled(repetition)]
    correlation = (total * scramble()).reshape(3, 128) @ words()
    strength = np.abs(correlation)
    best, lines = strength.argmax(1), np.arange(3)
    first = strength[lines, best]
    strength[lines, best] = 0
    margin = float((first / np.maximum(strength.max(1), 1e-30)).min())
    negative = (correlation[lines, best] < 0).tolist()
    high, low, check = (word | sign << 7 for word, sign in zip(best.tolist(), negative, strict=True))
    number = high << 8 | low
    return (number if crc8(number) == check else None), margin


def word_error_bound(snr: float, repetitions: int) -> float:
    """Union bound on the probability that a header is decoded wrongly in AWGN at a linear SNR per use."""
    # Two codewords differ in half of their 128 · repetitions chips of power 1/2 each, or (one of 255) in all of them.
    q = 0.5 * math.erfc(math.sqrt(64 * repetitions * snr / 2))
    return min(1.0, 3 * 254 * q)


def repetitions_for(snr_db: float, *, margin_db: float = 1.0, target: float = 1e-3) -> int:
    """Least number of repetitions with a word error of at most `target` at an SNR (dB per use) less a margin (dB)."""
    snr = db_to_power(snr_db - margin_db)
    for count in range(1, 257):
        if word_error_bound(snr, count) <= target:
            return count
    raise ConfigError(f"an SNR of {snr_db:g} dB needs more than 256 repetitions of the header; ask for a higher SNR")
