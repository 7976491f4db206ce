"""Measure each link alone, and set its SNR by transmit gain."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hil.errors import CalibrationError
from hil.phy.frame import FrameConfig, FrameFormat
from hil.phy.receive import FrameReception, Receiver, ReceiverConfig
from hil.phy.transmit import FrameBuilder
from hil.units import DB_OF_E, power_to_db

__all__ = ["Heard", "LinkCalibration", "Sounder", "calibrate_links", "links_of"]

WEAKEST_DB = -3.0
"""SNR at the greatest gain from which on a link is measured there; whether that is enough for a target is seen then."""
Heard = Mapping[str, FrameReception | None]
"""What each receiver made of a sounding frame, the first one's first; None where it was lost."""
Receive = Callable[[str, Tensor], FrameReception | None]
Exchange = Callable[[Tensor, int, Receive], Heard]
"""Puts waveforms complex64 [tx, n] of frame `number` on the air, lets each receiver look at its samples (name, complex64 [m]),
keeps them, and returns what was received."""


@dataclass(frozen=True, kw_only=True)
class LinkCalibration:
    """One link as measured.

    Attributes:
        tx: the transmitter; receiver: its name; frames: frames averaged.
        gain_db: transmit gain it was measured at; snr_db: SNR there (dB), with its standard error `snr_db_std`.
        cfo_hz: carrier frequency offset; noise_dbfs: noise power a sample at the receiver.
    """

    tx: int
    receiver: str = "rx"
    gain_db: float
    snr_db: float
    snr_db_std: float
    cfo_hz: float
    noise_dbfs: float
    frames: int

    def gain_for(self, snr_db: float) -> float:
        """Transmit gain for a target SNR (dB), before rounding to the device's steps."""
        return self.gain_db + snr_db - self.snr_db

    def snr_at(self, gain_db: float) -> float:
        """SNR (dB) at a transmit gain."""
        return self.snr_db + gain_db - self.gain_db

    def amplitude_at(self, gain_db: float) -> float:
        """Root of the mean |H|² of a carrier at a transmit gain, in digital units of the receiver."""
        return float(10 ** ((self.snr_at(gain_db) + self.noise_dbfs) / 20))


class Sounder:
    """Sends frames without payload, in which each transmitter is heard alone.

    Args:
        transmitters: number of transmitters.
        config: the run's frame configuration (numerology, preamble, scale, seed).
        receivers: the run's receiver configurations by name, the first one first.
        exchange: puts a frame on the air.
        symbols: sounding symbols of each transmitter in a frame.
    """

    def __init__(
        self,
        transmitters: int,
        config: FrameConfig,
        receivers: Mapping[str, ReceiverConfig],
        exchange: Exchange,
        *,
        symbols: int,
    ) -> None:
        frame = config.model_copy(update={"tasks_per_frame": 0, "sounding_symbols": symbols})
        self.form = FrameFormat(frame, torch.ones((transmitters, 1), dtype=torch.bool))
        self._receivers = {name: Receiver(self.form, receiver) for name, receiver in receivers.items()}
        self._builder = FrameBuilder(self.form)
        self._exchange = exchange

    @property
    def receivers(self) -> tuple[str, ...]:
        """Their names, the first one's first."""
        return tuple(self._receivers)

    @property
    def search_hz(self) -> float:
        """Largest carrier offset that the first receiver looks for."""
        return next(iter(self._receivers.values())).config.max_cfo_hz

    def sound(self, number: int) -> Heard:
        """Send one frame; what each receiver made of it, None where it was lost."""

        def receive(name: str, samples: Tensor) -> FrameReception | None:
            found = self._receivers[name].receive(samples)
            return next((frame for frame in found if frame.number == number % 65536), None)

        return self._exchange(self._builder.build(None, [number])[0], number, receive)


