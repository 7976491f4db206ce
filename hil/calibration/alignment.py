"""How well superposed transmitters are aligned, by what a frame's own sounding slots say; and for how long they stay so."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from hil.calibration.gate import GateConfig
from hil.phy.numerology import Numerology
from hil.units import DB_OF_E

__all__ = ["Coherence", "Misalignment", "Relative", "misalignment", "relative_to_first"]

DOUBT = 3.0
"""Standard errors that leave none."""
STEP = 4.0
"""The same of a frame's level against those before: it is asked of every frame."""


@dataclass(frozen=True, kw_only=True)
class Relative:
    """A transmitter against the first one at one time: a complex gain and a delay, fitted over the active carriers.

    Attributes:
        phase_rad: common phase, at the middle of the band; delay_samples: later is positive; power_db: stronger is positive.
        phase_error, delay_error, power_error: their standard errors.
    """

    phase_rad: float
    delay_samples: float
    power_db: float
    phase_error: float = 0.0
    delay_error: float = 0.0
    power_error: float = 0.0


def relative_to_first(
    response: Tensor, numerology: Numerology, *, snr: Tensor | None = None, symbols: int = 1
) -> list[Relative]:
    """Every transmitter but the first against the first.

    Args:
        response: complex64 [tx, active carrier], each transmitter's, sounded alone.
        numerology: whose active carriers these are.
        snr: float32 [tx], linear SNR of one sounding symbol's carrier; None: no errors.
        symbols: sounding symbols that each response was estimated from.
    """
    carriers = np.array(numerology.carriers, float)
    size, count = numerology.fft_size, len(carriers)
    values = response.to(torch.complex128).numpy()
    found = []
    for tx in range(1, len(values)):
        ratio = values[tx] * values[0].conj()
        near = np.diff(carriers) == 1
        slope = float(np.angle(((ratio[1:] * ratio[:-1].conj())[near]).sum()))
        turned = ratio * np.exp(-1j * slope * carriers)
        phase = float(np.angle(turned.sum()))
        weight = np.abs(turned) / max(np.abs(turned).sum(), 1e-300)
        left = np.angle(turned * np.exp(-1j * phase))  # small: a line through it, weighted by how well it is known
        middle = float(weight @ carriers)
        spread = max(float(weight @ (carriers - middle) ** 2), 1e-9)
        tilt = float(weight @ ((carriers - middle) * left)) / spread
        phase += float(weight @ left) - tilt * middle
        slope += tilt
        noise = 0.0 if snr is None else sum(1 / max(float(snr[one]), 1e-6) for one in (0, tx)) / symbols / count
        power = [max(float(np.mean(np.abs(values[one]) ** 2)), 1e-300) for one in (0, tx)]
        found.append(
            Relative(
                phase_rad=math.remainder(phase, 2 * math.pi),
                delay_samples=-slope * size / (2 * math.pi),
                power_db=10 * math.log10(power[1] / power[0]),
                phase_error=math.sqrt(noise / 2),
                delay_error=math.sqrt(noise / 2 / spread) * size / (2 * math.pi),
                power_error=DB_OF_E * math.sqrt(2 * noise),
            )
        )
    return found


@dataclass(frozen=True, kw_only=True)
class Misalignment:
    """How far transmitters of one frame are from being aligned: the worst of them in each respect.

    Attributes:
        phase_deg: root mean square over the active carriers; power_db, delay_samples: largest magnitude.
        phase_error, power_error, delay_error: standard errors, of the worst.
        relatives: each transmitter against the first.
        stepped: some level is another one than in the soundings before, on which the response rests as well.
    """

    phase_deg: float
    power_db: float
    delay_samples: float
    phase_error: float
    power_error: float
    delay_error: float
    relatives: tuple[Relative, ...]
    stepped: bool = False

    def beyond(self, gate: GateConfig) -> str | None:
        """Which bound it is beyond without doubt, in words; None: none."""
        seen = (
            ("phase", self.phase_deg, self.phase_error, gate.phase_deg, "°"),
            ("power", self.power_db, self.power_error, gate.power_db, " dB"),
            ("delay", self.delay_samples, self.delay_error, gate.delay_samples, " samples"),
        )
        for name, value, error, bound, unit in seen:
            if value - DOUBT * error > bound:
                return f"{name} {value:.3g}{unit}, more than {bound:g}{unit}"
        return None


