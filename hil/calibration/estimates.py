"""What frames of known payload say of their link."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from hil.calibration.intervals import Interval, Part, interval_db, mean_interval, slope_interval
from hil.calibration.sounding import Look
from hil.phy.frame import FrameFormat
from hil.phy.reception import FrameReception, ReceiverConfig
from hil.units import DB_OF_E, decibels

__all__ = [
    "Carriers", "Clocks", "Silence", "Snr", "clocks_of", "fraction_of", "observed_of", "pool_silence", "received",
    "response_of", "snr_of",
]  # fmt: skip

FRONT_END_DB = 0.02
"""Standard uncertainty that frames cannot show and no averaging takes away: on one clock images of −25 dB on both sides change
a link's gain by up to 0.03 dB, and may cancel where they are looked for."""
AGREE_DB = 0.5
"""Estimates of one SNR that differ by more, beyond their intervals, are not of one thing."""


def received(looks: Sequence[Look]) -> list[tuple[Look, FrameReception]]:
    """The looks whose frame was received."""
    return [(look, look.frame) for look in looks if look.frame is not None]


@dataclass(frozen=True, kw_only=True)
class Silence:
    """Noise a carrier ahead of frames: its power, the squared values averaged, and the same by carrier."""

    power: float
    looks: int
    by_carrier: NDArray[np.float64]

    def agrees(self, other: Silence) -> bool:
        """Whether both may be of one noise: within three standard errors."""
        return abs(math.log(self.power / other.power)) < 3 * math.sqrt(1 / self.looks + 1 / other.looks)

    def joined(self, other: Silence) -> Silence:
        """Both as one."""
        looks = self.looks + other.looks
        own, more = self.looks / looks, other.looks / looks
        return Silence(
            power=own * self.power + more * other.power,
            looks=looks,
            by_carrier=own * self.by_carrier + more * other.by_carrier,
        )


def pool_silence(looks: Sequence[Look]) -> Silence | None:
    """Noise over everything silent ahead of received frames; None without one."""
    parts = [look.silence for look in looks if len(look.silence)]
    if not parts:
        return None
    every = torch.cat(parts).double().numpy()
    return Silence(power=float(every.mean()), looks=every.size, by_carrier=every.mean(0))


@dataclass(frozen=True, kw_only=True)
class Snr:
    """SNR of a link by three estimates of its noise, dB, with 95 % intervals; all at one level.

    Attributes:
        silence: noise where nobody sends (SIGNALS.md, "SNR": this is the one that is stated).
        pilots: error of pilots, each against a track that left it out.
        data: error of the known payload, against the channel that soundings and pilots gave.
        eff: −EVM of the payload, estimation loss included.
        frames: received.
    """

    silence: float
    silence_ci: Interval
    pilots: float
    pilots_ci: Interval
    data: float
    data_ci: Interval
    eff: float
    frames: int

    def shifted(self, by_db: float) -> Snr:
        """The same at another level."""

        def moved(ends: Interval) -> Interval:
            return ends[0] + by_db, ends[1] + by_db

        return Snr(
            silence=self.silence + by_db,
            silence_ci=moved(self.silence_ci),
            pilots=self.pilots + by_db,
            pilots_ci=moved(self.pilots_ci),
            data=self.data + by_db,
            data_ci=moved(self.data_ci),
            eff=self.eff + by_db,
            frames=self.frames,
        )

    @property
    def disagreement(self) -> str:
        """What of the three does not fit, in words; "" where they agree."""
        found = []
        for name, value, ends in (("pilots", self.pilots, self.pilots_ci), ("data-aided", self.data, self.data_ci)):
            gap = value - self.silence
            half = math.hypot((ends[1] - ends[0]) / 2, (self.silence_ci[1] - self.silence_ci[0]) / 2)
            if abs(gap) > max(AGREE_DB, half):
                found.append(f"{name} {value:.2f} dB")
        return f"SNR by silence {self.silence:.2f} dB, but by " + " and by ".join(found) if found else ""


