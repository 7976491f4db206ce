"""What was measured of a link, put together as its record."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from hil.calibration.distortion import disagreement
from hil.calibration.estimates import Clocks, Snr, observed_of, received, response_of
from hil.calibration.loop import Curve, Loop, Met
from hil.calibration.mixers import Mixers, mixers_of
from hil.calibration.quiet import NoiseAtGain, Quiet
from hil.calibration.record import CurvePoint, LinkRecord, NoisePoint
from hil.phy.quality import use_carriers
from hil.units import amplitude_to_db, decibels, ppm

__all__ = ["constellation_of", "describe_link", "linear_range"]

FOLLOWS_DB = 1.0
"""SNR by the payload's error follows the gain as long as it falls behind the line by so much at most."""
RISES_DB = 0.3
"""Noise that a transmitter adds where it sends nothing, from which on it is told."""
_FLOOR_DB = -99.0


def describe_link(
    loop: Loop, at_aim: Snr, curve: Sequence[Curve], met: Met, target_db: float, noise: Sequence[NoiseAtGain]
) -> LinkRecord:
    """The record of a link that was brought to its target.

    Args:
        loop: all its steps done.
        at_aim, curve, met: what they gave.
        target_db: asked for.
        noise: by receive gain.
    """
    sounder, bench = loop.sounder, loop.sounder.bench
    quiet, levels, clocks = loop.quiet or loop.listen(), loop.levels, loop.clocks()
    carriers = response_of(loop.aimed, sounder.form, at_aim.silence)
    mixers = loop.mixers or mixers_of(loop.aimed, sounder.form, sounder.config, bench.sample_rate_hz)
    base = at_aim.silence - loop.aimed[0].level.total_db
    points = tuple(_curve_point(one) for one in curve)
    linear = linear_range(points)
    snr = met.snr
    observed, by_carrier = observed_of(met.looks)
    return LinkRecord(
        link=f"{sounder.tx}:{sounder.receiver_name}",
        tx=sounder.tx,
        receiver=sounder.receiver_name,
        snr_db_target=target_db,
        snr_db=round(snr.silence, 3),
        snr_db_ci=_ends(snr.silence_ci),
        snr_pilots_db=round(snr.pilots, 3),
        snr_pilots_db_ci=_ends(snr.pilots_ci),
        snr_data_db=round(snr.data, 3),
        snr_data_db_ci=_ends(snr.data_ci),
        snr_eff_db=round(snr.eff, 3),
        preamble_snr_db=round(snr.silence, 3),
        tx_gain_db=met.level.gain_db,
        back_off_db=round(met.level.back_off_db, 4),
        converter_bits_lost=round(met.level.converter_bits, 2),
        tx_gain_range_db=(levels.gains.low, levels.radio_high_db),
        tx_gain_limit_db=bench.config.max_tx_gain_db(sounder.tx),
        rx_gain_db=bench.rx_gain(sounder.receiver_name),
        reachable_db=(round(base + levels.low_db, 1), round(base + levels.high_db, 1)),
        noise_dbfs=round(quiet.dbfs, 3),
        noise_dbfs_ci=_ends(quiet.dbfs_ci),
        noise_by_rx_gain=tuple(NoisePoint(rx_gain_db=one.rx_gain_db, noise_dbfs=round(one.noise_dbfs, 2)) for one in noise),
        delay_spread_samples=round(carriers.delay_spread, 3),
        response_db=tuple(round(float(value), 3) for value in carriers.response_db),
        carrier_snr_db=tuple(round(float(value), 2) for value in carriers.snr_db),
        carrier_snr_spread_db=round(carriers.snr_spread_db, 3),
        observed_over_stated=round(observed, 4),
        observed_by_carrier=tuple(round(float(value), 3) for value in by_carrier),
        curve=points,
        linear_range_db=linear,
        frames_sent=len(met.looks),
        frames_received=snr.frames,
        warnings=_warnings(loop, mixers, quiet, met, linear),
        **_of_clocks(clocks, loop.search_hz, bench.true_config.center_freq_hz, free=sounder.config.max_cfo_hz > 0),
        **_of_mixers(mixers, quiet),
    )


def constellation_of(loop: Loop, met: Met, most: int = 1500) -> tuple[NDArray[np.complex64], NDArray[np.complex64]]:
    """Payload symbols of the target's frames before and after equalisation, complex64 [n], the most recent first."""
    form = loop.sounder.form
    carriers = use_carriers(form)
    before, after = [], []
    for _, frame in reversed(received(met.looks)):
        after.append(frame.symbols.flatten())
        before.append((frame.symbols * frame.response[0][carriers]).flatten())
    return torch.cat(before)[:most].numpy(), torch.cat(after)[:most].numpy()


