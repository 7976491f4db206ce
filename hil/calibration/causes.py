"""Why a link is not heard, or not well: each cause has its own error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hil.calibration.levels import MOST_BACK_OFF_DB, Levels
from hil.calibration.quiet import Quiet
from hil.calibration.sounding import LinkSounder, Look
from hil.errors import (
    BurstsBrokenError,
    CalibrationError,
    CarrierOffsetError,
    InterferenceError,
    NotConnectedError,
    ReferenceLostError,
    SaturatedError,
    TieSlippedError,
    TooStrongError,
    TooWeakError,
)
from hil.radios.probe import find_probe, make_probe
from hil.radios.scaling import from_int16
from hil.units import decibels

__all__ = ["CLIPS", "check_locks", "excess_db", "saturated", "slipped", "too_strong", "too_weak", "why_lost"]

CLIPS = 1e-3
"""Share of a frame's samples at the rails from which on the receiver is saturated."""
_HEARD_DB = -11.0
"""Power of a burst over the noise that is seen for certain: 4 % over 7,000 samples are 3 standard errors."""
_HOLDS_DB = -8.0
"""SNR from which on a frame as sent here must be received."""
_WIDE = 0.45
"""Share of the sample rate, either way, in which a carrier beyond the search is looked for."""
_SLIP = 48


def check_locks(radios: Mapping[str, Mapping[str, Any]], *, external: bool) -> None:
    """See that every oscillator that tells is locked, and every reference that the bench asks for.

    Args:
        radios: as of `Bench.describe`.
        external: the bench names a clock source other than the devices' own.

    Raises:
        ReferenceLostError: one is not.
    """
    for name, radio in radios.items():
        for sensor, value in radio.get("sensors", {}).items():
            needed = sensor.endswith("lo_locked") or (external and sensor.endswith("ref_locked"))
            if needed and value is False:  # others need not be, such as an N210's mimo_locked without a MIMO cable
                raise ReferenceLostError(
                    f"radio '{name}': its sensor {sensor} says that it is not locked; connect the reference of clock_source, "
                    "or wait until it has settled",
                    radio=name,
                )


def saturated(looks: Sequence[Look]) -> bool:
    """Whether the receiver's converter is at its rails in more than single samples."""
    return any(look.clipped > CLIPS * len(look.samples) for look in looks)


def why_lost(sounder: LinkSounder, looks: Sequence[Look], levels: Levels, quiet: Quiet, search_hz: float) -> CalibrationError:
    """Why frames of a link at the greatest gain, or at any at which it was heard before, are not received.

    Sends probes whose carrier is searched far and wide.

    Args:
        sounder: of the link, at the level in question.
        looks: at that level.
        levels: that the transmitter has.
        quiet: what was heard in silence.
        search_hz: largest carrier offset that was searched.
    """
    link = f"link {sounder.tx}:{sounder.receiver_name}"
    broken = [look for look in looks if not look.whole or look.missing]
    if 2 * len(broken) >= len(looks):
        return BurstsBrokenError(
            f"{link}: {len(broken)} of {len(looks)} bursts went out late or came in with holes; look at the host's load and "
            "network buffers (hil doctor), and at the events of the capture"
        )
    if saturated(looks):
        return _saturated(link, sounder)
    excess = excess_db(looks, quiet)
    wide = _wide_search(sounder)
    if wide is not None and abs(wide) > search_hz + 0.5 * sounder.bench.sample_rate_hz / sounder.form.config.preamble_samples:
        ppm = 1e6 / sounder.bench.config.center_freq_hz
        return CarrierOffsetError(
            f"{link} is heard on a carrier {wide:+.0f} Hz ({wide * ppm:+.1f} ppm) from the receiver's, beyond the search of "
            f"±{search_hz:.0f} Hz (±{search_hz * ppm:.1f} ppm), which is what the oscillators of bench "
            f"'{sounder.bench.config.name}' (clock = \"{sounder.bench.config.clock}\") allow; check center_freq_hz and the "
            'reference, or set clock = "independent" and receiver.max_cfo_hz'
        )
    if quiet.interferer:
        return InterferenceError(
            f"{link}: the receiver hears something that the bench does not send: {quiet.interferer}; move center_freq_hz, or "
            "find and switch off what sends there"
        )
    if wide is not None:
        return TieSlippedError(
            f"{link}: probes are heard, and frames are not found where they should be; the transmitter's stream lost its place "
            f"({sounder.renewed} times tied anew); look for underflows in the capture, and at the host's load"
        )
    at_top = sounder.level.total_db >= levels.high_db - 1e-9
    at = f"{sounder.level.gain_db:g} dB" + (f", {_limit(levels)}" if at_top else "")
    if excess < _HEARD_DB:
        return NotConnectedError(
            f"{link} is not connected: nothing is heard of transmitter {sounder.tx} at a transmit gain of {at} (less than "
            f"{_HEARD_DB:.0f} dB of the noise at {quiet.dbfs:.1f} dBFS); check cable, antenna and channel, or raise the "
            "receiver's gain_db"
        )
    if excess < _HOLDS_DB:
        return TooWeakError(
            f"{link} is too weak: about {excess:.0f} dB of SNR at a transmit gain of {at}, and frames need {_HOLDS_DB:.0f} dB; "
            "shorten the path, or raise the receiver's gain_db"
        )
    return BurstsBrokenError(
        f"{link}: bursts are heard, about {excess:.0f} dB over the noise, and none of {len(looks)} is a frame; the signal may "
        "be clipped at the transmitter, or echoes may come later than the cyclic prefix"
    )


