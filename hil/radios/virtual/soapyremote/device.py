"""What a virtual Soapy device is set to: rate, carriers, gains and their elements, antennas, sources, time, sensors."""

from __future__ import annotations

from fractions import Fraction

from hil.radios.contract import Range
from hil.radios.virtual.radio import Side, VirtualRadio

__all__ = ["ANTENNAS", "CLOCK_SOURCES", "FORMATS", "TIME_SOURCES", "DeviceError", "SoapyDevice", "ns_of", "ticks_of"]

FORMATS = ("CS16", "CF32")
ANTENNAS: dict[Side, tuple[str, ...]] = {"tx": ("TX/RX", "BAND2"), "rx": ("RX", "TX/RX")}
"""Ports; every one reaches the same link of the air."""
CLOCK_SOURCES = ("internal", "external")
TIME_SOURCES = ("internal", "external")
_ELEMENTS: dict[Side, tuple[str, str]] = {"tx": ("PAD", "PGA"), "rx": ("LNA", "PGA")}
_SECOND = 1_000_000_000
_FREQS = Range(low=1e6, high=6e9)
_WIDTHS = Range(low=2e5, high=6e7)
_AUTOMATIC_DB = 40.0


class DeviceError(ValueError):
    """A call that the device refuses; the client is told why."""


def ns_of(tick: int, rate_hz: float) -> int:
    """Time of a tick, in nanoseconds, rounded."""
    return round(tick * _SECOND / Fraction(rate_hz))


def ticks_of(time_ns: int, rate_hz: float) -> int:
    """The tick nearest to a time."""
    return round(time_ns * Fraction(rate_hz) / _SECOND)


