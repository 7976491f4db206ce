"""`scripts/bench thresholds`: the waterfalls and thresholds that `hil.models.separate.thresholds` states, measured anew.

Whole codewords of 802.11n's codes by length, packets of LTE's rates by uses, and packets of many codewords at what follows for
them: all in white noise, with our decoder.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.rows import Row, row
from hil.errors import ConfigError
from hil.models.separate.matched import MatchedCode
from hil.models.separate.mcs import LTE_CQI, MCS, Mcs
from hil.models.separate.packet import Packet, packet_for_uses
from hil.models.separate.qam import llrs, modulate
from hil.models.separate.thresholds import LONG, LOST, LTE_USES, WATERFALLS, codeword_db
from hil.models.separate.wifi import COLUMNS, LIFTINGS

__all__ = ["lost", "packet_db", "rows", "waterfall"]

_BATCH_BITS = 4_000_000
_STEPS_DB = {27: 0.3, 54: 0.2, 81: 0.2}
_TOLERANCE_DB = 0.15
_LARGE_USES = 98_304


def lost(code: MatchedCode, bits: int, es_n0_db: float, tasks: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which of so many tasks do not come back from white noise, bool [task]."""
    noise_var = 10 ** (-es_n0_db / 10)
    information = rng.integers(0, 2, (tasks, code.information), np.uint8)
    sent = code.encode(information)
    fill = np.zeros((tasks, -sent.shape[1] % bits), np.uint8)
    symbols = modulate(np.concatenate([sent, fill], axis=1), bits)
    noise = rng.standard_normal((2, *symbols.shape), np.float32) * np.float32(math.sqrt(noise_var / 2))
    heard = (symbols + noise[0] + 1j * noise[1]).astype(np.complex64)
    ratios = llrs(heard, np.full(heard.shape, noise_var, np.float32), bits)[:, : code.sent]
    found, _ = code.decode(ratios.clip(-1e4, 1e4))
    return np.asarray((found != information).any(1))


def _errors(code: MatchedCode, bits: int, es_n0_db: float, tasks: int, most: int) -> tuple[int, int]:
    """How many tasks were lost, of how many: no more are tried once more than `most` are."""
    rng, errors, tried = np.random.default_rng([code.sent, round(100 * es_n0_db) + 10_000]), 0, 0
    while tried < tasks and errors <= most:
        batch = min(tasks - tried, max(10, _BATCH_BITS // code.sent))
        errors, tried = errors + int(lost(code, bits, es_n0_db, batch, rng).sum()), tried + batch
    return errors, tried


def waterfall(mcs: Mcs, lifting: int, words: int) -> tuple[float, float]:
    """Middle and width in dB of a whole codeword's waterfall: a line through the normal quantiles of its error rates."""
    n = COLUMNS * lifting
    code = MatchedCode(lifting=lifting, rate=mcs.rate, codewords=1, information=int(n * mcs.share), sent=n)
    at = round(WATERFALLS[mcs.bits, mcs.rate][n][0], 1)
    dbs: list[float] = []
    quantiles: list[float] = []
    while not quantiles or quantiles[-1] < -NormalDist().inv_cdf(1.5 * LOST):
        errors, tried = _errors(code, mcs.bits, at, words, words)
        dbs.append(at)
        quantiles.append(-NormalDist().inv_cdf(min(max(errors, 0.5), tried - 0.5) / tried))
        at = round(at + _STEPS_DB[lifting], 2)
    slope, offset = np.polyfit(dbs, quantiles, 1)
    return float(-offset / slope), float(1 / slope)


def packet_db(packet: Packet, packets: int) -> float:
    """The least Es/N0, in tenths of dB about what is stated, at which at most 1 % of packets are lost."""

    def good(tenths: int) -> bool:
        return _errors(packet.matched, packet.mcs.bits, tenths / 10, packets, packets // 100)[0] <= packets // 100

    low = round(10 * packet.threshold_db)
    while not good(low):
        low += 1
    while good(low - 1):
        low -= 1
    return low / 10


def _beside(title: str, found: float, stated: float) -> Row:
    return row(title, found, "dB", better="lower", target=stated + _TOLERANCE_DB, stated_db=round(stated, 2))


def rows(quick: bool) -> tuple[list[Row], dict[str, Any]]:
    """All rows; no peers."""
    out = []
    for mcs in list(MCS.values())[: 1 if quick else None]:
        for lifting in LIFTINGS:
            n, (middle, width) = COLUMNS * lifting, waterfall(mcs, lifting, 200 if quick else 1000)
            title = f"{mcs.name}, n = {n}: Es/N0 where 1 % of codewords fail"
            out.append(_beside(title, middle - width * NormalDist().inv_cdf(LOST), codeword_db(mcs, n, LOST)))
            out.append(row(f"{mcs.name}, n = {n}: width of the waterfall", width, "dB", better="lower"))
    for uses in LTE_USES[: 1 if quick else None]:
        for index, mcs in LTE_CQI.items():
            try:
                packet = packet_for_uses(mcs, uses)
            except ConfigError:  # no room for a byte
                continue
            found = packet_db(packet, 100 if quick else 1000)
            out.append(
                _beside(f"LTE CQI {index}, {uses} uses: Es/N0 where 1 % of packets are lost", found, packet.threshold_db)
            )
    for mcs in [] if quick else [*MCS.values(), LTE_CQI[4], LTE_CQI[9], LTE_CQI[15]]:
        out.append(_large(packet_for_uses(mcs, _LARGE_USES), 300))
    return out, {"bits of the table's codewords": LONG}


def _large(packet: Packet, packets: int) -> Row:
    errors, tried = _errors(packet.matched, packet.mcs.bits, packet.threshold_db, packets, packets)
    title = f"{packet.mcs.name}, {packet.uses} uses, {packet.matched.codewords} codewords: lost at {packet.threshold_db:.2f} dB"
    return row(f"{title} ({tried} packets)", errors / tried, "share", better="lower", target=0.02)
