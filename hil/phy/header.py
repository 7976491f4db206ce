"""The frame header: a 16-bit frame number and a CRC-8, sent as first-order Reed-Muller codewords.

The 24 bits are three bytes; each is a codeword of RM(1, 7): 128 chips that are a row of the Hadamard matrix (7 bits)
times a sign (1 bit). A fast Hadamard transform decodes it with maximum likelihood at any SNR, and the error probability
has a simple union bound: Pe <= 3 · 254 · Q(√(d² / 2σ²)), with which `repetitions_for` picks the number of repetitions.

Source: MacWilliams and Sloane, The Theory of Error-Correcting Codes, ch. 13 and 14.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from hil.errors import ShapeError
from hil.units import db_to_power

__all__ = ["CHIPS", "USES", "crc8", "decode", "encode", "repetitions_for", "word_error_bound"]

CHIPS = 384
"""Real chips of one repetition: 3 codewords of 128."""
USES = CHIPS // 2
"""Complex (QPSK) uses of one repetition."""


def crc8(value: int) -> int:
    """CRC-8 (polynomial x⁸ + x² + x + 1, initial value 0xFF) of a 16-bit value."""
    register = 0xFF
    for byte in (value >> 8 & 0xFF, value & 0xFF):
        register ^= byte
        for _ in range(8):
            register = (register << 1 ^ 0x07) & 0xFF if register & 0x80 else register << 1
    return register


@lru_cache(maxsize=1)
def _hadamard() -> Tensor:
    matrix = torch.ones(1, 1)
    for _ in range(7):
        matrix = torch.cat([torch.cat([matrix, matrix], 1), torch.cat([matrix, -matrix], 1)], 0)
    return matrix


@lru_cache(maxsize=1)
def _scramble() -> Tensor:
    generator = torch.Generator().manual_seed(0x48494C)
    return torch.randint(0, 2, (CHIPS,), generator=generator).float() * 2 - 1


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
    words = [_hadamard()[byte & 0x7F] * (1 - 2 * (byte >> 7)) for byte in data]
    chips = torch.cat(words) * _scramble()
    chips = torch.cat([chips.roll(_shift(index)) for index in range(repetitions)])
    return torch.complex(chips[0::2], chips[1::2]) / math.sqrt(2)


def _shift(repetition: int) -> int:
    return 2 * 37 * repetition


def decode(matched: Tensor) -> tuple[int | None, float]:
    """Maximum-likelihood decoding of matched-filter output.

    Args:
        matched: complex [repetitions · 192]: received symbol times the conjugate of the channel (no division).

    Returns:
        the frame number, or None if the CRC fails; and the margin: the least ratio, over the three words, of the best
        correlation to the second best (1 = a coin toss).
    """
    chips = torch.stack([matched.real, matched.imag], dim=-1).flatten().unflatten(0, (-1, CHIPS))
    total = torch.stack([row.roll(-_shift(index)) for index, row in enumerate(chips)]).sum(0) * _scramble()
    correlation = total.unflatten(0, (3, 128)) @ _hadamard().T
    strength, order = correlation.abs().topk(2, dim=-1)
    best = order[:, 0]
    sign = correlation.gather(1, best[:, None])[:, 0] < 0
    high, low, check = [int(b) | int(s) << 7 for b, s in zip(best, sign, strict=True)]
    number = high << 8 | low
    margin = float((strength[:, 0] / strength[:, 1].clamp_min(1e-30)).min())
    return (number if crc8(number) == check else None), margin


def word_error_bound(snr: float, repetitions: int) -> float:
    """Union bound on the probability that a header is decoded wrongly in AWGN at a linear SNR per use."""
    # Two codewords differ in half of their 128 · repetitions chips of power 1/2 each, or (one of 255) in all of them.
    q = 0.5 * math.erfc(math.sqrt(64 * repetitions * snr / 2))
    return min(1.0, 3 * 254 * q)


def repetitions_for(snr_db: float, *, margin_db: float = 1.0, target: float = 1e-3) -> int:
    """Least number of repetitions with a word error of at most `target` at an SNR (dB per use) less a margin (dB)."""
    snr = db_to_power(snr_db - margin_db)
    return next((count for count in range(1, 257) if word_error_bound(snr, count) <= target), 256)
