"""A known signal that tells a receiver when and on which carrier a transmitter sends: two equal halves of random QPSK.

The equal halves are found at any carrier offset (Schmidl-Cox); a bank of the offsets that are left then gives time to a
fraction of a sample. Numpy only: sessions use it, not the modem.

Source: Schmidl and Cox, "Robust frequency and timing synchronization for OFDM", IEEE Trans. Comm. 45(12), 1997.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["PROBE_SAMPLES", "ClockMap", "ProbeFound", "find_probe", "make_probe"]

_HALF = 512
PROBE_SAMPLES = 2 * _HALF
_AMPLITUDE = 0.7
_FINE = 64  # samples around the coarse position that are searched
_CANDIDATES = 6
_STEPS = 8  # of a sample, between which a parabola does
_LEAST_OVERLAP = 0.35  # of two halves: an SNR of −2.7 dB a sample; noise gives 0.04
_LEAST_QUALITY = 6.0  # the right probe gives 10, another one up to 4


@dataclass(frozen=True, kw_only=True)
class ProbeFound:
    """Where a probe was heard.

    Attributes:
        position: its first sample, with a fraction.
        cfo_hz: transmitter's carrier minus receiver's.
        quality: correlation peak over the root mean square of the correlation beside it.
    """

    position: float
    cfo_hz: float
    quality: float


@dataclass(frozen=True, kw_only=True)
class ClockMap:
    """A transmitter's sample count against the receiver's: receiver = offset + (transmitter − anchor) × ratio."""

    anchor: int
    offset: float
    ratio: float

    def to_receiver(self, position: float) -> float:
        """Receiver's sample at which a sent sample is heard."""
        return self.offset + (position - self.anchor) * self.ratio

    def to_transmitter(self, heard: float) -> int:
        """The transmitter's sample that is heard closest to a receiver's sample."""
        return self.anchor + round((heard - self.offset) / self.ratio)


def make_probe(number: int) -> NDArray[np.complex64]:
    """Probe `number`, complex64 [PROBE_SAMPLES], constant envelope of −3 dBFS.

    Numbers differ so that an old probe is not taken for a new one.
    """
    draw = np.random.Generator(np.random.Philox(key=[0x9206E, number]))
    quadrants = draw.integers(0, 4, _HALF)
    half = _AMPLITUDE * np.exp(0.5j * np.pi * (quadrants + 0.5))
    return np.tile(half, 2).astype(np.complex64)


def find_probe(
    samples: NDArray[np.complex64],
    number: int,
    sample_rate_hz: float,
    max_cfo_hz: float,
    *,
    near_cfo_hz: float | None = None,
) -> ProbeFound | None:
    """Find a probe.

    Args:
        samples: received, complex64 [n].
        number: of the probe.
        sample_rate_hz: of them.
        max_cfo_hz: largest carrier offset, either way.
        near_cfo_hz: where the offset is known to about half a carrier grid (`sample_rate_hz` / 1024).

    Returns:
        where it is, or None where it does not stand out.
    """
    n = len(samples) - PROBE_SAMPLES + 1
    if n < 1:
        return None
    products = samples[: len(samples) - _HALF].conj() * samples[_HALF:]
    sums = np.concatenate([np.zeros(1, np.complex128), np.cumsum(products.astype(np.complex128))])
    overlap = sums[_HALF : _HALF + n] - sums[:n]
    energies = np.concatenate([np.zeros(1), np.cumsum(np.abs(samples.astype(np.complex128)) ** 2)])
    energy = (energies[PROBE_SAMPLES : PROBE_SAMPLES + n] - energies[:n]) / 2
    metric = np.abs(overlap) / np.maximum(energy, 1e-3 * max(float(energy.max()), 1e-30))
    for _ in range(_CANDIDATES):
        coarse = int(np.argmax(metric))
        if metric[coarse] < _LEAST_OVERLAP:
            return None
        found = _verify(samples, number, coarse, complex(overlap[coarse]), sample_rate_hz, max_cfo_hz, near_cfo_hz)
        if found is not None:
            return found
        metric[max(coarse - PROBE_SAMPLES // 2, 0) : coarse + PROBE_SAMPLES // 2] = 0  # another probe: look on
    return None


def _verify(
    samples: NDArray[np.complex64],
    number: int,
    coarse: int,
    overlap: complex,
    sample_rate_hz: float,
    max_cfo_hz: float,
    near_cfo_hz: float | None,
) -> ProbeFound | None:
    """Whether the two equal halves at `coarse` are the probe's, and where exactly."""
    step = sample_rate_hz / _HALF
    fraction = float(np.angle(overlap)) / (2 * math.pi) * step
    if near_cfo_hz is not None:
        offsets = np.array([fraction + round((near_cfo_hz - fraction) / step) * step])
    else:
        most = math.ceil(max_cfo_hz / step)
        offsets = fraction + np.arange(-most, most + 1) * step
    low = max(coarse - _FINE, 0)
    window = samples[low : coarse + _FINE + PROBE_SAMPLES]
    size = 1 << (len(window) + PROBE_SAMPLES).bit_length()
    spectrum = np.fft.fft(window, size)
    tones = np.exp(2j * np.pi * offsets[:, None] / sample_rate_hz * np.arange(PROBE_SAMPLES))
    products = spectrum * np.fft.fft(make_probe(number) * tones, size).conj()
    bank = np.abs(np.fft.ifft(products))[:, : len(window) - PROBE_SAMPLES + 1]
    row, peak = np.unravel_index(int(bank.argmax()), bank.shape)
    profile = bank[row]
    quality = float(profile[peak] / np.sqrt(np.mean(profile**2)))
    if quality < _LEAST_QUALITY:
        return None
    return ProbeFound(position=low + _between(products[row], int(peak)), cfo_hz=float(offsets[row]), quality=quality)


def _between(product: NDArray[np.complex128], peak: int) -> float:
    """Position of the maximum between samples: the correlation, whose spectrum this is, on a finer grid about its peak."""
    turns = np.fft.fftfreq(len(product))
    places = peak + np.arange(-_STEPS, _STEPS + 1) / _STEPS
    fine = np.abs(np.exp(2j * np.pi * places[:, None] * turns) @ product)
    best = min(max(int(fine.argmax()), 1), len(fine) - 2)
    left, mid, right = fine[best - 1 : best + 2]
    return float(places[best] + 0.5 * (right - left) / (2 * mid - left - right) / _STEPS)
