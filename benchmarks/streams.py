"""The streams that every modem is measured on, by the definitions of docs/benchmarks.md.

64 carriers, prefix 16, complex Gaussian payload, 3 preamble-type symbols + 20 data symbols (1,840 samples), random gaps of
200–1000 samples. SNR is Es/N0 of an active carrier; CFO ε is in carrier spacings.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from hil.channel.gaussian import complex_gaussian
from hil.channel.simulator import ChannelConfig, Simulator, Tap

__all__ = [
    "CP", "DATA_SYMBOLS", "FFT", "FRAME", "MP", "SYMBOL", "Stream", "cpu_time", "evm_db", "impaired", "matched", "noise",
    "payload", "stream",
]  # fmt: skip

FFT, CP = 64, 16
SYMBOL = FFT + CP
DATA_SYMBOLS = 20
FRAME = (3 + DATA_SYMBOLS) * SYMBOL
DETECTED = 16
"""Samples within which a start counts as detected."""

Complex = NDArray[np.complex64]


def _multipath() -> tuple[Tap, ...]:
    gains = np.array([1, 0.5 * np.exp(1j), 0.25 * np.exp(2.5j), 0.1 * np.exp(-1.2j)])
    gains /= np.sqrt((np.abs(gains) ** 2).sum())
    return tuple(
        Tap(delay=delay, gain_db=20 * math.log10(abs(gain)), phase_deg=math.degrees(np.angle(gain)))
        for delay, gain in zip((0, 2, 5, 9), gains, strict=True)
    )


MP = _multipath()
"""The multipath of the definitions, unit power."""


@dataclass(frozen=True, kw_only=True)
class Stream:
    """Samples [n] and the first sample of each frame's preamble [frame]."""

    samples: Complex
    starts: NDArray[np.int64]


def payload(frames: int, carriers: int, seed: int = 1) -> Complex:
    """Complex Gaussian payload of unit power, [frame, symbol, carrier]."""
    flat = complex_gaussian(seed, "payload", 0, frames * DATA_SYMBOLS * carriers)
    return flat.reshape(frames, DATA_SYMBOLS, carriers)


def stream(waveforms: Complex, seed: int = 1) -> Stream:
    """Frames [frame, sample] with random gaps of 200–1000 samples before each, and 1000 after the last."""
    gaps = np.random.default_rng(seed).integers(200, 1001, len(waveforms))
    length = waveforms.shape[1]
    starts = np.cumsum(gaps + length) - length
    samples = np.zeros(int(starts[-1]) + length + 1000, dtype=np.complex64)
    for start, waveform in zip(starts, waveforms, strict=True):
        samples[start : start + length] = waveform
    return Stream(samples=samples, starts=starts.astype(np.int64))


def impaired(
    clean: Complex,
    *,
    snr_db: float = math.inf,
    energy: float = 1.0,
    cfo: float = 0.2,
    mp: bool = False,
    delay: float = 0.0,
    sfo_ppm: float = 0.0,
    seed: int = 1,
) -> Complex:
    """The stream after the channel.

    Args:
        clean: samples [n].
        snr_db: Es/N0 of an active carrier; inf = no noise.
        energy: Es, mean power of an active carrier of the payload after a unitary FFT.
        cfo: ε, carrier spacings.
        mp: through the multipath of the definitions.
        delay: further delay, samples.
        sfo_ppm: sample clock offset.
        seed: of the noise.
    """
    config = ChannelConfig(
        sample_rate_hz=1.0,
        seed=seed,
        taps=MP if mp else (),
        delay=delay,
        sfo_ppm=sfo_ppm,
        cfo_hz=cfo / FFT,
        noise_power=0.0 if math.isinf(snr_db) else energy * 10 ** (-snr_db / 10),
    )
    return np.asarray(Simulator(config).apply(torch.from_numpy(clean)).numpy())


def noise(n: int, power: float = 1.0, seed: int = 1) -> Complex:
    """Noise only, complex64 [n]."""
    return complex_gaussian(seed, "noise only", 0, n, power)


def matched(found: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each frame the index of a detection within ±16 samples, else −1: int64 [frame]."""
    out = np.full(len(starts), -1, dtype=np.int64)
    if len(found):
        order = np.argsort(found, kind="stable")
        at = np.searchsorted(found[order], starts)
        for step in (-1, 0):
            index = np.clip(at + step, 0, len(found) - 1)
            near = np.abs(found[order][index] - starts) <= DETECTED
            out[near] = order[index[near]]
    return out


def evm_db(received: Complex, sent: Complex) -> float:
    """Median over frames of error power over reference power in dB; no scale or phase is fitted. [frame, …] each."""
    if not len(received):
        return math.nan
    axes = tuple(range(1, received.ndim))
    error = (np.abs(received - sent) ** 2).sum(axis=axes, dtype=np.float64)
    reference = (np.abs(sent) ** 2).sum(axis=axes, dtype=np.float64)
    return 10 * math.log10(max(float(np.median(error / reference)), 1e-30))


def cpu_time(run: Callable[[], object], rounds: int = 5) -> float:
    """Median process CPU time of one call in s, after one to warm up."""
    run()
    times = []
    for _ in range(rounds):
        begin = time.process_time()
        run()
        times.append(time.process_time() - begin)
    return float(np.median(times))
