"""Random numbers that are the same on every machine and for every version of numpy.

numpy promises the raw output of a bit generator for ever, but not that of its distributions; so these few are made here,
from the raw output, with exact arithmetic only.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["Stream"]

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


class Stream:
    """A named stream of random numbers.

    Args:
        key: numbers that name the stream; different keys give independent streams.
    """

    def __init__(self, *key: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(list(key)))

    def _raw(self, count: int) -> NDArray[np.uint64]:
        return np.asarray(self._bits.random_raw(count), np.uint64)

    def uniform(self, low: float, high: float, *shape: int) -> Floats:
        """Uniform in [low, high), float32, of `shape`."""
        raw = self._raw(int(np.prod(shape))) >> np.uint64(40)
        unit = raw.astype(np.float32) * np.float32(2.0**-24)
        scaled = np.float32(low) + unit * np.float32(high - low)
        return np.asarray(scaled, np.float32).reshape(shape)

    def choice(self, weights: Sequence[float], *shape: int) -> Ints:
        """Index drawn with probabilities proportional to `weights`, int64, of `shape`."""
        edges = np.cumsum(np.asarray(weights, np.float64))
        draws = self._raw(int(np.prod(shape))) >> np.uint64(11)
        found = np.searchsorted(edges, draws.astype(np.float64) * (2.0**-53 * float(edges[-1])), side="right")
        return np.asarray(found, np.int64).reshape(shape)

    def order(self, rows: int, columns: int) -> Ints:
        """A random permutation of 0…columns−1 in each row, int64 [rows, columns]."""
        return np.argsort(self._raw(rows * columns).reshape(rows, columns), axis=1, kind="stable").astype(np.int64)

    def noise(self, *shape: int) -> Floats:
        """Zero-mean, unit-variance, bell-shaped: the sum of four random bytes, float32, of `shape`."""
        count = int(np.prod(shape))
        octets = self._raw((count + 1) // 2).astype("<u8").view(np.uint8)[: 4 * count].reshape(count, 4)
        total = octets[:, 0].astype(np.int16) + octets[:, 1] + octets[:, 2] + octets[:, 3]
        scaled = (total.astype(np.float32) - np.float32(510.0)) * np.float32(1 / 147.8)
        return np.asarray(scaled, np.float32).reshape(shape)