def misalignment(
    response: Tensor, numerology: Numerology, *, snr: Tensor, symbols: int, own: Tensor | None = None
) -> Misalignment:
    """Of transmitters that should arrive with one common response.

    Args:
        response, numerology, snr, symbols: as of `relative_to_first`.
        own: float32 [tx], unbiased mean |H|² by these symbols alone, where `response` rests on earlier ones too: its levels
            count where they contradict the response's beyond doubt.
    """
    relatives = relative_to_first(response, numerology, snr=snr, symbols=symbols)
    stepped = False
    if own is not None and symbols > 1:
        relatives, stepped = _with_own_levels(relatives, response, snr, symbols, own)
    carriers = np.array(numerology.carriers, float)
    lever = 2 * math.pi / numerology.fft_size * float(np.sqrt(np.mean(carriers**2)))  # rad rms over the band, per sample
    phases = [math.hypot(one.phase_rad, lever * one.delay_samples) for one in relatives]
    doubts = [math.hypot(one.phase_error, lever * one.delay_error) for one in relatives]
    worst = int(np.argmax(phases))
    powers = [abs(one.power_db) for one in relatives]
    delays = [abs(one.delay_samples) for one in relatives]
    return Misalignment(
        phase_deg=math.degrees(phases[worst]),
        power_db=max(powers),
        delay_samples=max(delays),
        phase_error=math.degrees(doubts[worst]),
        power_error=relatives[int(np.argmax(powers))].power_error,
        delay_error=relatives[int(np.argmax(delays))].delay_error,
        relatives=tuple(relatives),
        stepped=stepped,
    )


def _with_own_levels(
    relatives: list[Relative], response: Tensor, snr: Tensor, symbols: int, own: Tensor
) -> tuple[list[Relative], bool]:
    """Relatives with the levels that a frame's own symbols tell, where these contradict the response's beyond doubt."""
    filtered = response.abs().square().mean(-1).double().numpy()
    power, looks = own.double().numpy(), symbols * response.shape[1]
    relative = np.abs(power / snr.double().numpy()) / np.maximum(filtered, 1e-300)  # noise over signal
    error = np.sqrt(2 * relative / looks + relative**2 / looks / (symbols - 1))
    if not (np.abs(power / filtered - 1) > STEP * error).any():
        return relatives, False
    power = np.maximum(power, 1e-3 * filtered)
    levels, errors = 10 * np.log10(power / power[0]), DB_OF_E * np.hypot(error, error[0])
    return [
        replace(one, power_db=float(level), power_error=float(doubt))
        for one, level, doubt in zip(relatives, levels[1:], errors[1:], strict=True)
    ], True


class Coherence:
    """For how long an alignment holds, measured on frames that were sent with it.

    Within one alignment each frame's phase is compared with its first frame's. Their mean square, less what the estimates'
    own noise makes of it, over the mean square of the time between, is the square of the rate at which phases drift.
    """

    def __init__(self) -> None:
        self._first: tuple[float, Sequence[Relative]] | None = None
        self._turned = self._noise = self._noise_squared = self._lags = 0.0

    def aligned(self) -> None:
        """A new alignment begins."""
        self._first = None

    def observe(self, time_s: float, found: Misalignment) -> None:
        """A frame of the alignment in force, at a time of the receiver's clock."""
        if self._first is None:
            self._first = time_s, found.relatives
            return
        begin, first = self._first
        for one, other in zip(first, found.relatives, strict=True):
            noise = one.phase_error**2 + other.phase_error**2
            self._turned += math.remainder(other.phase_rad - one.phase_rad, 2 * math.pi) ** 2
            self._noise += noise
            self._noise_squared += 2 * noise**2
            self._lags += (time_s - begin) ** 2

    @property
    def rate(self) -> float:
        """Root mean square drift of phases, rad/s; 0 where none is seen beyond doubt."""
        excess = self._turned - self._noise
        if self._lags <= 0 or excess <= DOUBT * math.sqrt(self._noise_squared):
            return 0.0
        return math.sqrt(excess / self._lags)

    def holds_s(self, gate: GateConfig) -> float:
        """How old an alignment may become: until phases have drifted by half of their bound."""
        if gate.coherence_s is not None:
            return gate.coherence_s
        return math.radians(gate.phase_deg) / 2 / self.rate if self.rate else math.inf
