"""Faults that a receiver must correct, name, or lose its frames by: what `benchmarks.truth` tries."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["RATE_HZ", "RMS", "Case", "cases", "receiver_truth"]

Complexes = NDArray[np.complex128]
Hurt = Callable[[Complexes, np.random.Generator], Complexes]
Access = Literal["single", "noma"]
RATE_HZ = 1e6
RMS = 0.2512
"""Of the signal, full scale 1: −12 dBFS."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One fault.

    Attributes:
        name: of it; free: radios on oscillators of their own.
        suspects: whom the point may name.
        hurt: samples of a window -> samples, before the receiver's noise.
    """

    name: str
    suspects: frozenset[str]
    hurt: Hurt
    free: bool = False


def _spin(hz: float, count: int) -> Complexes:
    turned: Complexes = np.exp(2j * np.pi * hz / RATE_HZ * np.arange(count))
    return turned


def _noise(rng: np.random.Generator, count: int) -> Complexes:
    both = rng.standard_normal((2, count))
    return (both[0] + 1j * both[1]) / math.sqrt(2)


def _level(db: float) -> float:
    return RMS * 10 ** (db / 20)


def _mixer(y: Complexes, gain_db: float, degrees: float) -> Complexes:
    """I too strong and Q too weak by half the imbalance each, Q turned towards I."""
    gain, angle = 10 ** (gain_db / 40), math.radians(degrees)
    return y.real * gain + 1j * (y.imag * math.cos(angle) + y.real * math.sin(angle)) / gain


def _shifted(y: Complexes, samples: int) -> Complexes:
    """Later by so many samples; earlier where negative."""
    out = np.zeros_like(y)
    if samples >= 0:
        out[samples:] = y[: len(y) - samples]
    else:
        out[:samples] = y[-samples:]
    return out


def _clock(y: Complexes, ppm: float) -> Complexes:
    """Another sample clock, by interpolation in a spectrum of twice the points (band-limited signals)."""
    size = len(y)
    fine = np.fft.ifft(np.fft.fft(y), size)
    spectrum = np.fft.fft(fine)
    wide = np.zeros(8 * size, complex)
    wide[: size // 2] = spectrum[: size // 2]
    wide[-(size - size // 2) :] = spectrum[size // 2 :]
    dense = np.fft.ifft(wide) * 8
    place = np.arange(size) * (1 + ppm * 1e-6) * 8
    low = np.clip(place.astype(int), 1, 8 * size - 3)
    x = (place - low)[None]
    at = dense[low + np.arange(-1, 3)[:, None]]
    weights = np.concatenate([
        -x * (x - 1) * (x - 2) / 6, (x + 1) * (x - 1) * (x - 2) / 2, -(x + 1) * x * (x - 2) / 2, (x + 1) * x * (x - 1) / 6,
    ])  # fmt: skip
    return (at * weights).sum(0)


def _foreign(rng: np.random.Generator, count: int, low_hz: float, high_hz: float) -> Complexes:
    """Unit-power Gaussian noise of a band: OFDM of somebody else's."""
    spectrum = np.fft.fft(_noise(rng, count))
    freq = np.fft.fftfreq(count, 1 / RATE_HZ)
    spectrum[(freq < low_hz) | (freq > high_hz)] = 0
    made = np.fft.ifft(spectrum)
    return made / math.sqrt(float(np.mean(np.abs(made) ** 2)))


def _clip(y: Complexes, back_off_db: float) -> Complexes:
    limit = RMS / math.sqrt(2) * 10 ** (back_off_db / 20)
    return np.clip(y.real, -limit, limit) + 1j * np.clip(y.imag, -limit, limit)


def _case(name: str, suspects: str, hurt: Hurt, *, free: bool = False) -> Case:
    return Case(name=name, suspects=frozenset(suspects.split()), hurt=hurt, free=free)


