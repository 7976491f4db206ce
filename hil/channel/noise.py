"""Counter-based randomness: any slice of a stream is a pure function of (seed, stream name, sample index).

Noise comes from `hil.channel.gaussian`. What is drawn seldom, or is not Gaussian, comes from `philox`: keyed by a hash of
(seed, stream name), with a block's index in the upper half of its counter, so that blocks never overlap and none depends on
which was drawn before.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hil.channel.gaussian import complex_gaussian, real_gaussian

__all__ = ["BLOCK", "Blocks", "awgn", "normal_block", "philox", "uniform"]

BLOCK = 16384
"""Samples in an absolute block."""


def philox(seed: int, stream: str, block: int = 0) -> np.random.Generator:
    """The generator of one block of one stream.

    Args:
        seed: of the whole air.
        stream: any name; different names give independent streams.
        block: index of the block, of either sign.
    """
    digest = hashlib.blake2b(f"{seed}/{stream}".encode(), digest_size=16).digest()
    key = np.frombuffer(digest, dtype=np.uint64)
    counter = np.array([0, 0, block % (1 << 64), 0], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(counter=counter, key=key))


def uniform(seed: int, stream: str, index: int = 0) -> float:
    """One number in [0, 1), a pure function of its arguments."""
    return float(philox(seed, stream, index).random())


def normal_block(seed: int, stream: str, block: int, size: int = BLOCK) -> NDArray[np.float32]:
    """Block `block` of a real N(0, 1) stream, float32 [size]."""
    return real_gaussian(seed, stream, block * size, size)


def awgn(seed: int, stream: str, block: int, variance: float, size: int = BLOCK) -> Tensor:
    """Block `block` of circular complex noise CN(0, variance), complex64 [size].

    `variance` is the power of the complex sample; each real dimension has half of it.
    """
    return torch.from_numpy(complex_gaussian(seed, stream, block * size, size, variance))


class Blocks:
    """Slices of a stream that is computed in blocks, the last few of which are kept."""

    def __init__(self, compute: Callable[[int], Tensor], size: int = BLOCK, keep: int = 4) -> None:
        self._compute = compute
        self._size = size
        self._keep = keep
        self._kept: OrderedDict[int, Tensor] = OrderedDict()

    def block(self, index: int) -> Tensor:
        """Block `index`, [size]; not to be written to."""
        if index in self._kept:
            self._kept.move_to_end(index)
            return self._kept[index]
        made = self._compute(index)
        self._kept[index] = made
        if len(self._kept) > self._keep:
            self._kept.popitem(last=False)
        return made

    def slice(self, start: int, n: int) -> Tensor:
        """Samples [start, start + n) of the stream; negative indices are samples too."""
        first, last = start // self._size, (start + n - 1) // self._size
        parts = [self.block(index) for index in range(first, last + 1)]
        joined = parts[0] if len(parts) == 1 else torch.cat(parts)
        return joined[start - first * self._size :][:n]