def snr_of(
    looks: Sequence[Look],
    form: FrameFormat,
    config: ReceiverConfig,
    pool: Silence | None = None,
    *,
    image: float = 0.0,
) -> Snr | None:
    """SNR at one level; None where fewer than two frames were received.

    Args:
        looks: at that level.
        form: of their frames.
        config: how they were received.
        pool: noise of more looks at the same receive gain; None: their own.
        image: power of the mixers' images relative to the signal. A receiver's image adds as much noise, and one of either side
            as much signal at most: a standard uncertainty that no averaging takes away.
    """
    good = received(looks)
    noise = pool or pool_silence(looks)
    if len(good) < 2 or noise is None:
        return None
    signal = np.array([float(frame.signal[0]) for _, frame in good])
    pilots = np.array([frame.pilot_noise for _, frame in good])
    cost = config.taps / (form.numerology.active * form.config.sounding_symbols)
    errors = [_errors(look, frame) for look, frame in good]
    data = np.array([error for error, _ in errors]) / (1 + cost)
    mean = float(signal.mean())
    own = _spread(signal)
    still = Part(1 / noise.looks, float(noise.looks))
    unseen = Part(image**2 + (FRONT_END_DB / DB_OF_E) ** 2, math.inf)
    by_silence = mean / max(noise.power, 1e-30) * (noise.looks - 1) / noise.looks
    by_pilots, by_data = mean / max(float(pilots.mean()), 1e-30), mean / max(float(data.mean()), 1e-30)
    return Snr(
        silence=decibels(by_silence),
        silence_ci=interval_db(by_silence, own, still, unseen),
        pilots=decibels(by_pilots),
        pilots_ci=interval_db(by_pilots, own, _spread(pilots)),
        data=decibels(by_data),
        data_ci=interval_db(by_data, own, _spread(data)),
        eff=-decibels(float(np.mean([evm for _, evm in errors]))),
        frames=len(good),
    )


def _errors(look: Look, frame: FrameReception) -> tuple[float, float]:
    """Error power of the payload a carrier, in the units of the noise; and relative to what was sent."""
    error = (frame.symbols - look.payload).abs().double().square()
    carried = frame.noise / frame.noise_var.double().clamp_min(1e-30)
    return float((error * carried).mean()), float(error.mean())


def _spread(values: NDArray[np.float64]) -> Part:
    """Relative variance of a mean."""
    mean = float(values.mean())
    if mean <= 0:
        return Part(math.inf, 1.0)
    return Part(float(values.var(ddof=1)) / len(values) / mean**2, len(values) - 1.0)


@dataclass(frozen=True, kw_only=True)
class Clocks:
    """Carrier, sample clock and delay of a link over its frames, with 95 % intervals.

    Attributes:
        cfo_hz: transmitter minus receiver; drift_hz_s: its change over the time of the looks.
        clock_ppm: sample clock, transmitter minus receiver.
        delay: samples, with a fraction, against no delay; NaN where nothing tells when bursts were sent.
        jitter: standard deviation of single frames' delays, samples.
        times_s, cfos_hz: of each frame, for a plot.
    """

    cfo_hz: float
    cfo_ci: Interval
    drift_hz_s: float
    drift_ci: Interval
    clock_ppm: float
    clock_ci: Interval
    delay: float
    delay_ci: Interval
    jitter: float
    times_s: list[float]
    cfos_hz: list[float]


def clocks_of(looks: Sequence[Look], form: FrameFormat) -> Clocks:
    """Carrier, clock and delay, of looks of which one at least was received."""
    good = received(looks)
    times = [look.at_s - good[0][0].at_s for look, _ in good]
    cfos = [float(frame.cfo_hz[0]) for _, frame in good]
    cfo, cfo_ci = mean_interval(cfos)
    drift, drift_ci = slope_interval(times, cfos)
    clock, clock_ci = mean_interval([float(frame.clock_ppm[0]) for _, frame in good])
    delays = [look.late + fraction_of(frame, form) for look, frame in good if look.late is not None]
    delay, delay_ci = mean_interval(delays)
    jitter = float(np.std(delays, ddof=1)) if len(delays) > 1 else math.nan
    return Clocks(
        cfo_hz=cfo,
        cfo_ci=cfo_ci,
        drift_hz_s=drift,
        drift_ci=drift_ci,
        clock_ppm=clock,
        clock_ci=clock_ci,
        delay=delay,
        delay_ci=delay_ci,
        jitter=jitter,
        times_s=times,
        cfos_hz=cfos,
    )


