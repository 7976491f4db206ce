"""What SoapySDR drivers do differently, by driver key: what people learnt in their issue trackers, as data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

__all__ = ["QUIRKS", "Quirks", "quirks_of"]


@dataclass(frozen=True, kw_only=True)
class Quirks:
    """How one driver behaves.

    Attributes:
        rx_time: received samples carry hardware time.
        tx_time: transmissions start at their time.
        timed_activation: `activateStream` takes a time and a number of samples.
        time_error: what TIME_ERROR means: "late" (nothing was sent or received), or "loss" (samples are missing).
        zeros_after_burst: silent samples appended, where the DAC would hold the last one.
        whole_buffers: a burst is padded with zeros to whole transfer buffers, else its end stays in the driver.
        burst_flags: END_BURST means something to it.
        status: `readStreamStatus` may be polled, beside writes.
        acknowledges: it says there when a burst has been played.
        half_duplex: transmitting and receiving exclude each other.
        start_jitter_s: an untimed burst starts at most so late.
        carrier_step_hz: of its synthesiser, about: carriers may read back so far beside what was asked.
        full_scale: int16 value of amplitude 1.0 in CS16 streams, where neither the binding nor SoapyRemote tells it.
    """

    rx_time: bool = True
    tx_time: bool = True
    timed_activation: bool = True
    time_error: Literal["late", "loss"] = "late"
    zeros_after_burst: int = 0
    whole_buffers: bool = False
    burst_flags: bool = True
    status: bool = True
    acknowledges: bool = False
    half_duplex: bool = False
    start_jitter_s: float = 0.1
    carrier_step_hz: float = 10.0
    full_scale: float = 32768.0


_UNTIMED = Quirks(rx_time=False, tx_time=False, timed_activation=False)

QUIRKS: dict[str, Quirks] = dict(
    uhd=Quirks(acknowledges=True),
    lime=Quirks(time_error="loss", zeros_after_burst=256, timed_activation=False, carrier_step_hz=50.0),
    bladerf=Quirks(zeros_after_burst=64, timed_activation=False, full_scale=2048.0),
    plutosdr=Quirks(
        rx_time=False, tx_time=False, timed_activation=False, whole_buffers=True, zeros_after_burst=64, status=False,
        burst_flags=False, full_scale=2048.0,
    ),
    hackrf=Quirks(
        rx_time=False, tx_time=False, timed_activation=False, whole_buffers=True, status=False, burst_flags=False,
        half_duplex=True, start_jitter_s=0.3,
    ),
    rtlsdr=replace(_UNTIMED, carrier_step_hz=100.0),
    airspy=_UNTIMED,
    sdrplay=_UNTIMED,
    hil=Quirks(acknowledges=True),
)  # fmt: skip
"""By `getDriverKey`, in lower case; through SoapyRemote it is the far device's."""


def quirks_of(driver_key: str) -> Quirks:
    """Of a driver; one that is not in the table is believed."""
    key = driver_key.lower()
    return next((quirks for name, quirks in QUIRKS.items() if key.startswith(name)), Quirks())
