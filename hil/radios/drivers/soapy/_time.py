"""One time on all radios of a session: set at a pulse per second that they share, and checked at the next one."""

from __future__ import annotations

import time

from hil.errors import RadioError
from hil.radios.drivers.soapy._device import SoapyDevice
from hil.radios.pulse import Pulsed

__all__ = ["PulsedSoapy", "synchronise"]

_SECOND = 1_000_000_000
_PULSE_S = 5.0


class PulsedSoapy:
    """A Soapy device that can tell, and set, its time at a pulse: hardware time "PPS"."""

    def __init__(self, device: SoapyDevice) -> None:
        self.name, self._device = device.name, device

    def last(self) -> int:
        """Its time at the last pulse, ns."""
        return self._device.call("reading the time of the last pulse", lambda h: int(h.getHardwareTime("PPS")))

    def pulse(self, timeout_s: float = _PULSE_S) -> int:
        """Wait for a pulse; the device's full seconds at it.

        Raises:
            RadioError: none came.
        """
        before, deadline = self.last(), time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            time.sleep(0.01)
            if (now := self.last()) != before:
                return round(now / _SECOND)
        raise RadioError(f"radio '{self.name}': no pulse per second in {timeout_s:g} s; connect one or set time_source")

    def set_time_at_pulse(self, seconds: int) -> None:
        """Have its time be so many seconds at the next pulse."""
        self._device.call("setting the time", lambda h: h.setHardwareTime(seconds * _SECOND, "PPS"))


def synchronise(device: SoapyDevice, timed: dict[str, Pulsed]) -> None:
    """Set the device's time at a pulse, the same as on the radios of `timed`, and add it there.

    Args:
        device: with its time source selected.
        timed: by name, of any driver; devices that cannot tell the time of a pulse keep theirs.

    Raises:
        RadioError: no pulse, or another one than the others'.
    """
    if not device.call("looking for a pulse", lambda h: bool(h.hasHardwareTime("PPS"))):
        return
    own = PulsedSoapy(device)
    other = next((radio for name, radio in timed.items() if name != device.name), None)
    if other is None:
        own.pulse()
        own.set_time_at_pulse(1)
        own.pulse()
    else:
        own.set_time_at_pulse(other.pulse() + 1)
        seconds, mine = other.pulse(), round(own.last() / _SECOND)
        if mine != seconds:
            raise RadioError(
                f"radio '{device.name}' has {mine} s where radio '{other.name}' has {seconds} s: "
                "do they share one pulse per second?"
            )
    timed[device.name] = own
