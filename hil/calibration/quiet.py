"""What a receiver hears while nobody sends: its noise, its DC offset, and whatever else is in the band."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hil.calibration.intervals import Interval, Part, interval_db
from hil.phy.numerology import Numerology
from hil.radios.contract import Range
from hil.units import decibels

__all__ = ["NoiseAtGain", "Quiet", "measure_quiet", "noise_by_gain"]

_FRACTION = 8
"""Parts of the band of a carrier in which tones are looked for."""
_TONE_DB = 6.0
"""A line so far above the middle of the spectrum is no noise, however many lines are looked at."""
_BURSTY = 6.0
"""Standard errors by which the power of blocks scatters more than noise's."""
_BLOCK = 1024
_GAIN_SAMPLES = 16384


@dataclass(frozen=True, kw_only=True)
class Quiet:
    """One listening.

    Attributes:
        noise: power a carrier of a unitary FFT, without DC, full scale² = 1; looks: squared values averaged.
        by_carrier: float64 [active carrier], the same by carrier.
        dc: complex offset, full scale = 1.
        tones: (Hz, dB above the noise) of lines that are no noise.
        bursts: by how many standard errors the power of blocks of 1024 samples scatters more than noise's.
        clipped: samples at full scale.
    """

    noise: float
    looks: int
    by_carrier: NDArray[np.float64]
    dc: complex
    tones: tuple[tuple[float, float], ...]
    bursts: float
    clipped: int

    @property
    def dbfs(self) -> float:
        """Noise a carrier, dBFS."""
        return decibels(self.noise)

    @property
    def dbfs_ci(self) -> Interval:
        """Its interval."""
        return interval_db(self.noise, Part(1 / self.looks, float(self.looks)))

    @property
    def interferer(self) -> str:
        """What is in the band that is no noise, in words; "" for nothing."""
        if self.tones:
            return "; ".join(f"a tone at {hz / 1e3:+.1f} kHz, {above:.0f} dB above the noise" for hz, above in self.tones[:3])
        return "power that comes and goes" if self.bursts > _BURSTY else ""


def measure_quiet(samples: NDArray[np.complex64], numerology: Numerology, rate_hz: float) -> Quiet:
    """Look at silence.

    Args:
        samples: complex64 [n], n ≥ 8192, full scale 1, nobody sending.
        numerology: whose carriers count as the band.
        rate_hz: sample rate.
    """
    wide = samples.astype(np.complex128)
    dc = complex(wide.mean())
    rest = wide - dc
    size, bins = numerology.fft_size, list(numerology.bins)
    spectra = np.abs(np.fft.fft(rest[: len(rest) // size * size].reshape(-1, size), norm="ortho")[:, bins]) ** 2
    blocks = np.mean(np.abs(rest[: len(rest) // _BLOCK * _BLOCK].reshape(-1, _BLOCK)) ** 2, axis=1)
    expected = float(np.median(blocks)) / math.sqrt(_BLOCK)
    scatter = (float(blocks.std(ddof=1)) / expected - 1) * math.sqrt(2 * (len(blocks) - 1)) if expected > 0 else 0.0
    return Quiet(
        noise=float(spectra.mean()),
        looks=spectra.size,
        by_carrier=spectra.mean(0),
        dc=dc,
        tones=_tones(rest, numerology, rate_hz),
        bursts=scatter,
        clipped=int((np.maximum(np.abs(samples.real), np.abs(samples.imag)) >= 0.9995).sum()),
    )


def _tones(rest: NDArray[np.complex128], numerology: Numerology, rate_hz: float) -> tuple[tuple[float, float], ...]:
    """Lines in the band that stand above the middle of the averaged spectrum, strongest first."""
    size = numerology.fft_size * _FRACTION
    windows = rest[: len(rest) // size * size].reshape(-1, size) * np.hanning(size)
    spectrum = np.mean(np.abs(np.fft.fft(windows, axis=1)) ** 2, axis=0)
    turns = np.fft.fftfreq(size)
    band = np.abs(turns) * numerology.fft_size <= numerology.active_half + 0.5
    level = float(np.median(spectrum[band]))
    limit = max(10 ** (_TONE_DB / 10), 1 + 6 / math.sqrt(len(windows)))
    above = np.where(band & (np.abs(turns) * size > 2), spectrum, 0) / max(level, 1e-30)
    found = []
    for _ in range(4):
        place = int(above.argmax())
        if above[place] < limit:
            break
        found.append((float(turns[place] * rate_hz), decibels(float(above[place]))))
        above[[(place + step) % size for step in range(-3, 4)]] = 0
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class NoiseAtGain:
    """Noise a carrier (dBFS) at one receive gain (dB)."""

    rx_gain_db: float
    noise_dbfs: float


def noise_by_gain(
    listen: Callable[[int], NDArray[np.complex64]],
    set_gain: Callable[[float], float],
    gains: Range,
    now_db: float,
    numerology: Numerology,
    rate_hz: float,
) -> list[NoiseAtGain]:
    """Noise at receive gains around the one in use, which is set again at the end, whatever happens.

    Args:
        listen: for n samples.
        set_gain: of the receiver; returns what it applied.
        gains: that it has.
        now_db: the one in use.
        numerology: of the carriers.
        rate_hz: sample rate.
    """
    wanted = sorted({gains.nearest(now_db + step) for step in (-20.0, -10.0, 0.0, 10.0)})
    found = []
    try:
        for gain in wanted:
            applied = set_gain(gain)
            found.append(
                NoiseAtGain(rx_gain_db=applied, noise_dbfs=measure_quiet(listen(_GAIN_SAMPLES), numerology, rate_hz).dbfs)
            )
    finally:
        set_gain(now_db)
    return found
