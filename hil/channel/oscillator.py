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

__all__ = ["PhaseNoise", "PhaseNoiseKind", "carrier", "one_pole", "tune_phase"]

_ROW = 64
PhaseNoiseKind = Literal["off", "locked", "free"]


def tune_phase(seed: int, stream: str, tune: int) -> float:
    """The phase (rad) at which a synthesiser settles at its `tune`-th tuning: uniform, new each time."""
    return 2 * math.pi * uniform(seed, f"{stream}/tune", tune)


def carrier(freq_hz: float, sample_rate_hz: float, start: int, n: int, phase: float = 0.0) -> Tensor:
    """exp(j(2π f t + phase)) at samples [start, start + n), complex64; exact for any start (phase kept in float64)."""
    step = freq_hz / sample_rate_hz
    turns = np.arange(n) * step
    turns += math.fmod(step * start, 1.0) + phase / (2 * math.pi)
    turns -= np.floor(turns)
    angle = torch.from_numpy(turns.astype(np.float32)) * (2 * math.pi)
    return torch.complex(angle.cos(), angle.sin())


def one_pole(white: Tensor, pole: float, state: float) -> Tensor:
    """First-order recursion y[n] = pole · y[n − 1] + white[n] from y[−1] = state, float32 [n]; pole < 1.

    Rows of _ROW samples are filtered from rest by one matrix product; what enters each row is the same recursion over rows.
    """
    n = white.shape[-1]
    rows = torch.nn.functional.pad(white, (0, -n % _ROW)).view(-1, _ROW)
    column = torch.arange(_ROW, dtype=torch.float64)
    lags = column[None, :] - column[:, None]
    within = torch.where(lags >= 0, torch.tensor(pole, dtype=torch.float64) ** lags.clamp(min=0), 0.0).float()
    local = rows @ within
    into = torch.full((1,), state)
    if len(local) > 1:
        into = torch.cat([into, one_pole(local[:-1, -1], pole**_ROW, state)])
    decay = (torch.tensor(pole, dtype=torch.float64) ** (column + 1)).float()
    return (local + into[:, None] * decay).view(-1)[:n]


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
        self._filtered = Blocks(self._filtered_rows)
        self._phasors = Blocks(self._phasor_block)
        self._step = math.sqrt(2 * math.pi * linewidth_hz / sample_rate_hz)
        self._levels = np.zeros(1)
        self._pole = math.exp(-2 * math.pi * loop_bandwidth_hz / sample_rate_hz)
        self._scale = math.radians(rms_deg) * math.sqrt(1 - self._pole**2)
        rows, columns = torch.arange(BLOCK // _ROW, dtype=torch.float64), torch.arange(_ROW, dtype=torch.float64)
        self._within = self._powers(columns[None, :] - columns[:, None])  # white to phase inside a row
        self._across = self._powers(_ROW * (rows[:, None] - rows[None, :] - 1))  # end of earlier rows to start of this one
        self._decay = self._powers(columns + 1)

    def _powers(self, lags: Tensor) -> Tensor:
        """pole^lag where lag ≥ 0, else 0."""
        return torch.where(lags >= 0, torch.tensor(self._pole, dtype=torch.float64) ** lags.clamp(min=0), 0.0).float()

    def phase(self, block: int) -> Tensor:
        """Phase in rad over absolute block `block`, float32 [BLOCK]."""
        if self.kind == "off":
            return torch.zeros(BLOCK)
        if self.kind == "locked":
            return self._locked(block)
        return self._wiener(block)

    def phasor(self, start: int, n: int) -> Tensor | None:
        """exp(jφ) over samples [start, start + n), complex64; None where there is no phase noise."""
        return None if self.kind == "off" else self._phasors.slice(start, n)

    def _phasor_block(self, block: int) -> Tensor:
        phase = self.phase(block)
        return torch.polar(torch.ones_like(phase), phase)

    def _locked(self, block: int) -> Tensor:
        """One-pole low-pass over white noise; the state at the start comes from the block before, which is long enough."""
        past, local = self._filtered.block(block - 1), self._filtered.block(block)
        ahead = self._across[-1:] @ past[:, -1:] * self._pole**_ROW + past[-1, -1]
        into = (
            self._across @ local[:, -1:] + ahead * self._powers(_ROW * torch.arange(len(local), dtype=torch.float64))[:, None]
        )
        return ((local + into * self._decay) * self._scale).view(-1)

    def _filtered_rows(self, block: int) -> Tensor:
        """White noise through the pole, each row of _ROW samples from rest: float32 [row, _ROW]."""
        return torch.from_numpy(normal_block(self._seed, self._stream, block)).view(-1, _ROW) @ self._within

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
