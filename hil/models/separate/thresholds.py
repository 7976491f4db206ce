"""From which SNR a packet is worth sending: at most 1 % of packets, not of codewords, are lost in white noise.

Codewords of an LDPC code fail as Q((Es/N0 in dB − middle) / width) down to 1 %: a Gaussian waterfall, whose middle and width
depend on the code's length. Below, real tails are heavier: the rate's logarithm goes on as straight as it is at 1 %. A packet
is lost if one of its codewords is, so one of many needs more than one of one.

Source: Amraoui, Montanari, Richardson, Urbanke, Finite-length scaling for iteratively decoded LDPC ensembles, IEEE Trans. Inf.
Theory 55(2), 2009; numbers: measured with the decoder of `hil.models.separate.ldpc` (``scripts/bench thresholds``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from statistics import NormalDist

import numpy as np

from hil.models.separate.matched import MatchedCode
from hil.models.separate.mcs import Mcs
from hil.models.separate.wifi import RATES

__all__ = ["LONG", "LOST", "LTE_LONG", "LTE_MORE_DB", "LTE_USES", "WATERFALLS", "codeword_db", "threshold_db"]

LOST = 0.01
"""Share of packets that may be."""
LONG = 1944
"""Bits of the codewords that the thresholds of `hil.models.separate.mcs.MCS` are of."""

WATERFALLS: Mapping[tuple[int, str], Mapping[int, tuple[float, float]]] = {
    (2, "1/2"): {1944: (0.88, 0.31), 1296: (0.93, 0.32), 648: (0.99, 0.42)},
    (2, "3/4"): {1944: (3.94, 0.22), 1296: (3.94, 0.28), 648: (4.0, 0.4)},
    (4, "1/2"): {1944: (6.15, 0.31), 1296: (6.21, 0.39), 648: (6.17, 0.57)},
    (4, "3/4"): {1944: (9.98, 0.27), 1296: (10.0, 0.32), 648: (10.02, 0.45)},
    (6, "2/3"): {1944: (13.63, 0.33), 1296: (13.67, 0.38), 648: (13.76, 0.52)},
    (6, "3/4"): {1944: (15.22, 0.31), 1296: (15.21, 0.4), 648: (15.31, 0.52)},
    (6, "5/6"): {1944: (16.86, 0.32), 1296: (16.9, 0.36), 648: (16.96, 0.47)},
}
"""Middle and width in dB by bits a use and rate, and by the code's length."""

RATE_GAINS_DB = {2: 6.0, 4: 7.5, 6: 9.5}
"""Es/N0 that shortening gains a rate lower by 1, by bits a use: half of what the middles of neighbouring rates above are apart,
as a shortened code is no code of its rate (the whole was tried: 5 % of packets were lost)."""

LTE_USES = (64, 128, 512)
LTE_MORE_DB: Mapping[str, tuple[float, ...]] = {
    "78/1024": (1.6, 0.9, 0.0),
    "120/1024": (1.6, 0.9, 0.0),
    "193/1024": (1.6, 0.9, 0.0),
    "308/1024": (1.6, 0.7, 0.0),
    "449/1024": (1.6, 0.9, 0.0),
    "602/1024": (2.0, 0.9, 0.0),
    "378/1024": (0.5, 0.1, 0.0),
    "490/1024": (0.5, 0.0, 0.0),
    "616/1024": (0.8, 0.9, 0.0),
    "466/1024": (-0.1, -0.4, 0.0),
    "567/1024": (0.9, 0.2, 0.0),
    "666/1024": (0.6, 0.2, 0.0),
    "772/1024": (0.4, -0.1, 0.0),
    "873/1024": (0.1, -0.3, 0.0),
    "948/1024": (0.1, 0.0, 0.0),
}
"""What packets of LTE's rates need more than at 512 uses, in dB at `LTE_USES`, by rate. Where one has no room for a byte it
has a neighbour's: 78 to 308 at 64 uses, 78 to 193 at 128, 948 at both."""
LTE_LONG: Mapping[str, tuple[float, float]] = {
    "78/1024": (-7.31, 0.37),
    "120/1024": (-5.38, 0.34),
    "193/1024": (-3.27, 0.44),
    "308/1024": (-1.0, 0.48),
    "449/1024": (0.43, 0.44),
    "602/1024": (2.52, 0.29),
    "378/1024": (4.9, 0.52),
    "490/1024": (5.96, 0.37),
    "616/1024": (8.41, 0.26),
    "466/1024": (10.03, 0.38),
    "567/1024": (12.08, 0.48),
    "666/1024": (13.57, 0.3),
    "772/1024": (15.88, 0.48),
    "873/1024": (18.18, 0.48),
    "948/1024": (19.24, 0.55),
}
"""Middle and width in dB of a codeword's waterfall where LTE's rates have many uses (of the code at 98,304), by rate. 567,
772 and 873 were not measured: a width as of the worst but two, and 1 % at 0.2 dB above 512 uses', which one other exceeds."""


def codeword_db(mcs: Mcs, n: int, lost: float) -> float:
    """Es/N0 in dB at which such a share of whole codewords of n bits fails."""
    middle, width = WATERFALLS[mcs.bits, mcs.rate][n]
    return middle + width * _widths(lost)


def _widths(lost: float) -> float:
    """So many widths above its middle a waterfall is down at a rate."""
    normal = NormalDist()
    if lost >= LOST:
        return -normal.inv_cdf(lost)
    at = -normal.inv_cdf(LOST)
    return at + math.log(LOST / lost) * LOST / normal.pdf(at)


def threshold_db(mcs: Mcs, matched: MatchedCode, uses: int) -> float:
    """Es/N0 in dB, to a tenth, from which at most 1 % of packets are lost; of one codeword of 1944 bits it is the table's.

    Of a rate that 802.11n has: the table's, and what codewords of this length, so many, and so much shortened, need more; never
    less than the table's. Of LTE's: the table's, measured at 512 uses, and what fewer uses need more, interpolated in their
    logarithm (at fewer than 64: as at 64); of more uses, what so many codewords need, never less than the table's.
    """
    each = -math.expm1(math.log1p(-LOST) / matched.codewords)
    if mcs.rate not in RATES:
        return round(mcs.threshold_db + _lte_more_db(mcs, uses, each), 1)
    rate = Fraction(matched.information, matched.sent)
    gained = RATE_GAINS_DB[mcs.bits] * float(mcs.share - rate)
    more = codeword_db(mcs, matched.code.n, each) - gained - codeword_db(mcs, LONG, LOST)
    return round(mcs.threshold_db + max(0.0, more), 1)


def _lte_more_db(mcs: Mcs, uses: int, each: float) -> float:
    if uses <= LTE_USES[-1]:
        return float(np.interp(math.log2(uses), np.log2(LTE_USES), LTE_MORE_DB[mcs.rate]))
    middle, width = LTE_LONG[mcs.rate]
    return max(0.0, middle + width * _widths(each) - mcs.threshold_db)