def slipped(looks: Sequence[Look]) -> int | None:
    """Samples by which frames come elsewhere than the first of them did; None where all are in one place."""
    places = [look.late for look in looks if look.late is not None]
    if len(places) < 2 or max(places) - min(places) <= _SLIP:
        return None
    return round(max(places) - min(places))


def too_weak(sounder: LinkSounder, levels: Levels, snr_db: float, target_db: float) -> TooWeakError:
    """Not even the greatest gain reaches the target.

    Args:
        sounder: of the link.
        levels: that the transmitter has.
        snr_db: at the greatest.
        target_db: asked for.
    """
    return TooWeakError(
        f"link {sounder.tx}:{sounder.receiver_name} is too weak for {target_db:g} dB: it reaches {snr_db:.1f} dB at a transmit "
        f"gain of {levels.high_db:g} dB, {_limit(levels)}, and needs {target_db - snr_db:.1f} dB more; ask for at most "
        f"{snr_db:.1f} dB, shorten the path, or raise the receiver's gain_db"
    )


def too_strong(sounder: LinkSounder, levels: Levels, snr_db: float, target_db: float) -> TooStrongError:
    """The lowest level is above the target."""
    return TooStrongError(
        f"link {sounder.tx}:{sounder.receiver_name} is too strong for {target_db:g} dB: {snr_db:.1f} dB at the lowest transmit "
        f"gain of {levels.gains.low:g} dB with {MOST_BACK_OFF_DB:g} dB of digital back-off, which is the most; add attenuation"
    )


def _saturated(link: str, sounder: LinkSounder) -> SaturatedError:
    return SaturatedError(
        f"{link}: the receiver's converter is at its rails at a transmit gain of {sounder.level.gain_db:g} dB with "
        f"{sounder.level.back_off_db:.1f} dB of back-off; lower the receiver's gain_db "
        f"({sounder.bench.rx_gain(sounder.receiver_name):g} dB), or add attenuation"
    )


def _limit(levels: Levels) -> str:
    """What ends the gains, in words."""
    if levels.limited:
        return f"the bench's limit (limits.max_tx_gain_db; the radio itself has {levels.radio_high_db:g} dB)"
    return "which is the most that the radio has (the bench sets no lower limit)"


def excess_db(looks: Sequence[Look], quiet: Quiet) -> float:
    """Power of the strongest stretch of any window, as long as a frame's signal, over the noise (dB)."""
    return max(_excess(look, quiet) for look in looks)


def _excess(look: Look, quiet: Quiet) -> float:
    power = (look.samples - quiet.dc).abs().double().square().numpy()
    length = 6000
    if len(power) < length:
        return -99.0
    sums = np.concatenate([[0.0], np.cumsum(power)])
    mean = float((sums[length:] - sums[:-length]).max()) / length
    return decibels(mean / max(quiet.noise, 1e-30) - 1)


def _wide_search(sounder: LinkSounder) -> float | None:
    """Carrier offset (Hz) of a probe, looked for over almost the whole sample rate; None where it is not heard."""
    rate = sounder.bench.sample_rate_hz
    for number in (9001, 9002, 9003):
        got = sounder.raw(make_probe(number))
        samples = from_int16(got.heard[sounder.receiver_name].samples, sounder.bench.full_scales[sounder.receiver_name])
        found = find_probe(samples, number, rate, _WIDE * rate)
        if found is not None:
            return found.cfo_hz
    return None
