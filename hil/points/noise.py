"""Noise measured in silence: of one burst, and pooled over a run where it does not drift (SIGNALS.md, "Noise")."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hil.phy.mixer import Mixer
from hil.phy.numerology import Numerology
from hil.results.student import chi_square_tail, normal_tail
from hil.units import DB_OF_E

__all__ = ["NoiseLevel", "PooledNoise", "Silence", "level_of", "measure_silence", "pool_noise", "silences_of", "silent_part"]

UNLIKELY = 1e-3
"""A test that finds something less likely than this, where there is none, is believed."""


@dataclass(frozen=True, kw_only=True)
class Silence:
    """Noise power a carrier while nobody sent, around one frame.

    Attributes:
        at: device sample of the burst, for the order in time.
        symbol: mean over the active carriers of the silent symbol.
        lead: the same over the window's lead, in whole symbols before it; windows: how many (0: NaN).
    """

    at: int
    symbol: float
    lead: float
    windows: int


def silent_part(samples: Tensor, start: int, numerology: Numerology, mixer: Mixer | None = None) -> NDArray[np.complex64]:
    """What is silent of a burst's window up to the end of the frame's silent symbol, complex64 [look, N]; last the symbol's.

    The FFT window of the silent symbol lies in its middle, away from both edges; those of the lead end where it begins.

    Args:
        samples: complex64 [n], at least up to the silent symbol's end.
        start: of the frame's silent symbol.
        numerology: its carriers.
        mixer: the receiver's, taken off as the receiver does.
    """
    size = numerology.fft_size
    first = start + numerology.cyclic_prefix // 2
    windows = max(0, first // size)
    part = samples[first - windows * size : first + size]
    silent: NDArray[np.complex64] = (part if mixer is None else mixer.correct(part)).numpy().reshape(windows + 1, size)
    return silent


def silences_of(parts: Sequence[tuple[int, NDArray[np.complex64]]], numerology: Numerology) -> list[Silence]:
    """Noise in what is silent of bursts, on the active carriers.

    Args:
        parts: of each the burst's device sample, and its `silent_part`.
        numerology: its carriers.
    """
    if not parts:
        return []
    looks = np.concatenate([part for _, part in parts]).astype(np.complex128)
    spectrum = np.fft.fft(looks, norm="ortho")[:, _bins(numerology)]
    power = (spectrum.real**2 + spectrum.imag**2).mean(1)
    out, last = [], -1
    for at, part in parts:
        windows = len(part) - 1
        first, last = last + 1, last + 1 + windows
        lead = float(power[first:last].mean()) if windows else math.nan
        out.append(Silence(at=at, symbol=float(power[last]), lead=lead, windows=windows))
    return out


def measure_silence(samples: Tensor, start: int, numerology: Numerology, *, at: int = 0, mixer: Mixer | None = None) -> Silence:
    """Noise in a burst's window, as for `silent_part`; `at`: device sample of the burst."""
    return silences_of([(at, silent_part(samples, start, numerology, mixer))], numerology)[0]


@functools.lru_cache(maxsize=64)
def _bins(numerology: Numerology) -> NDArray[np.int64]:
    return np.array(numerology.bins, np.int64)


@dataclass(frozen=True, kw_only=True)
class NoiseLevel:
    """Noise power a carrier, full scale² = 1, and what it rests on.

    Attributes:
        power: its mean.
        looks: squared values averaged, one a carrier and symbol; the standard error is power/√looks.
        pool: the run's, or the point's own.
    """

    power: float
    looks: int
    pool: Literal["run", "point"] = "point"


def lead_is_silent(silences: Sequence[Silence], active: int) -> bool:
    """Whether the leads hold as much noise as the silent symbols, by their statistical errors.

    They hold more where a transmitter repeats its waveform, and less where it is switched on by the frame.
    """
    windows = sum(one.windows for one in silences)
    if not windows:
        return False
    symbol = sum(one.symbol for one in silences) / len(silences)
    lead = sum(one.lead * one.windows for one in silences if one.windows) / windows
    error = math.sqrt(1 / (active * len(silences)) + 1 / (active * windows))
    return float(normal_tail(math.log(max(lead, 1e-30) / max(symbol, 1e-30)) / error)) > UNLIKELY


