"""Rows of the simulated air: speed of the composed channel, error of its resampler, speed of its noise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from benchmarks.rows import Row, row
from benchmarks.streams import FFT, MP, cpu_time
from hil.channel.fast import available
from hil.channel.gaussian import complex_gaussian
from hil.channel.simulator import ChannelConfig, Simulator

__all__ = ["rows"]

FULL = ChannelConfig(
    sample_rate_hz=1e6, delay=3.3, sfo_ppm=40, taps=MP, cfo_hz=0.2 / FFT * 1e6, phase_noise="locked", noise_power=0.01
)
"""Sample-clock offset, multipath, carrier offset, phase noise and noise."""


def _speed(config: ChannelConfig, fast: bool, n: int, rounds: int) -> float:
    samples = torch.from_numpy(complex_gaussian(1, "air", 0, n))
    simulator = Simulator(config, fast=fast)
    return n / cpu_time(lambda: simulator.apply(samples), rounds) / 1e6


def _resampler_db(fast: bool) -> float:
    """Worst error of ±0.40 and some lower frequencies under a delay and a clock offset, dB."""
    n, worst = 60_000, -math.inf
    for freq in (-0.40, -0.23, 0.11, 0.37, 0.40):
        for ppm in (40.0, -13.0, 0.0):
            sent = np.exp(2j * np.pi * freq * np.arange(n)).astype(np.complex64)
            got = Simulator(ChannelConfig(delay=3.37, sfo_ppm=ppm), fast=fast).apply(torch.from_numpy(sent)).numpy()
            wanted = np.exp(2j * np.pi * freq * (np.arange(n) * (1 + ppm * 1e-6) - 3.37))
            worst = max(worst, 10 * math.log10(float(np.mean(np.abs(got - wanted)[64:-64] ** 2))))
    return worst


def _numpy_noise(n: int) -> float:
    draw = np.random.Generator(np.random.Philox(1))
    return n / cpu_time(lambda: draw.standard_normal(2 * n, dtype=np.float32)) / 1e6


def rows(quick: bool, peers: dict[str, dict[str, Any]]) -> list[Row]:
    """The air's rows; GNU Radio's channel model is the peer."""
    n, rounds = 1 << (18 if quick else 20), 3 if quick else 9
    radio, other = peers.get("gnuradio", {}), peers.get("liquid", {})
    best = ("GNU Radio channel_model", radio.get("channel_msps"))
    if best[1] is None:
        best = ("liquid channel + resampler", other.get("channel_resampled_msps"))
    name = "air: SFO + multipath + CFO + phase noise + AWGN"
    fast = available()
    out = [
        row(
            f"{name}, fast",
            _speed(FULL, True, n, rounds) if fast else None,
            "MS/s",
            target=30,
            peer=best[0],
            peer_value=best[1],
        ),
        row(f"{name}, plain", _speed(FULL, False, n, rounds), "MS/s", target=8, peer=best[0], peer_value=best[1]),
        row("air: resampler error at ≤ .40 fs, fast", _resampler_db(True) if fast else None, "dB", better="lower", target=-60),
        row("air: resampler error at ≤ .40 fs, plain", _resampler_db(False), "dB", better="lower", target=-60),
    ]
    moving = FULL.model_copy(update={"doppler_hz": 100.0})
    short = 1 << 16
    numpy_rate = _numpy_noise(short)
    for kind in ([True] if fast else []) + [False]:
        label = "fast" if kind else "plain"
        rate = short / cpu_time(lambda kind=kind: complex_gaussian(1, "air", 0, short, fast=kind), 4 * rounds) / 1e6  # type: ignore[misc]
        out.append(row(f"air: AWGN alone, {label}", rate, "MS/s", peer="numpy Philox ziggurat", peer_value=numpy_rate))
        out.append(row(f"air: the same with 100 Hz Doppler at 1 MS/s, {label}", _speed(moving, kind, n // 4, rounds), "MS/s"))
    return out
