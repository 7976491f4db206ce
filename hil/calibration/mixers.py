"""DC offset and I/Q imbalance of both sides of a link, from frames of known payload.

The receiver's DC offset is what remains in silence; the transmitter's leakage is a tone on its carrier. An image mirrors the
spectrum about the oscillator of the side that makes it: with a carrier offset between them the two lie apart, without one they
are one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from hil.calibration.estimates import received
from hil.calibration.sounding import Look
from hil.phy.frame import FrameFormat
from hil.phy.quality import use_carriers
from hil.phy.reception import FrameReception, ReceiverConfig
from hil.units import decibels

__all__ = ["Mixers", "mixers_of"]

_APART = 3.0
"""Turns of the carrier offset over a frame from which on the two images lie apart."""


@dataclass(frozen=True, kw_only=True)
class Mixers:
    """What the mixers of a link add.

    Attributes:
        tx_dc_db: leakage of the transmitter's oscillator, relative to its signal.
        tx_image, rx_image: amplitude of the image relative to the signal.
        apart: whether the images could be told from one another; else both are what both sides make together.
    """

    tx_dc_db: float
    tx_image: complex
    rx_image: complex
    apart: bool

    @property
    def image(self) -> float:
        """Power of what the receiver makes, or both sides together, relative to the signal."""
        return abs(self.rx_image) ** 2

    @property
    def power(self) -> float:
        """Power of both sides' images, relative to the signal."""
        return self.image + (abs(self.tx_image) ** 2 if self.apart else 0.0)


def mixers_of(looks: Sequence[Look], form: FrameFormat, config: ReceiverConfig, rate_hz: float) -> Mixers:
    """Estimate both sides.

    Args:
        looks: one at least received; at a good SNR.
        form: of their frames.
        config: how they were received; its mixer's DC offset is taken off first.
        rate_hz: sample rate.
    """
    good = received(looks)
    cfo = float(np.mean([float(frame.cfo_hz[0]) for _, frame in good]))
    apart = abs(cfo) * form.samples / rate_hz > _APART
    leaks, images, mirrors = zip(*(_one(look, frame, form, config, rate_hz) for look, frame in good), strict=True)
    tx_image = complex(np.mean(images))
    signal = float(np.mean([float(frame.signal[0]) for _, frame in good]))
    per_sample = signal * form.numerology.active / form.numerology.fft_size
    return Mixers(
        tx_dc_db=decibels(float(np.mean(leaks)) / per_sample),
        tx_image=tx_image,
        rx_image=complex(np.mean(mirrors)) if apart else tx_image,
        apart=apart,
    )


def _one(
    look: Look, frame: FrameReception, form: FrameFormat, config: ReceiverConfig, rate_hz: float
) -> tuple[float, complex, complex]:
    """Power of the transmitter's leakage, its image, and the receiver's image, by one frame."""
    samples = look.samples if config.known_mixer is None else config.known_mixer.correct(look.samples)
    size, spacing = form.numerology.fft_size, form.numerology.symbol_samples
    first = frame.start + form.sounding_start + form.numerology.cyclic_prefix - config.advance
    window = samples[first : first + form.symbols * spacing].to(torch.complex128).numpy()
    turns = np.exp(-2j * np.pi * float(frame.cfo_hz[0]) / rate_hz * np.arange(len(window)))
    symbols = (window * turns)[: len(window) // spacing * spacing].reshape(-1, spacing)[:, :size]
    means = symbols.mean(1)  # whole windows: active carriers add nothing
    leak = abs(complex(means.mean())) ** 2 - float(means.var()) / len(means)
    skew = complex(np.mean(window**2)) / (2 * float(np.mean(np.abs(window) ** 2)))
    size_of = min(abs(skew), 0.499)
    mirror = skew / abs(skew) * (1 - math.sqrt(1 - 4 * size_of**2)) / (2 * size_of) if size_of > 0 else 0j
    return max(leak, 0.0), _transmit_image(look, frame, form), mirror


def _transmit_image(look: Look, frame: FrameReception, form: FrameFormat) -> complex:
    """Regression of the payload's errors on what was sent on the mirrored carriers of the same symbol."""
    carriers = use_carriers(form)  # [task, use] -> index into the active carriers
    data = torch.tensor(form.numerology.data_positions)
    segment = form.segments[0]
    cells = segment.cells.unflatten(0, (form.tasks, -1))
    symbol = torch.div(cells, len(data), rounding_mode="floor")
    grid = torch.zeros((segment.symbols, form.numerology.active), dtype=torch.complex128)
    grid[symbol, carriers] = look.payload.to(torch.complex128)
    known = torch.zeros(grid.shape, dtype=torch.bool)
    known[symbol, carriers] = True
    mirrored = form.numerology.active - 1 - carriers
    there = known[symbol, mirrored]
    error = (frame.symbols.to(torch.complex128) - look.payload)[there]
    if not there.any():
        return 0j
    return complex((error * grid[symbol, mirrored][there]).mean())
