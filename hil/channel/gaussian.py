"""Circular Gaussian noise from a counter: sample n of a stream is a pure function of (seed, stream, n), on every machine.

Philox4x64-10 turns a counter into four 64-bit words, of which each makes one complex sample by the polar form
√(−2 ln u) e^{jθ}. Logarithm, sine and cosine are polynomials made of float32 additions, multiplications and a square root
only, which IEEE 754 rounds alike everywhere: the compiled kernel and the numpy code below give the same bits. u has 31 bits,
so the tail ends at 6.6 σ.

Source: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011; Box and Muller, 1958.
"""

from __future__ import annotations

import hashlib
import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hil.channel.fast import kernels
from hil.channel.polynomials import COS, LOG, SIN

__all__ = ["complex_gaussian", "real_gaussian", "stream_key", "words"]

_CHUNK = 16384  # arrays of a chunk stay in the second-level cache
_ORIGIN = 1 << 62  # counter of sample 0, so that samples before it have one too


@lru_cache(maxsize=256)
def stream_key(seed: int, stream: str) -> NDArray[np.uint64]:
    """Key (two words) and upper counter (two words) of a stream, uint64 [4]; different names give independent streams."""
    digest = hashlib.blake2b(f"{seed}/{stream}".encode(), digest_size=32, person=b"hil-gaussian").digest()
    return np.frombuffer(digest, dtype="<u8").astype(np.uint64)


def words(key: NDArray[np.uint64], start: int, n: int) -> NDArray[np.uint64]:
    """One 64-bit word for each of samples [start, start + n), uint64 [n]: words 0 … 3 of counter ⌊sample/4⌋."""
    first = start >> 2
    before = ((int(key[3]) << 128 | int(key[2]) << 64 | (_ORIGIN + first)) - 1) % (1 << 256)  # numpy counts up, then draws
    counter = np.array([before >> shift & 0xFFFFFFFFFFFFFFFF for shift in (0, 64, 128, 192)], dtype=np.uint64)
    raw = np.random.Philox(counter=counter, key=key[:2]).random_raw(start + n - 4 * first)
    return np.asarray(raw, dtype=np.uint64)[start - 4 * first :]


def _polynomial(coefficients: tuple[float, ...], x: NDArray[np.float32]) -> NDArray[np.float32]:
    total = np.full_like(x, np.float32(coefficients[-1]))
    for coefficient in coefficients[-2::-1]:
        total *= x
        total += np.float32(coefficient)
    return total


def _polar(word: NDArray[np.uint64], scale: np.float32, out: NDArray[np.float32]) -> None:
    """Words to complex samples, written to out float32 [n, 2]."""
    u = (word.astype(np.uint32) >> np.uint32(1)).view(np.int32).astype(np.float32)
    u += np.float32(0.5)
    bits = u.view(np.int32)
    exponent = bits - np.int32(0x3F3504F3)
    exponent >>= np.int32(23)
    bits -= exponent << np.int32(23)
    s = u
    s -= np.float32(1)
    log = _polynomial(LOG, s)
    log *= s
    exponent -= np.int32(31)
    log += exponent.astype(np.float32) * np.float32(math.log(2))
    log *= np.float32(-2)
    radius = np.sqrt(np.maximum(log, np.float32(0), out=log), out=log)
    radius *= scale
    angle = (word >> np.uint64(32)).astype(np.uint32).view(np.int32)
    t = (angle >> np.int32(2)).astype(np.float32)
    t *= np.float32(2.0**-29)
    square = t * t
    sine, cosine = _polynomial(SIN, square), _polynomial(COS, square)
    sine *= t
    sine *= radius
    cosine *= radius
    turned = cosine.view(np.int32)
    turned ^= (angle & np.int32(2)) << np.int32(30)
    swap = angle & np.int32(1)
    swap *= np.int32(-1)
    one, two = sine.view(np.int32), turned
    swap &= one ^ two
    out[:, 0] = (two ^ swap).view(np.float32)
    out[:, 1] = (one ^ swap).view(np.float32)


def _complex(key: NDArray[np.uint64], start: int, n: int, scale: np.float32) -> NDArray[np.complex64]:
    out = np.empty((n, 2), dtype=np.float32)
    for begin in range(0, n, _CHUNK):
        part = out[begin : begin + _CHUNK]
        _polar(words(key, start + begin, len(part)), scale, part)
    flat: NDArray[np.complex64] = out.view(np.complex64)[:, 0]
    return flat


def complex_gaussian(
    seed: int, stream: str, start: int, n: int, variance: float = 1.0, *, fast: bool | None = None
) -> NDArray[np.complex64]:
    """Samples [start, start + n) of circular noise CN(0, variance), complex64 [n].

    Args:
        seed: of the whole air.
        stream: any name.
        start: first sample, of either sign.
        n: how many.
        variance: power of the complex sample; each real dimension has half of it.
        fast: see `hil.channel.fast.kernels`; the result is the same.
    """
    key, scale = stream_key(seed, stream), np.float32(math.sqrt(variance / 2))
    compiled = kernels(fast)
    if compiled is None:
        return _complex(key, start, n, scale)
    out = np.empty(n, dtype=np.complex64)
    compiled.gaussian(key, start, scale, out.view(np.float32))
    return out


def real_gaussian(seed: int, stream: str, start: int, n: int, *, fast: bool | None = None) -> NDArray[np.float32]:
    """Values [start, start + n) of white noise N(0, 1), float32 [n]: the complex stream's real and imaginary parts in turn."""
    begin = start // 2
    pairs = complex_gaussian(seed, stream, begin, (start + n + 1) // 2 - begin, 2.0, fast=fast)
    return pairs.view(np.float32)[start - 2 * begin :][:n]
