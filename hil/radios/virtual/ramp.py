"""A counter in place of the air, for tests of transport: every sample says where it belongs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["ramp", "ramp_positions"]


def ramp(start: int, n: int, bits: int) -> NDArray[np.int16]:
    """Samples [start, start + n) of the counter: I has the low `bits` bits of the index, Q the next ones; int16 [n, 2].

    Codes are two's complement of `bits` bits (−2^(bits−1) … 2^(bits−1) − 1): what an ADC of so many bits can deliver.
    """
    index = np.arange(start, start + n, dtype=np.int64)
    out = np.empty((n, 2), np.int16)
    half, mask = 1 << (bits - 1), (1 << bits) - 1
    out[:, 0] = ((index + half) & mask) - half
    out[:, 1] = (((index >> bits) + half) & mask) - half
    return out


def ramp_positions(samples: NDArray[np.int16], bits: int) -> NDArray[np.int64]:
    """The index of each sample of the counter, modulo 4^bits; int16 [n, 2] -> int64 [n]."""
    mask = (1 << bits) - 1
    return (samples[:, 0].astype(np.int64) & mask) | ((samples[:, 1].astype(np.int64) & mask) << bits)
