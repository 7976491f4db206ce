"""Oscillators: one per radio drives carrier and sample clock, so ppm gives both offsets; phase noise on top.

**Locked**: stationary, the shape of a PLL: single-sideband L(f) = L0 / (1 + (f/f_L)²) dBc/Hz around the carrier, with
σ² = π f_L L0 the phase variance (rad²). 1° rms with a 10 kHz loop is a plateau of −80 dBc/Hz.
**Free**: Wiener; a Lorentzian line of full width Δν at half maximum has increments of variance 2π Δν / f_s per sample.
Both are pure functions of (seed, stream, sample index), drawn in absolute blocks.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from hil.channel.noise import BLOCK, Blocks, normal_block, philox, uniform

__all__ = ["PhaseNoise", "PhaseNoiseKind", "carrier", "tune_phase"]

PhaseNoiseKind = Literal["off", "locked", "free"]


def tune_phase(seed: int, stream: str, tune: int) -> float:
    """The phase (rad) at which a synthesiser settles at its `tune`-th tuning: uniform, new each time."""
    return 2 * math.pi * uniform(seed, f"{stream}/tune", tune)


def carrier(freq_hz: float, sample_rate_hz: float, start: int, n: int, phase: float = 0.0) -> Tensor:
    """exp(j(2π f t + phase)) at samples [start, start + n), complex64; exact for any start (phase kept in float64)."""
    turns = freq_hz / sample_rate_hz
    ramp = (math.fmod(turns * start, 1.0) + turns * np.arange(n)) * (2 * math.pi) + phase
    angle = torch.from_numpy(np.remainder(ramp, 2 * math.pi).astype(np.float32))
    return torch.polar(torch.ones_like(angle), angle)


class PhaseNoise:
    """Phase of one synthesiser over its own samples.

    Args:
        kind: off, locked or free.
        seed: of the air.
        stream: name of the synthesiser.
        sample_rate_hz: of the samples.
        rms_deg: locked: rms phase in degrees.
        loop_bandwidth_hz: locked: f_L.
        linewidth_hz: free: Δν.
    """

    def __init__(
        self,
        *,
        kind: PhaseNoiseKind,
        seed: int,
        stream: str,
        sample_rate_hz: float,
        rms_deg: float = 1.0,
        loop_bandwidth_hz: float = 10e3,
        linewidth_hz: float = 1.0,
    ) -> None:
        self.kind = kind
        self._seed, self._stream = seed, f"{stream}/phase"
        self._white = Blocks(lambda block: torch.from_numpy(normal_block(seed, self._stream, block)))
        self._phasors = Blocks(self._phasor_block)
        self._step = math.sqrt(2 * math.pi * linewidth_hz / sample_rate_hz)
        self._levels = np.zeros(1)
        pole = math.exp(-2 * math.pi * loop_bandwidth_hz / sample_rate_hz)
        length = min(BLOCK, 1 + math.ceil(math.log(1e-4) / math.log(pole)))
        kernel = pole ** torch.arange(length, dtype=torch.float64)
        kernel *= math.radians(rms_deg) / kernel.square().sum().sqrt()
        self._memory = length - 1
        self._response = torch.fft.rfft(kernel.float(), 2 * BLOCK) if kind == "locked" else torch.zeros(0)

    def phase(self, block: int) -> Tensor:
        """Phase in rad over absolute block `block`, float32 [BLOCK]."""
        if self.kind == "off":
            return torch.zeros(BLOCK)
        if self.kind == "locked":
            white = torch.zeros(2 * BLOCK)
            white[: self._memory] = self._white.block(block - 1)[BLOCK - self._memory :] if self._memory else 0
            white[self._memory : self._memory + BLOCK] = self._white.block(block)
            shaped = torch.fft.irfft(torch.fft.rfft(white) * self._response, 2 * BLOCK)
            return shaped[self._memory :][:BLOCK].clone()
        return self._wiener(block)

    def phasor(self, start: int, n: int) -> Tensor | None:
        """exp(jφ) over samples [start, start + n), complex64; None where there is no phase noise."""
        return None if self.kind == "off" else self._phasors.slice(start, n)

    def _phasor_block(self, block: int) -> Tensor:
        phase = self.phase(block)
        return torch.polar(torch.ones_like(phase), phase)

    def _wiener(self, block: int) -> Tensor:
        """Brownian bridge between the walk's values at the block's two ends."""
        low, high = self._level(block), self._level(block + 1)
        walk = np.cumsum(normal_block(self._seed, self._stream, block).astype(np.float64)) * self._step
        time = np.arange(1, BLOCK + 1) / BLOCK
        path = low + (high - low) * time + (walk - walk[-1] * time)
        return torch.from_numpy(np.remainder(path, 2 * math.pi).astype(np.float32))

    def _level(self, block: int) -> float:
        if block < 0:
            raise ValueError(f"Argument 'block' must be at least 0 for free-running noise, not {block}.")
        while len(self._levels) <= block:
            page = len(self._levels) // 1024
            steps = philox(self._seed, f"{self._stream}/levels", page).standard_normal(1024)
            self._levels = np.append(self._levels, self._levels[-1] + np.cumsum(steps * self._step * math.sqrt(BLOCK)))
        return float(self._levels[block])
