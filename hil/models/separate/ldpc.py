"""The LDPC codes of IEEE 802.11n: encoder in the standard's order, decoder by layered normalised min-sum.

A block of shift s is the identity with its columns moved cyclically s places to the right: row r has its one in column
(r + s) mod Z. A codeword is information, then parity, as it was given.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hil.compiled import kernel
from hil.errors import ConfigError, DriverMissingError, ShapeError
from hil.models.separate import ldpc_plain
from hil.models.separate.wifi import COLUMNS, LIFTINGS, RATES, base_matrix

__all__ = ["ITERATIONS", "NORMALISATION", "Decoded", "Ldpc", "ldpc_code"]

ITERATIONS = 50
NORMALISATION = 0.75


class Decoded(NamedTuple):
    """What the decoder made of codewords.

    Attributes:
        bits: uint8 [codeword, n], hard decisions after the last iteration.
        valid: bool [codeword], all checks hold.
        iterations: int64 [codeword] that were made.
    """

    bits: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    iterations: NDArray[np.int64]


class Ldpc:
    """One code.

    Args:
        lifting: size of a block, 27, 54 or 81.
        rate: ``1/2``, ``2/3``, ``3/4`` or ``5/6``.

    Attributes:
        n, k: bits of a codeword, and of information in it.
        base: int64 [block row, block column], shifts; −1 for a block of zeros.
    """

    def __init__(self, lifting: int, rate: str) -> None:
        if lifting not in LIFTINGS or rate not in RATES:
            raise ConfigError(
                f"LDPC codes of 802.11n have blocks of {', '.join(map(str, LIFTINGS))} and rates {', '.join(RATES)}, "
                f"not {lifting} and {rate}"
            )
        self.base, self.lifting, self.rate = base_matrix(lifting, rate), lifting, rate
        self.n = COLUMNS * lifting
        self.k = self.n - len(self.base) * lifting

    def parity(self, words: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """H·c mod 2 of codewords uint8 [codeword, n], uint8 [codeword, n − k]: 0 throughout for a codeword."""
        return self._products(words, len(words[0]) // self.lifting).reshape(len(words), -1)

    def _products(self, words: NDArray[np.uint8], blocks: int) -> NDArray[np.uint8]:
        """The sums over the first block columns by block row, uint8 [codeword, block row, Z]."""
        parts = words.reshape(len(words), blocks, self.lifting)
        sums = np.zeros((len(words), len(self.base), self.lifting), np.uint8)
        for row, entries in enumerate(self.base):
            for column in np.flatnonzero(entries[:blocks] >= 0):
                sums[:, row] ^= np.roll(parts[:, column], -entries[column], axis=1)
        return sums

    def encode(self, information: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Information uint8 [codeword, k] of 0 and 1 to codewords uint8 [codeword, n], information first.

        The parity part has two diagonals and one column of three blocks, of which two are alike: the sum of all block rows
        leaves that column's parity alone, and the others follow one after the other.

        Raises:
            ShapeError: another number of bits.
        """
        if information.ndim != 2 or information.shape[1] != self.k:
            raise ShapeError(f"information must be uint8 [codeword, {self.k}], not {list(information.shape)}")
        sums = self._products(information, self.k // self.lifting)
        first = self.base[:, self.k // self.lifting]
        parity = np.zeros_like(sums)
        parity[:, 0] = np.bitwise_xor.reduce(sums, axis=1)
        before = np.zeros_like(parity[:, 0])
        for row in range(len(self.base) - 1):
            own = np.roll(parity[:, 0], -first[row], axis=1) if first[row] >= 0 else 0
            before = sums[:, row] ^ own ^ before
            parity[:, row + 1] = before
        return np.concatenate([information, parity.reshape(len(information), -1)], axis=1)

    def decode(
        self, llr: NDArray[np.float32], *, shortened: int = 0, iterations: int = ITERATIONS, fast: bool | None = None
    ) -> Decoded:
        """The codewords that log-likelihood ratios speak for.

        Layers are block rows; a codeword is left as soon as all of its checks hold, so its bits do not hang on the others.
        Blocks of shortened bits alone are left out of all checks: they change no sign, and are never the smallest in magnitude.

        Args:
            llr: float32 [codeword, n], positive for 0; finite.
            shortened: how many of the last information bits are known to be 0 in all codewords, as their ratios say.
            iterations: at most.
            fast: True asks for numba, False for plain numpy, None takes numba if it is there.

        Raises:
            ShapeError: another number of bits.
        Source: Hocevar, A reduced complexity decoder architecture via layered decoding of LDPC codes, SiPS 2004; Chen and
        Fossorier, Near optimum universal belief propagation based decoding of LDPC codes, IEEE Trans. Commun. 50(3), 2002.
        """
        if llr.ndim != 2 or llr.shape[1] != self.n:
            raise ShapeError(f"llr must be float32 [codeword, {self.n}], not {list(llr.shape)}")
        posterior = np.array(llr, np.float32, order="C")
        starts, columns, shifts = self._edges(shortened)
        made = _kernel(fast).decode(posterior, starts, columns, shifts, self.lifting, iterations, np.float32(NORMALISATION))
        return Decoded((posterior < 0).astype(np.uint8), made >= 0, np.where(made >= 0, made, iterations))

    def _edges(self, shortened: int) -> tuple[NDArray[np.int64], ...]:
        """Where each block row's edges begin, and their block columns and shifts, without blocks that are wholly shortened."""
        end = self.k // self.lifting
        known = np.isin(np.arange(COLUMNS), np.arange(end - shortened // self.lifting, end))
        rows, columns = np.nonzero((self.base >= 0) & ~known)
        return np.searchsorted(rows, np.arange(len(self.base) + 1)), columns, self.base[rows, columns]


@functools.cache
def ldpc_code(lifting: int, rate: str) -> Ldpc:
    """The code, made once: see `Ldpc`."""
    return Ldpc(lifting, rate)


def _kernel(fast: bool | None) -> Any:
    compiled = None if fast is False else kernel("hil.models.separate.ldpc_numba")
    if fast and compiled is None:
        raise DriverMissingError("the compiled decoder needs numba, which is missing or does not work: pip install 'hil[fast]'")
    return compiled or ldpc_plain
