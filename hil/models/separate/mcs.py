"""Modulation and coding schemes by the index that IEEE 802.11n gives them, and from which SNR each is worth it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["MCS", "Mcs", "best_mcs"]


@dataclass(frozen=True, kw_only=True)
class Mcs:
    """One of them.

    Attributes:
        name: in words.
        bits: coded bits a use.
        rate: of the code.
        threshold_db: Es/N0 in AWGN from which at most 1 % of codewords (1944 bits) fail.
    """

    name: str
    bits: int
    rate: str
    threshold_db: float


MCS: Mapping[int, Mcs] = {
    1: Mcs(name="QPSK 1/2", bits=2, rate="1/2", threshold_db=1.8),
    2: Mcs(name="QPSK 3/4", bits=2, rate="3/4", threshold_db=4.6),
    3: Mcs(name="16-QAM 1/2", bits=4, rate="1/2", threshold_db=7.0),
    4: Mcs(name="16-QAM 3/4", bits=4, rate="3/4", threshold_db=10.8),
    5: Mcs(name="64-QAM 2/3", bits=6, rate="2/3", threshold_db=14.4),
    6: Mcs(name="64-QAM 3/4", bits=6, rate="3/4", threshold_db=15.9),
    7: Mcs(name="64-QAM 5/6", bits=6, rate="5/6", threshold_db=17.7),
}
"""Source: IEEE Std 802.11n-2009, Table 20-29 (MCS 1…7, one stream). Thresholds: measured with the decoder of
`hil.models.separate.ldpc` (``scripts/bench digital``)."""


def best_mcs(snr_db: float) -> int:
    """Index of the fastest that an SNR carries; the slowest where none is carried."""
    return max((index for index, one in MCS.items() if one.threshold_db <= snr_db), default=min(MCS))