class SoapyDevice:
    """Settings of one radio as SoapySDR names them, applied to its `VirtualRadio` at once.

    Every setter takes the nearest value that the device has, and every getter returns it.

    Attributes:
        radio: behind it.
        clock_source: one of `CLOCK_SOURCES`.
        time_source: one of `TIME_SOURCES`.
    """

    def __init__(self, radio: VirtualRadio) -> None:
        self.radio = radio
        self.clock_source, self.time_source = CLOCK_SOURCES[0], TIME_SOURCES[0]
        self._offset_ns = 0
        self._gains: dict[tuple[Side, int, str], float] = {}
        self._antennas: dict[tuple[Side, int], str] = {}
        self._widths: dict[tuple[Side, int], float] = {}
        self._automatic: dict[int, bool] = {}
        sides: tuple[Side, Side] = ("tx", "rx")
        for side in sides:
            for channel in range(self.channels(side)):
                self._antennas[side, channel] = ANTENNAS[side][0]
                self._widths[side, channel] = _WIDTHS.nearest(radio.sample_rate_hz)
                for name in self.elements(side):
                    self._gains[side, channel, name] = self.element_range(side, name).low
                if side == "rx":
                    self._automatic[channel] = True  # as many real ones wake up; drivers must switch it off
                self._apply_gain(side, channel)

    def channels(self, side: Side) -> int:
        """How many."""
        return self.radio.config.tx_channels if side == "tx" else self.radio.config.rx_channels

    def check(self, side: Side, channel: int) -> tuple[Side, int]:
        """The pair, where the device has it.

        Raises:
            DeviceError: it has not.
        """
        if not 0 <= channel < self.channels(side):
            raise DeviceError(f"{side} channel must be below {self.channels(side)}, not {channel}")
        return side, channel

    # gains

    def elements(self, side: Side) -> tuple[str, str]:
        """Names of the amplifiers, in the order in which an overall gain fills them."""
        return _ELEMENTS[side]

    def gain_range(self, side: Side) -> Range:
        """Of the sum."""
        config = self.radio.config
        low, high = config.tx_gain_range_db if side == "tx" else config.rx_gain_range_db
        return Range(low=low, high=high, step=config.gain_step_db)

    def element_range(self, side: Side, name: str) -> Range:
        """Of one amplifier: the first has the lower half of the device's range, the second starts at 0 dB.

        Raises:
            DeviceError: no such element.
        """
        whole = self.gain_range(side)
        first, second = self.elements(side)
        middle = whole.nearest((whole.low + whole.high) / 2)
        if name == first:
            return Range(low=whole.low, high=middle, step=whole.step)
        if name == second:
            return Range(low=0.0, high=whole.high - middle, step=whole.step)
        raise DeviceError(f"gain element must be one of {', '.join(self.elements(side))}, not '{name[:40]}'")

    def gain(self, side: Side, channel: int, name: str | None = None) -> float:
        """One element, or the sum (dB)."""
        self.check(side, channel)
        if name is not None:
            self.element_range(side, name)
            return self._gains[side, channel, name]
        if side == "rx" and self._automatic[channel]:
            return self.gain_range(side).nearest(_AUTOMATIC_DB)
        return sum(self._gains[side, channel, element] for element in self.elements(side))

    def set_gain(self, side: Side, channel: int, value: float, name: str | None = None) -> None:
        """One element, or the sum, which the first element takes as far as it goes (dB)."""
        self.check(side, channel)
        if name is not None:
            self._gains[side, channel, name] = self.element_range(side, name).nearest(value)
        else:
            first, second = self.elements(side)
            total = self.gain_range(side).nearest(value)
            self._gains[side, channel, first] = min(total, self.element_range(side, first).high)
            self._gains[side, channel, second] = total - self._gains[side, channel, first]
        self._apply_gain(side, channel)

    def automatic(self, side: Side, channel: int) -> bool:
        """Whether the device sets the gain itself."""
        self.check(side, channel)
        return side == "rx" and self._automatic[channel]

    def set_automatic(self, side: Side, channel: int, automatic: bool) -> None:
        """Switch automatic gain control.

        Raises:
            DeviceError: a transmitter has none.
        """
        self.check(side, channel)
        if side == "tx":
            if automatic:
                raise DeviceError("a transmitter has no automatic gain")
            return
        self._automatic[channel] = automatic
        self._apply_gain(side, channel)

    def _apply_gain(self, side: Side, channel: int) -> None:
        self.radio.set_gain(side, channel, self.gain(side, channel))

    # tuning

    def frequency_ranges(self) -> tuple[Range, ...]:
        """Of both directions."""
        return (_FREQS,)

    def frequency(self, side: Side) -> float:
        """The carrier; the channels of one direction share it."""
        return self.radio.ports[side][0].center_freq_hz

    def set_frequency(self, side: Side, value: float) -> None:
        """Tune to the nearest hertz."""
        self.radio.tune(side, round(_FREQS.nearest(value)) + self.radio.config.carrier_error_hz)

    def rate_ranges(self) -> tuple[Range, ...]:
        """Of both directions, which share it."""
        own = self.radio.world.sample_rate_hz
        return (Range(low=min(1e5, own), high=max(61.44e6, own)),)

    def set_rate(self, value: float) -> None:
        """Change the rate; the caller has seen that nothing streams."""
        self.radio.set_rate(self.rate_ranges()[0].nearest(value) + self.radio.config.rate_error_hz)

    def width_ranges(self) -> tuple[Range, ...]:
        """Of the analogue filters, which are ideal: a setting is kept, and changes nothing that is heard."""
        return (_WIDTHS,)

    def width(self, side: Side, channel: int) -> float:
        """Of one filter."""
        return self._widths[self.check(side, channel)]

    def set_width(self, side: Side, channel: int, value: float) -> None:
        """Of one filter."""
        self._widths[self.check(side, channel)] = _WIDTHS.nearest(value)

    def antenna(self, side: Side, channel: int) -> str:
        """The port in use."""
        return self._antennas[self.check(side, channel)]

    def set_antenna(self, side: Side, channel: int, name: str) -> None:
        """Choose a port."""
        if name not in ANTENNAS[side]:
            raise DeviceError(f"antenna must be one of {', '.join(ANTENNAS[side])}, not '{name[:40]}'")
        self._antennas[self.check(side, channel)] = name

    # time

    def set_source(self, what: str, name: str) -> None:
        """Choose a `clock` or `time` source.

        Raises:
            DeviceError: there is no such source.
        """
        known = CLOCK_SOURCES if what == "clock" else TIME_SOURCES
        if name not in known:
            raise DeviceError(f"{what} source must be one of {', '.join(known)}, not '{name[:40]}'")
        if what == "clock":
            self.clock_source = name
        else:
            self.time_source = name

    def time_ns(self, tick: int) -> int:
        """What the hardware clock shows at a tick."""
        return ns_of(tick, self.radio.sample_rate_hz) + self._offset_ns

    def tick(self, time_ns: int) -> int:
        """The tick nearest to a time of the hardware clock."""
        return ticks_of(time_ns - self._offset_ns, self.radio.sample_rate_hz)

    def read_time(self, what: str) -> int:
        """The hardware clock now; with `what` = "PPS", at the last second of the air."""
        tick, rate = self.radio.tick(), self.radio.sample_rate_hz
        if what == "PPS":
            return self.time_ns(ticks_of(ns_of(tick, rate) // _SECOND * _SECOND, rate))
        return self.time_ns(tick)

    def set_time(self, time_ns: int, what: str) -> None:
        """Set the hardware clock now; with `what` = "PPS", so that it shows this at the air's next second.

        Raises:
            DeviceError: beyond ±146 years, where times no longer fit their field.
        """
        if abs(time_ns) > 1 << 62:
            raise DeviceError(f"a time must be within ±2^62 ns, not {time_ns}")
        tick, rate = self.radio.tick(), self.radio.sample_rate_hz
        if what == "PPS":
            self._offset_ns = time_ns - (ns_of(tick, rate) // _SECOND + 1) * _SECOND
        else:
            self._offset_ns = time_ns - ns_of(tick, rate)

    def locked(self) -> bool:
        """Whether the reference is, as long as no fault says otherwise."""
        return not self.radio.faults.active("unlock")
