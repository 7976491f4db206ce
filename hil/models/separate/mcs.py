"""Modulation and coding schemes by the index that a standard gives them, and from which SNR each is worth it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

__all__ = ["LTE_CQI", "MCS", "TABLES", "Mcs", "best_mcs"]


@dataclass(frozen=True, kw_only=True)
class Mcs:
    """One of them.

    Attributes:
        name: in words.
        bits: coded bits a use.
        rate: of the code, as a fraction; where it is none of 802.11n's, one of its codes is matched to it.
        threshold_db: Es/N0 in AWGN from which at most 1 % of codewords of 1944 bits fail, or of packets of 512 uses, with our
            LDPC codes; of other packets: `hil.models.separate.thresholds`.
        usual_db: the same of an ideal code, at most 10 %, as it is usually simulated; None: not known.
    """

    name: str
    bits: int
    rate: str
    threshold_db: float
    usual_db: float | None = None

    @property
    def share(self) -> Fraction:
        """Information in coded bits."""
        return Fraction(self.rate)

    @property
    def ideal_db(self) -> float:
        """Es/N0 from which an ideal code carries it: the usual one, else ours."""
        return self.threshold_db if self.usual_db is None else self.usual_db


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
`hil.models.separate.ldpc` at 1944 bits (``scripts/bench digital``)."""

_QAM = {2: "QPSK", 4: "16-QAM", 6: "64-QAM"}
_CQI = (
    (2, 78, -6.94, -4.7), (2, 120, -5.15, -3.9), (2, 193, -3.18, -2.2), (2, 308, -1.25, -0.1), (2, 449, 0.76, 1.7),
    (2, 602, 2.7, 2.8), (4, 378, 4.69, 6.0), (4, 490, 6.53, 7.9), (4, 616, 8.57, 9.0), (6, 466, 10.37, 12.1),
    (6, 567, 12.29, 13.0), (6, 666, 14.17, 15.2), (6, 772, 15.89, 16.8), (6, 873, 17.81, 19.1), (6, 948, 19.83, 20.6),
)  # fmt: skip

LTE_CQI: Mapping[int, Mcs] = {
    index: Mcs(name=f"{_QAM[bits]} {rate}/1024", bits=bits, rate=f"{rate}/1024", threshold_db=ours, usual_db=usual)
    for index, (bits, rate, usual, ours) in enumerate(_CQI, start=1)
}
"""Source: 3GPP TS 36.213, Table 7.2.3-1 (4-bit CQI). The standard gives no thresholds: `usual_db` are the usual simulators' at
10 % of blocks; `threshold_db` were measured at 1 % of 1,000 words each with 802.11n's codes matched to 512 uses."""

TABLES: Mapping[str, Mapping[int, Mcs]] = {"wifi": MCS, "lte-cqi": LTE_CQI}
"""By name."""


def best_mcs(snr_db: float, thresholds_db: Mapping[int, float]) -> int:
    """Index of the fastest that an SNR carries; the slowest where none is carried.

    Args:
        snr_db: Es/N0.
        thresholds_db: from which each of them is carried, by index.
    """
    return max((index for index, least in thresholds_db.items() if least <= snr_db), default=min(thresholds_db))