def calibrate_links(
    sounder: Sounder,
    set_gain: Callable[[int, float], float],
    gain_range: Callable[[int], tuple[float, float]],
    *,
    first_frame: int = 0,
    aim_db: float = 15.0,
    frames: int = 40,
    looks: int = 1,
) -> list[LinkCalibration]:
    """Measure all links at a comfortable SNR of the first receiver.

    The gain climbs from the bottom of its range in steps of 10 dB until every link is heard well, then each link is
    brought near `aim_db` and measured over `frames` frames.

    Args:
        sounder: sends the sounding frames.
        set_gain: sets a transmitter's gain (dB) and returns what the radio applied.
        gain_range: a transmitter's least and greatest gain (dB).
        first_frame: number of the first frame sent.
        aim_db: SNR to measure at.
        frames: frames to average.
        looks: frames that each step of the climb is judged by; more than one where links fade.

    Returns:
        for each receiver, the first one's first, each transmitter's link. A further receiver that heard nothing has NaN.

    Raises:
        CalibrationError: a link is not heard even at full gain, or most frames are lost.
    """
    first = sounder.receivers[0]
    gains, number = _climb(sounder, set_gain, gain_range, first_frame, aim_db, looks)
    heard = [sounder.sound(number + index) for index in range(frames)]
    found: list[LinkCalibration] = []
    for name in sounder.receivers:
        good = [look for one in heard if (look := one[name]) is not None]
        if name == first and len(good) < max(2, frames // 2):
            raise CalibrationError(
                f"only {len(good)} of {frames} sounding frames were received at transmit gains {_show(gains)} dB; "
                "look for interference, or for overflows in the ledger"
            )
        found += links_of(name, good, gains)
    return found


def _climb(
    sounder: Sounder,
    set_gain: Callable[[int, float], float],
    gain_range: Callable[[int], tuple[float, float]],
    number: int,
    aim_db: float,
    looks: int,
) -> tuple[list[float], int]:
    """Gains at which the first receiver hears every link near `aim_db`, and the next frame's number."""
    transmitters = sounder.form.transmitters
    limits = [gain_range(tx) for tx in range(transmitters)]
    gains = [set_gain(tx, limits[tx][0]) for tx in range(transmitters)]
    first = sounder.receivers[0]
    while True:
        seen = [sounder.sound(number + look)[first] for look in range(looks)]
        number += looks
        snr = _mean_snr([one for one in seen if one is not None], transmitters)
        if all(value > aim_db - 3 for value in snr):
            break
        wanted = [gain + min(10.0, aim_db - value) for gain, value in zip(gains, snr, strict=True)]
        if all(want <= gain or gain >= limit[1] for want, gain, limit in zip(wanted, gains, limits, strict=True)):
            if all(value > WEAKEST_DB for value in snr):
                break
            if not seen or all(look is None for look in seen):
                carriers = (
                    f"carriers more than {sounder.search_hz / 1e3:g} kHz apart (receiver.max_cfo_hz)"
                    if sounder.search_hz
                    else "the reference that the bench says its radios share"
                )
                raise CalibrationError(
                    f"no sounding frame is heard at any transmit gain up to {_show(gains)} dB, the most the radios give: look "
                    f"for the antennas, the cables, and {carriers}; hil calibrate tells which link, and why"
                )
            raise CalibrationError(
                f"a link is too weak: SNR {_show(snr)} dB at transmit gains {_show(gains)} dB, which is the most the radios "
                "give; shorten the path, raise the receive gain, or check antennas and cables"
            )
        for tx, want in enumerate(wanted):
            gains[tx] = set_gain(tx, min(max(want, limits[tx][0]), limits[tx][1]))
    for tx, value in enumerate(snr):
        gains[tx] = set_gain(tx, min(max(gains[tx] + aim_db - value, limits[tx][0]), limits[tx][1]))
    return gains, number


def links_of(receiver: str, good: Sequence[FrameReception], gains: Sequence[float]) -> list[LinkCalibration]:
    """The links to one receiver, from the frames that it received."""
    if len(good) < 2:
        nan = math.nan
        return [
            LinkCalibration(
                tx=tx, receiver=receiver, gain_db=gain, snr_db=nan, snr_db_std=nan, cfo_hz=nan, noise_dbfs=nan, frames=len(good)
            )
            for tx, gain in enumerate(gains)
        ]
    signal = torch.stack([look.signal for look in good]).double()
    powers = torch.tensor([look.noise for look in good], dtype=torch.float64)
    noise = float(powers.mean())  # its mean, as the mean of quotients by a few looks each strays further
    spread = signal.var(0) / signal.mean(0).square() + powers.var() / noise**2
    return [
        LinkCalibration(
            tx=tx,
            receiver=receiver,
            gain_db=gain,
            snr_db=_db(float(signal[:, tx].mean()) / noise),
            snr_db_std=DB_OF_E * math.sqrt(float(spread[tx]) / len(good)),
            cfo_hz=float(torch.stack([look.cfo_hz for look in good])[:, tx].mean()),
            noise_dbfs=_db(noise),
            frames=len(good),
        )
        for tx, gain in enumerate(gains)
    ]


def _mean_snr(heard: Sequence[FrameReception], transmitters: int) -> list[float]:
    if not heard:
        return [-math.inf] * transmitters
    return [_db(value) for value in torch.stack([one.snr for one in heard]).mean(0).tolist()]


def _db(value: float) -> float:
    return power_to_db(value) if value > 0 else -math.inf


def _show(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.1f}" for value in values)