def _of_clocks(clocks: Clocks, search_hz: float, carrier_hz: float, *, free: bool) -> dict[str, object]:
    """The keys that tell of carrier, clock and delay; `free`: the receiver looks for offsets of carrier and clock."""
    known = math.isfinite(clocks.delay)
    return {
        "cfo_hz": round(clocks.cfo_hz, 3),
        "cfo_hz_ci": _ends(clocks.cfo_ci),
        "cfo_ppm": round(clocks.cfo_hz / carrier_hz / ppm(1.0), 6),
        "cfo_drift_hz_s": round(clocks.drift_hz_s, 3),
        "cfo_drift_hz_s_ci": _ends(clocks.drift_ci),
        "cfo_search_hz": round(search_hz, 1),
        "clock_ppm": round(clocks.clock_ppm, 4) if free else None,  # without a search it is 0, whatever is true
        "clock_ppm_ci": _ends(clocks.clock_ci) if free else None,
        "delay_samples": round(clocks.delay, 4) if known else None,
        "delay_samples_ci": _ends(clocks.delay_ci) if known else None,
        "delay_jitter_samples": round(clocks.jitter, 4) if known else None,
        "cfo_times_s": tuple(round(value, 4) for value in clocks.times_s),
        "cfos_hz": tuple(round(value, 3) for value in clocks.cfos_hz),
    }


def _of_mixers(mixers: Mixers, quiet: Quiet) -> dict[str, object]:
    """The keys that tell of DC and images."""
    return {
        "rx_dc_dbfs": round(decibels(abs(quiet.dc) ** 2), 1),
        "tx_dc_dbc": round(mixers.tx_dc_db, 1),
        "rx_image_db": _image(mixers.rx_image),
        "tx_image_db": _image(mixers.tx_image),
        "images_apart": mixers.apart,
    }


def _curve_point(one: Curve) -> CurvePoint:
    known = one.snr is not None
    return CurvePoint(
        gain_db=one.gain_db,
        snr_db=round(one.snr.silence, 2) if known and one.snr is not None else None,
        snr_data_db=round(one.snr.data, 2) if known and one.snr is not None else None,
        clipped=round(one.clipped, 6),
    )


def linear_range(points: Sequence[CurvePoint]) -> tuple[float, float] | None:
    """Gains between which SNR, by the payload's error, follows the gain; None for fewer than two points.

    The longest stretch of steps that keep slope 1 within `FOLLOWS_DB`.
    """
    known = [one for one in points if one.snr_data_db is not None]
    best: tuple[float, float] | None = None
    first = 0
    for index in range(1, len(known) + 1):
        if index < len(known) and _follows(known[index - 1], known[index]):
            continue
        if index - first > 1 and (best is None or known[index - 1].gain_db - known[first].gain_db > best[1] - best[0]):
            best = (known[first].gain_db, known[index - 1].gain_db)
        first = index
    return best


def _follows(lower: CurvePoint, upper: CurvePoint) -> bool:
    step = (upper.snr_data_db or 0.0) - (lower.snr_data_db or 0.0)
    return abs(step - (upper.gain_db - lower.gain_db)) <= FOLLOWS_DB


def _warnings(loop: Loop, mixers: Mixers, quiet: Quiet, met: Met, linear: tuple[float, float] | None) -> tuple[str, ...]:
    """What does not fit, in words."""
    found = []
    if apart := disagreement(met.snr, mixers, met.looks):
        found.append(apart)
    if loop.rise_db > RISES_DB:
        found.append(f"the noise is {loop.rise_db:.1f} dB higher while the transmitter is on than in silence")
    if quiet.interferer:
        found.append(f"in the band while nobody sends: {quiet.interferer}")
    if met.level.back_off_db >= 6:
        found.append(
            f"{met.level.back_off_db:.1f} dB of digital back-off below the gain's step cost "
            f"{met.level.converter_bits:.1f} bits of the transmit converter"
        )
    if (
        linear is not None
        and not loop.fading
        and not linear[0] - 3 <= met.level.total_db <= linear[1] + 3
        and met.level.back_off_db < 6
    ):
        found.append(f"the gain lies outside the range {linear[0]:g}…{linear[1]:g} dB in which SNR follows it")
    if not met.reached:
        found.append(f"{met.snr.silence:.2f} dB is what was reached of the target")
    if loop.fading:
        found.append("the link fades: its mean SNR was measured, and the target met by the scale of the gain")
    if loop.sounder.renewed and not loop.fading:
        found.append(f"streams were tied anew {loop.sounder.renewed} times")
    return tuple(found)


def _image(value: complex) -> float:
    return round(amplitude_to_db(abs(value)), 1) if abs(value) > 1e-5 else _FLOOR_DB


def _ends(ends: tuple[float, float]) -> tuple[float, float]:
    """An interval that TOML and JSON can hold."""
    low, high = (value if math.isfinite(value) else math.copysign(1e9, value) if value == value else 0.0 for value in ends)
    return round(low, 4), round(high, 4)