def _front_end() -> Iterator[Case]:
    for db in (-30, -20, -10, 0, 10):
        yield _case(f"DC {db:+d} dBc", "dc", lambda y, rng, db=db: y + _level(db) * np.exp(0.7j))
        for hz in (15600, -7900):
            yield _case(
                f"DC {db:+d} dBc, carrier {hz} Hz", "dc",
                lambda y, rng, db=db, hz=hz: y * _spin(hz, len(y)) + _level(db) * np.exp(0.7j), free=True,
            )  # fmt: skip
    for gain, angle in ((0.3, 2), (1, 5), (2, 10), (3, 15)):
        yield _case(f"IQ {gain} dB, {angle}°", "iq", lambda y, rng, g=gain, a=angle: _mixer(y, g, a))
        yield _case(
            f"IQ {gain} dB, {angle}°, carrier 12.3 kHz", "iq",
            lambda y, rng, g=gain, a=angle: _mixer(y * _spin(12300, len(y)), g, a), free=True,
        )  # fmt: skip
        yield _case(
            f"transmitter's IQ {gain} dB, {angle}°, carrier 12.3 kHz", "iq",
            lambda y, rng, g=gain, a=angle: _mixer(y, g, a) * _spin(12300, len(y)), free=True,
        )  # fmt: skip
    yield _case(
        "DC −10 dBc and IQ 2 dB, 10°, carrier 12.3 kHz", "dc iq",
        lambda y, rng: _mixer(y * _spin(12300, len(y)), 2, 10) + _level(-10), free=True,
    )  # fmt: skip
    for db in (12, 9, 6, 3, 0):
        yield _case(f"converter clips at {db} dB back-off", "clipping", lambda y, rng, db=db: _clip(y, db))


def _oscillators() -> Iterator[Case]:
    for hz in (1, 5, 20, 50, 100, 200, 300):
        yield _case(f"carrier {hz} Hz off, shared clock", "carrier drift", lambda y, rng, hz=hz: y * _spin(hz, len(y)))
    for ppm in (5, 20, 40, 60):
        yield _case(f"clock {ppm} ppm off alone", "drift", lambda y, rng, ppm=ppm: _clock(y, ppm))


def _paths() -> Iterator[Case]:
    for hz in (5, 30, 100):
        yield _case(
            f"amplitude flutter {hz} Hz, 50 %", "drift",
            lambda y, rng, hz=hz: y * (1 + 0.5 * np.sin(2 * np.pi * hz / RATE_HZ * np.arange(len(y)))),
        )  # fmt: skip
        yield _case(
            f"second path −3 dB, Doppler {hz} Hz", "drift carrier",
            lambda y, rng, hz=hz: y + 0.7j * _shifted(y, 3) * _spin(hz, len(y)),
        )  # fmt: skip
    for samples in (-14, -8, -5, 7, 20, 40, 100):
        for db in (-6, -15):
            when = "early" if samples < 0 else "late"
            yield _case(
                f"path {abs(samples)} samples {when}, {db} dB", "path",
                lambda y, rng, n=samples, db=db: y + 1j * 10 ** (db / 20) * _shifted(y, n),
            )  # fmt: skip


def _others() -> Iterator[Case]:
    for db in (-20, -10, 0, 10):
        for where, hz in (("in band", 101e3), ("on a carrier", 93750.0), ("in the guard", 453e3)):
            yield _case(
                f"tone {db:+d} dBc {where}", "tone",
                lambda y, rng, db=db, hz=hz: y + _level(db) * np.exp(2j * np.pi * rng.random()) * _spin(hz, len(y)),
            )  # fmt: skip
        for where, low, high in (("in band", 60e3, 220e3), ("in the guard", 430e3, 490e3)):
            yield _case(
                f"foreign OFDM {db:+d} dBc {where}", "tone",
                lambda y, rng, db=db, low=low, high=high: y + _level(db) * _foreign(rng, len(y), low, high),
            )  # fmt: skip
    for db, share in ((10, 1e-3), (20, 1e-3), (30, 1e-4), (30, 1e-3)):
        yield _case(
            f"impulses {db:+d} dB, {share:g}", "impulses",
            lambda y, rng, db=db, share=share: y + (rng.random(len(y)) < share) * _level(db) * _noise(rng, len(y)),
        )  # fmt: skip


def cases() -> list[Case]:
    """The whole matrix, clean cases apart."""
    return [*_front_end(), *_oscillators(), *_paths(), *_others()]


def receiver_truth() -> list[str]:
    """Names of those of ``../shared/cases/receiver_truth.py``, or nearest to them."""
    return [
        "DC -10 dBc, carrier 15600 Hz", "carrier 50 Hz off, shared clock", "IQ 2 dB, 10°", "path 8 samples early, -6 dB",
        "amplitude flutter 30 Hz, 50 %", "impulses +20 dB, 0.001", "tone +0 dBc in band", "converter clips at 0 dB back-off",
    ]  # fmt: skip