def observed_of(looks: Sequence[Look]) -> tuple[float, NDArray[np.float64]]:
    """Observed over stated error power of known cells, whole and by carrier: float64 [active carrier]."""
    every = [frame.observed for _, frame in received(looks)]
    error = torch.stack([one.carrier_error.double() for one in every]).sum(0)
    count = torch.stack([one.carrier_count for one in every]).sum(0)
    stated = sum(float((one.stated.double() * one.symbol_count).sum()) for one in every)
    cells = sum(float(one.symbol_count.sum()) for one in every)
    ratio = (error / count / (stated / cells)).numpy()
    return float(np.mean([one.ratio for one in every])), np.nan_to_num(ratio, nan=1.0)


def fraction_of(frame: FrameReception, form: FrameFormat) -> float:
    """Power-weighted mean delay of a link beyond the frame's first sample, in samples: the slope of its phase over carriers."""
    response = frame.response[0].to(torch.complex128)
    carriers = torch.tensor(form.numerology.carriers)
    steps = carriers[1:] - carriers[:-1] == 1
    slope = float((response[1:] * response[:-1].conj())[steps].sum().angle())
    return -slope * form.numerology.fft_size / (2 * math.pi)


@dataclass(frozen=True, kw_only=True)
class Carriers:
    """A link over its carriers.

    Attributes:
        response_db: float64 [active carrier], |H|² relative to its mean.
        snr_db: float64 [active carrier], SNR of each.
        delay_spread: root mean square of delay, weighted with power, samples.
    """

    response_db: NDArray[np.float64]
    snr_db: NDArray[np.float64]
    delay_spread: float

    @property
    def snr_spread_db(self) -> float:
        """Standard deviation of the carriers' SNRs, dB."""
        return float(np.std(self.snr_db))


def response_of(looks: Sequence[Look], form: FrameFormat, snr_db: float) -> Carriers:
    """Frequency response, and what follows from it.

    Args:
        looks: two at least received, at one level.
        form: of their frames.
        snr_db: at that level.
    """
    good = received(looks)
    every = torch.stack([_aligned(frame, form) for _, frame in good]).numpy()
    mean = every.mean(0)
    variance = (np.abs(every - mean) ** 2).sum(0) / max(len(every) - 1, 1) / len(every)
    power = np.maximum(np.abs(mean) ** 2 - variance, 1e-6 * float(np.mean(np.abs(mean) ** 2)))
    silence = pool_silence(looks)
    noise = np.ones(len(power)) if silence is None else silence.by_carrier / silence.power
    relative = power / power.mean()
    return Carriers(
        response_db=10 * np.log10(relative),
        snr_db=snr_db + 10 * np.log10(relative / noise),
        delay_spread=_delay_spread(mean, form),
    )


def _aligned(frame: FrameReception, form: FrameFormat) -> torch.Tensor:
    """A frame's response with mean delay and common phase taken off, so that frames add up whatever their clocks did."""
    carriers = torch.tensor(form.numerology.carriers)
    turns = torch.exp(2j * math.pi / form.numerology.fft_size * fraction_of(frame, form) * carriers)
    response = frame.response[0].to(torch.complex128) * turns
    return response * torch.exp(-1j * response.sum().angle())


def _delay_spread(response: NDArray[np.complex128], form: FrameFormat) -> float:
    """From how alike neighbouring carriers are: |Σ H_k+1 H_k*| / Σ |H_k|² ≈ 1 − (2π τ/N)²/2 for a spread of τ samples."""
    carriers = np.array(form.numerology.carriers)
    steps = np.diff(carriers) == 1
    first, second = response[:-1][steps], response[1:][steps]
    alike = abs(np.vdot(first, second)) / math.sqrt(float(np.vdot(first, first).real * np.vdot(second, second).real))
    return form.numerology.fft_size / (2 * math.pi) * math.sqrt(max(2 * (1 - alike), 0.0))
