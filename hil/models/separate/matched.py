"""An LDPC code of 802.11n brought to any number of bits in and out: shortened, punctured, or repeated.

Information bits that are left over are known to be zero and not sent (the last ones of each codeword). Where more coded bits
are left than may be sent, the last parity bits of each codeword are dropped; where fewer, they are sent again from the first
one on.

Source: IEEE Std 802.11n-2009, Sec. 20.3.11.6.5 (LDPC PPDU encoding process: shortening, puncturing, repetition).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hil.errors import ConfigError
from hil.models.separate.ldpc import Ldpc, ldpc_code
from hil.models.separate.wifi import LIFTINGS, RATES

__all__ = ["SEED", "MatchedCode", "matched_code"]

SHORTENED_LLR = 1e4
SEED = 802_11
PUNCTURED_COSTS = 4
"""Times what a repeated bit does: of the codes for 128…3072 coded bits that were tried, mostly the best is taken then."""
MOST_PUNCTURED = 0.7
"""Of the parity bits."""


@dataclass(frozen=True, kw_only=True)
class MatchedCode:
    """The code of one task.

    Attributes:
        lifting, rate: of the LDPC code.
        codewords: of a task.
        information: bits that go in, at most `codewords` times k.
        sent: coded bits that come out.
        interleaved: they are spread over all that is sent.
    """

    lifting: int
    rate: str
    codewords: int
    information: int
    sent: int
    interleaved: bool = True

    @property
    def code(self) -> Ldpc:
        """The LDPC code."""
        return ldpc_code(self.lifting, self.rate)

    @property
    def shortened(self) -> int:
        """Information bits that are not sent."""
        return self.codewords * self.code.k - self.information

    @property
    def punctured(self) -> int:
        """Parity bits that are not sent."""
        return max(0, self.codewords * self.code.n - self.shortened - self.sent)

    @property
    def repeated(self) -> int:
        """Coded bits that are sent once more."""
        return max(0, self.sent - self.codewords * self.code.n + self.shortened)

    @property
    def effort(self) -> float:
        """What matching changes, a bit sent."""
        return (PUNCTURED_COSTS * self.punctured + self.repeated) / self.sent

    @property
    def order(self) -> NDArray[np.int64]:
        """Place of each bit that is sent among those of all codewords, in the order of the air, int64 [sent]."""
        return _order(self)

    def encode(self, information: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Information uint8 [task, information] of 0 and 1 to coded bits uint8 [task, sent]."""
        dealt = np.zeros((len(information), self.codewords * self.code.k), np.uint8)
        dealt[:, _kept(self)] = information
        words = self.code.encode(dealt.reshape(-1, self.code.k)).reshape(len(information), -1)
        return words[:, self.order]

    def decode(self, llr: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Log-likelihood ratios to information.

        Args:
            llr: float32 [task, sent], positive for 0; finite.

        Returns:
            uint8 [task, information], and int64 [task]: how many codewords of each have checks that do not hold.
        """
        whole = np.zeros((len(llr), self.codewords * self.code.n), np.float32)
        whole[:, _short(self)] = SHORTENED_LLR
        for first in _first_times(self):  # each place once in each part
            whole[:, self.order[first]] += llr[:, first]
        made = self.code.decode(whole.reshape(-1, self.code.n), shortened=self.shortened // self.codewords)
        words = made.bits.reshape(len(llr), self.codewords, self.code.n)[:, :, : self.code.k]
        failed = self.codewords - made.valid.reshape(len(llr), -1).sum(1)
        return words.reshape(len(llr), -1)[:, _kept(self)], failed


def _shares(total: int, codewords: int) -> NDArray[np.int64]:
    """So many bits dealt out to codewords alike, the first ones get one more."""
    return total // codewords + (np.arange(codewords) < total % codewords)


@functools.cache
def _kept(code: MatchedCode) -> NDArray[np.int64]:
    """Places of the information bits that are not shortened, among those of all codewords."""
    k = code.code.k
    short = _shares(code.shortened, code.codewords)
    return np.concatenate([word * k + np.arange(k - less) for word, less in enumerate(short)])


@functools.cache
def _short(code: MatchedCode) -> NDArray[np.int64]:
    """Places of the shortened bits among the coded bits of all codewords."""
    k, n = code.code.k, code.code.n
    short = _shares(code.shortened, code.codewords)
    return np.concatenate([word * n + np.arange(k - less, k) for word, less in enumerate(short)])


@functools.cache
def _order(code: MatchedCode) -> NDArray[np.int64]:
    k, n = code.code.k, code.code.n
    word, place = np.divmod(_kept(code), k)
    dropped = _shares(code.punctured, code.codewords)
    parity = [own * n + np.arange(k, n - less) for own, less in enumerate(dropped)]
    places = np.sort(np.concatenate([word * n + place, *parity]))
    places = np.resize(places, code.sent)
    return np.random.Generator(np.random.PCG64(SEED)).permutation(places) if code.interleaved else places


@functools.cache
def _first_times(code: MatchedCode) -> tuple[NDArray[np.int64], ...]:
    """Which of the bits that are sent say a place for the first time, for the second time, …."""
    order = _order(code)
    by_place = np.argsort(order, kind="stable")
    begins = np.searchsorted(order[by_place], order[by_place])
    turn = np.empty(len(order), np.int64)
    turn[by_place] = np.arange(len(order)) - begins
    return tuple(np.flatnonzero(turn == one) for one in range(int(turn.max()) + 1))


def matched_code(information: int, sent: int, *, interleaved: bool = True) -> MatchedCode:
    """The code that needs least matching: fewest bits repeated, and punctured, which cost more; of equal ones the longest.

    Raises:
        ConfigError: there is no code for so many bits.
    """
    found = []
    for lifting in reversed(LIFTINGS):
        for rate in RATES:
            words = max(1, -(-information // ldpc_code(lifting, rate).k))
            code = MatchedCode(
                lifting=lifting, rate=rate, codewords=words, information=information, sent=sent, interleaved=interleaved
            )
            if code.punctured <= MOST_PUNCTURED * words * (code.code.n - code.code.k):
                found.append(code)
    if information < 1 or information >= sent or not found:
        raise ConfigError(
            f"information must be 1 bit or more and, with its parity, fit into {sent} coded bits, not have {information} bits"
        )
    return min(found, key=lambda code: code.effort)