def level_of(silences: Sequence[Silence], active: int) -> NoiseLevel | None:
    """Noise of one point: silent symbols, and leads if they are as silent; None without a burst.

    Args:
        silences: of its bursts.
        active: carriers of each look.
    """
    if not silences:
        return None
    lead = lead_is_silent(silences, active)
    return NoiseLevel(power=_mean(silences, lead), looks=active * sum(_weight(one, lead) for one in silences))


def _weight(one: Silence, lead: bool) -> int:
    return 1 + (one.windows if lead else 0)


def _mean(silences: Sequence[Silence], lead: bool) -> float:
    return sum(_value(one, lead) * _weight(one, lead) for one in silences) / sum(_weight(one, lead) for one in silences)


def _value(one: Silence, lead: bool) -> float:
    """Mean noise of one burst."""
    return (one.symbol + one.lead * one.windows) / (1 + one.windows) if lead and one.windows else one.symbol


@dataclass(frozen=True, kw_only=True)
class PooledNoise:
    """The noise of one receiver over a run.

    Attributes:
        levels: of each point, None where nothing was heard; all equal where the pool is the run's.
        whole: over everything.
        drift_p: probability of what drift was seen, where there is none; None: too little to test.
        trend_db: over the run, by a straight line.
        without_lead: points whose lead was not as silent as their silent symbols.
    """

    levels: tuple[NoiseLevel | None, ...]
    whole: NoiseLevel | None
    drift_p: float | None
    trend_db: float | None
    without_lead: int


def pool_noise(points: Sequence[Sequence[Silence]], active: int) -> PooledNoise:
    """One noise for all points at one receive gain, unless it drifts: then each point's own.

    Drift is looked for in two ways: points that differ by more than their errors (χ²), and a trend over time.

    Args:
        points: the silences of each.
        active: carriers of each look.
    """
    own = [level_of(silences, active) for silences in points]
    known = [level for level in own if level is not None]
    if not known:
        return PooledNoise(levels=tuple(own), whole=None, drift_p=None, trend_db=None, without_lead=0)
    looks = sum(level.looks for level in known)
    power = sum(level.power * level.looks for level in known) / looks
    apart = chi_square_tail(sum(level.looks * (level.power / power - 1) ** 2 for level in known), len(known) - 1)
    leads = [lead_is_silent(silences, active) for silences in points]
    trend_db, steady = _trend(points, leads, active, power)
    drift_p = min(1.0, 2 * min(apart, steady))
    drifts = drift_p < UNLIKELY and len(known) > 1
    whole = NoiseLevel(power=power, looks=looks, pool="point" if drifts else "run")
    return PooledNoise(
        levels=tuple(own) if drifts else tuple(None if level is None else whole for level in own),
        whole=whole,
        drift_p=drift_p,
        trend_db=trend_db,
        without_lead=sum(bool(silences) and not lead for silences, lead in zip(points, leads, strict=True)),
    )


def _trend(points: Sequence[Sequence[Silence]], leads: Sequence[bool], active: int, power: float) -> tuple[float, float]:
    """Change over the run by a straight line (dB), and the probability of a larger one where there is none."""
    seen = [
        (one.at, _value(one, lead) / power - 1, active * _weight(one, lead))
        for own, lead in zip(points, leads, strict=True)
        for one in own
    ]
    looks = sum(weight for _, _, weight in seen)
    middle = sum(at * weight for at, _, weight in seen) / looks
    spread = sum(weight * (at - middle) ** 2 for at, _, weight in seen)
    if spread <= 0:
        return 0.0, 1.0
    slope = sum(weight * (at - middle) * value for at, value, weight in seen) / spread
    times = [at for at, _, _ in seen]
    return DB_OF_E * slope * (max(times) - min(times)), float(normal_tail(slope * math.sqrt(spread)))
