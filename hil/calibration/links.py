"""Measure each link alone, and set its SNR by transmit gain."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from hil.errors import CalibrationError
from hil.phy.frame import FrameConfig, FrameFormat
from hil.phy.receive import FrameReception, Receiver, ReceiverConfig
from hil.phy.transmit import FrameBuilder
from hil.units import power_to_db

__all__ = ["LinkCalibration", "Sounder", "calibrate_links"]

Receive = Callable[[Tensor], FrameReception | None]
Exchange = Callable[[Tensor, int, Receive], FrameReception | None]
"""Puts waveforms complex64 [tx, n] of frame `number` on the air, lets the receiver look at the samples (complex64 [m]), keeps
both, and returns what was received."""


@dataclass(frozen=True, kw_only=True)
class LinkCalibration:
    """One link as measured.

    Attributes:
        tx: the transmitter; frames: frames averaged.
        gain_db: transmit gain it was measured at; snr_db: SNR there (dB), with its standard error `snr_db_std`.
        cfo_hz: carrier frequency offset; noise_dbfs: noise power a sample at the receiver.
    """

    tx: int
    gain_db: float
    snr_db: float
    snr_db_std: float
    cfo_hz: float
    noise_dbfs: float
    frames: int

    def gain_for(self, snr_db: float) -> float:
        """Transmit gain for a target SNR (dB), before rounding to the device's steps."""
        return self.gain_db + snr_db - self.snr_db


class Sounder:
    """Sends frames without payload, in which each transmitter is heard alone.

    Args:
        transmitters: number of transmitters.
        config: the run's frame configuration (numerology, preamble, scale, seed).
        receiver: the run's receiver configuration.
        exchange: puts a frame on the air.
        symbols: sounding symbols of each transmitter in a frame.
    """

    def __init__(
        self, transmitters: int, config: FrameConfig, receiver: ReceiverConfig, exchange: Exchange, *, symbols: int
    ) -> None:
        frame = config.model_copy(update={"tasks_per_frame": 0, "sounding_symbols": symbols})
        self.form = FrameFormat(frame, torch.ones((transmitters, 1), dtype=torch.bool))
        self._receiver, self._builder = Receiver(self.form, receiver), FrameBuilder(self.form)
        self._exchange = exchange

    def sound(self, number: int) -> FrameReception | None:
        """Send one frame; what was received, None if it was lost."""

        def receive(samples: Tensor) -> FrameReception | None:
            return next((frame for frame in self._receiver.receive(samples) if frame.number == number % 65536), None)

        return self._exchange(self._builder.build(None, [number])[0], number, receive)


def calibrate_links(
    sounder: Sounder,
    set_gain: Callable[[int, float], float],
    gain_range: Callable[[int], tuple[float, float]],
    *,
    first_frame: int = 0,
    aim_db: float = 15.0,
    frames: int = 40,
) -> list[LinkCalibration]:
    """Measure all links at a comfortable SNR.

    The gain climbs from the bottom of its range in steps of 10 dB until every link is heard well, then each link is
    brought near `aim_db` and measured over `frames` frames.

    Args:
        sounder: sends the sounding frames.
        set_gain: sets a transmitter's gain (dB) and returns what the radio applied.
        gain_range: a transmitter's least and greatest gain (dB).
        first_frame: number of the first frame sent.
        aim_db: SNR to measure at.
        frames: frames to average.

    Raises:
        CalibrationError: a link is not heard even at full gain, or most frames are lost.
    """
    transmitters = sounder.form.transmitters
    limits = [gain_range(tx) for tx in range(transmitters)]
    gains = [set_gain(tx, limits[tx][0]) for tx in range(transmitters)]
    number = first_frame
    while True:
        heard = sounder.sound(number)
        number += 1
        snr = [_db(value) for value in heard.snr.tolist()] if heard else [-math.inf] * transmitters
        if all(value > aim_db - 3 for value in snr):
            break
        wanted = [gain + min(10.0, aim_db - value) for gain, value in zip(gains, snr, strict=True)]
        if all(want <= gain or gain >= limit[1] for want, gain, limit in zip(wanted, gains, limits, strict=True)):
            raise CalibrationError(
                f"a link is too weak: SNR {_show(snr)} dB at transmit gains {_show(gains)} dB, which is the most the radios "
                "give; shorten the path, raise the receive gain, or check antennas and cables"
            )
        for tx, want in enumerate(wanted):
            gains[tx] = set_gain(tx, min(max(want, limits[tx][0]), limits[tx][1]))
    for tx, value in enumerate(snr):
        gains[tx] = set_gain(tx, min(max(gains[tx] + aim_db - value, limits[tx][0]), limits[tx][1]))
    looks = [sounder.sound(number + index) for index in range(frames)]
    good = [look for look in looks if look is not None]
    if len(good) < max(2, frames // 2):
        raise CalibrationError(
            f"only {len(good)} of {frames} sounding frames were received at transmit gains {_show(gains)} dB; "
            "look for interference, or for overflows in the ledger"
        )
    values = torch.stack([look.snr for look in good])
    noise = sum(look.noise for look in good) / len(good)
    return [
        LinkCalibration(
            tx=tx,
            gain_db=gains[tx],
            snr_db=_db(float(values[:, tx].mean())),
            snr_db_std=4.34 * float(values[:, tx].std() / values[:, tx].mean()) / math.sqrt(len(good)),
            cfo_hz=float(torch.stack([look.cfo_hz for look in good])[:, tx].mean()),
            noise_dbfs=_db(noise),
            frames=len(good),
        )
        for tx in range(transmitters)
    ]


def _db(value: float) -> float:
    return power_to_db(value) if value > 0 else -math.inf


def _show(values: list[float]) -> str:
    return ", ".join(f"{value:.1f}" for value in values)
