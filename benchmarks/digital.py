"""`scripts/bench digital`: the LDPC decoder against commpy and ldpc on the same ratios, its error rates, and the encoder."""

from __future__ import annotations

import importlib.util
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from commpy import LDPCCode, MQAMModulator
from numpy.typing import NDArray

from benchmarks.rows import Row, row
from hil.models.separate.ldpc import ITERATIONS, NORMALISATION, Ldpc, ldpc_code
from hil.models.separate.matched import MatchedCode, matched_code
from hil.models.separate.mcs import LTE_CQI
from hil.models.separate.packet import packet_for_uses
from hil.models.separate.qam import llrs, modulate

__all__ = ["rows"]

_KNOWN = {9.8: 0.82, 10.0: 0.55, 10.2: 0.26, 10.4: 0.083, 10.6: 0.015, 10.8: 0.0, 11.0: 0.0}
"""Frame error rates of 600 codewords each, 16-QAM, flooding or layered not said (facts/image-systems.md)."""
_KNOWN_WORDS = 600
_SPEED_DB = 10.4
_TARGET_PER_S = 1500.0


def _noisy(code: Ldpc, es_n0_db: float, words: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Codewords over 16-QAM in white noise: bits, and their max-log ratios."""
    rng, modem = np.random.default_rng(round(10 * es_n0_db)), MQAMModulator(16)
    sent = code.encode(rng.integers(0, 2, (words, code.k), np.uint8))
    symbols, noise_var = modem.modulate(sent.ravel()), 10 ** (-es_n0_db / 10)
    noise = rng.normal(size=(2, symbols.size)) * math.sqrt(noise_var / 2)
    return sent, modem.soft_demodulate(symbols + noise[0] + 1j * noise[1], noise_var).reshape(words, -1).astype(np.float32)


def _timed(call: Callable[[], Any]) -> tuple[Any, float]:
    start = time.process_time()
    found = call()
    return found, time.process_time() - start


def _error_rows(code: Ldpc, words: int) -> list[Row]:
    """Error rates beside the known ones: met up to 1.96 standard deviations of the difference above; `same`: below, too."""
    out = []
    for es_n0_db, known in _KNOWN.items():
        sent, llr = _noisy(code, es_n0_db, words)
        rate = float((code.decode(llr).bits != sent).any(1).mean())
        pooled = (rate * words + known * _KNOWN_WORDS) / (words + _KNOWN_WORDS)
        spread = 1.96 * math.sqrt(max(pooled * (1 - pooled), 1e-4) * (1 / words + 1 / _KNOWN_WORDS))
        out.append(
            row(
                f"LDPC (1944,1458), 16-QAM, frame errors at {es_n0_db:g} dB ({words} words)", rate, "share", better="lower",
                target=known + spread, peer="known (600 words)", peer_value=known, same=abs(rate - known) <= spread,
            )
        )  # fmt: skip
    return out


def _word_errors(code: MatchedCode, bits: int, es_n0_db: float, words: int) -> float:
    """Share of tasks whose information does not come back, in white noise."""
    rng, noise_var = np.random.default_rng(code.sent), 10 ** (-es_n0_db / 10)
    information = rng.integers(0, 2, (words, code.information), np.uint8)
    symbols = modulate(code.encode(information), bits)
    noise = rng.normal(size=(2, *symbols.shape)) * math.sqrt(noise_var / 2)
    heard = (symbols + noise[0] + 1j * noise[1]).astype(np.complex64)
    found, _ = code.decode(llrs(heard, np.full(heard.shape, noise_var, np.float32), bits).clip(-1e4, 1e4))
    return float((found != information).any(1).mean())


def _matched_rows(words: int) -> list[Row]:
    """LTE's rows at the thresholds that `hil.models.separate.mcs` states, and the short codes of retrieval features."""
    out = []
    most = 0.01 + 1.96 * math.sqrt(0.01 * (1 / words + 1 / 1000))
    for index, one in LTE_CQI.items():
        wrong = _word_errors(packet_for_uses(one, 512).matched, one.bits, one.threshold_db, words)
        title = f"LTE CQI {index} ({one.name}) by 802.11n's codes, 512 uses: lost at {one.threshold_db:g} dB ({words} words)"
        out.append(row(title, wrong, "share", better="lower", target=most, usual_db=one.usual_db))
    for information, sent, dbs in ((112, 256, (5.0, 6.0, 7.0, 8.0)), (91, 128, (9.0, 10.0, 11.0, 12.0))):
        for es_n0_db in dbs:
            wrong = _word_errors(matched_code(information, sent), 4, es_n0_db, words)
            out.append(row(f"{information} bits in {sent} of 16-QAM: lost at {es_n0_db:g} dB ({words} words)", wrong, "share"))
    return out


def _peers(code: Ldpc, llr: NDArray[np.float32], sent: NDArray[np.uint8]) -> dict[str, tuple[float, float]]:
    """Codewords a second and error rate of other decoders on the same ratios, by name."""
    found = {}
    other = LDPCCode.from_base_graph(code.base, code.lifting)
    made, seconds = _timed(
        lambda: np.array([other.decode(one.astype(float), max_iter=ITERATIONS, method="min-sum")[1] for one in llr])
    )
    found["commpy min-sum"] = (len(llr) / seconds, float((made != sent).any(1).mean()))
    if importlib.util.find_spec("ldpc") is not None:
        found["ldpc min-sum"] = _ldpc_package(code, llr, sent)
    return found


def _ldpc_package(code: Ldpc, llr: NDArray[np.float32], sent: NDArray[np.uint8]) -> tuple[float, float]:
    """Soft input by the syndrome of the hard decisions and the chance of each to be wrong."""
    from ldpc import BpDecoder
    from scipy.sparse import csr_matrix

    unit = np.eye(code.n, dtype=np.uint8)
    checks = csr_matrix(code.parity(unit).T)
    decoder = BpDecoder(
        checks,
        error_rate=0.05,
        max_iter=ITERATIONS,
        bp_method="minimum_sum",
        ms_scaling_factor=NORMALISATION,
        schedule="serial",
    )

    def all_of_them() -> NDArray[np.uint8]:
        out = []
        for one in llr:
            hard = (one < 0).astype(np.uint8)
            decoder.update_channel_probs(1 / (1 + np.exp(np.minimum(np.abs(one), 30.0))))
            out.append(hard ^ decoder.decode(code.parity(hard[None])[0]))
        return np.array(out)

    made, seconds = _timed(all_of_them)
    return len(llr) / seconds, float((made != sent).any(1).mean())


def rows(quick: bool) -> tuple[list[Row], dict[str, Any]]:
    """All rows, and the peers' figures."""
    code = ldpc_code(81, "3/4")
    words = 400 if quick else 2000
    sent, llr = _noisy(code, _SPEED_DB, words)
    code.decode(llr[:2])
    made, seconds = _timed(lambda: code.decode(llr))
    few = 20 if quick else 100
    peers = _peers(code, llr[:few], sent[:few])
    out = []
    for name, (speed, wrong) in peers.items():
        title = f"LDPC decoder at {_SPEED_DB} dB, {ITERATIONS} iterations at most, beside {name}"
        out.append(row(title, words / seconds, "codewords/s", target=max(_TARGET_PER_S, speed), peer=name, peer_value=speed))
        out.append(row(f"{name}: frame errors at {_SPEED_DB} dB", wrong, "share", better="lower", peer=name))
    _, plain = _timed(lambda: code.decode(llr[:100], fast=False))
    out.append(row(f"LDPC decoder without numba at {_SPEED_DB} dB", min(100, words) / plain, "codewords/s"))
    out.append(row(f"LDPC iterations at {_SPEED_DB} dB, mean", float(made.iterations.mean()), "iterations", better="lower"))
    information = sent[:, : code.k].copy()
    _, encoding = _timed(lambda: code.encode(information))
    out.append(row("LDPC encoder", words / encoding, "codewords/s"))
    return [*out, *_error_rows(code, words), *_matched_rows(200 if quick else 1000)], {
        name: list(values) for name, values in peers.items()
    }
