"""One SoapySDR device: finding the library, opening, settings and their read-back. No streams."""

from __future__ import annotations

import atexit
import importlib
import logging
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Literal, TypeVar

from hil.errors import ConnectionLostError, DriverMissingError, RadioError, RadioNotFoundError
from hil.radios.contract import RadioInfo, RadioSettings, Range, SensorValue
from hil.radios.drivers.soapy._options import SoapyOptions
from hil.radios.drivers.soapy._quirks import Quirks, quirks_of
from hil.radios.drivers.soapy._worker import Worker
from hil.radios.others import others_there
from hil.radios.sensors import asked_for, sensor_value

__all__ = ["SoapyDevice", "load_soapy"]

INSTALL = (
    "Debian, Ubuntu: apt install python3-soapysdr and the module of the device (soapysdr-module-all; soapysdr0.8-module-remote "
    "for virtual ones), in a venv of the distribution's Python with SoapySDR.py and _SoapySDR*.so linked from "
    "/usr/lib/python3/dist-packages; conda: conda install -c conda-forge soapysdr and soapysdr-module-…; see: hil doctor"
)
_LEVELS = {1: logging.CRITICAL, 2: logging.CRITICAL, 3: logging.ERROR, 4: logging.WARNING, 5: logging.INFO, 6: logging.INFO}
_LOG = logging.getLogger("hil.radios.drivers.soapy")
_REMOTE_GONE = ("RPC", "socket", "Connection")  # in what SoapyRemote says of a server that is gone
_SAME_CARRIER_HZ = 10.0
_LOCK_S = 2.0
_OPEN_S = 10.0
_OPENING = threading.Lock()

Side = Literal["tx", "rx"]
T = TypeVar("T")


def load_soapy() -> Any:
    """The `SoapySDR` module, its log routed to `logging` ("hil.radios.drivers.soapy").

    Raises:
        DriverMissingError: it is not installed, or of another Python.
    """
    try:
        module: Any = importlib.import_module("SoapySDR")
    except ImportError as err:
        raise DriverMissingError(f"radio driver 'soapy' needs the module 'SoapySDR' ({err}). {INSTALL}") from err
    if not getattr(module, "_hil_logs", False):
        module.registerLogHandler(_log)
        module._hil_logs = True
        atexit.register(module.registerLogHandler, None)  # no Python may run in the library's threads after the end
    return module


def _log(level: int, message: str) -> None:
    """A message of the library; that a kernel gives smaller buffers than SoapyRemote's 42 MiB is no warning."""
    usual = "resize socket buffer" in message
    _LOG.log(logging.INFO if usual else _LEVELS.get(level, logging.DEBUG), "%s", message)


def _range(values: Any) -> Range:
    """The hull of a list of SoapySDR ranges; the step where there is one range."""
    spans = list(values)
    if not spans:
        return Range(low=0.0, high=0.0)
    step = float(spans[0].step()) if len(spans) == 1 else 0.0
    return Range(low=min(s.minimum() for s in spans), high=max(s.maximum() for s in spans), step=step)


class SoapyDevice:
    """An open device. Every call runs on `worker`'s thread, with a deadline.

    Args:
        name: of the radio in its bench.
        options: of the driver.

    Attributes:
        soapy: the module.
        handle: `SoapySDR.Device`; use it on the worker only.
        worker: the thread.
        quirks: of its driver.
        serial: as the device says, else as it was asked for.
        told_serial: as the device says.
        rate_hz: applied last.
        failed: the library has raised, or a stream broke: the connection is probably lost.

    Raises:
        DriverMissingError: no SoapySDR.
        RadioNotFoundError: nothing answers.
    """

    def __init__(self, name: str, options: SoapyOptions) -> None:
        self.name, self.options = name, options
        self.rate_hz, self.failed = 0.0, False
        self.soapy = load_soapy()
        self.worker = Worker(name)
        args = options.device_args()

        def make() -> Any:
            with _OPENING:
                return self.soapy.Device(args)

        try:
            self.handle: Any = self.worker.call("opening the device", make, _OPEN_S)
        except RuntimeError as err:
            self.worker.end()
            wider = {key: value for key, value in args.items() if key != "serial"}
            others = others_there(lambda: map(dict, self.soapy.Device.enumerate(wider))) if len(wider) < len(args) else ""
            raise RadioNotFoundError(
                f"radio '{name}': no SoapySDR device at {options.text()}: {err}; see: SoapySDRUtil "
                f"--find={options.text()}{others}"
            ) from err
        try:
            driver, hardware = self.call("reading what it is", lambda h: (h.getDriverKey(), dict(h.getHardwareInfo())))
        except BaseException:
            self.close()
            raise
        self.told_serial = str(hardware.get("serial", ""))
        self.serial = str(hardware.get("serial", "")) or str(options.args.get("serial", "")) or "unknown"
        self.quirks: Quirks = quirks_of(str(driver))

    def call(self, what: str, function: Callable[[Any], T], timeout_s: float = 10.0) -> T:
        """Run a function of the handle on the worker.

        Raises:
            ConnectionLostError: a remote device does not answer.
            RadioError: the library raised something else.
            RadioTimeoutError: it did not come back.
        """
        try:
            return self.worker.call(what, lambda: function(self.handle), timeout_s)
        except RuntimeError as err:
            self.failed = True
            kind = ConnectionLostError if any(sign in str(err) for sign in _REMOTE_GONE) else RadioError
            raise kind(f"radio '{self.name}': {what} failed: {err}", radio=self.name) from err

    def direction(self, side: Side) -> int:
        """SoapySDR's number of a direction."""
        return int(self.soapy.SOAPY_SDR_TX if side == "tx" else self.soapy.SOAPY_SDR_RX)

    def describe(self, *, virtual: bool) -> RadioInfo:
        """What it can do."""
        return self.call("reading its ranges", lambda h: self._describe(h, virtual))

    def _describe(self, h: Any, virtual: bool) -> RadioInfo:
        counts = {side: int(h.getNumChannels(self.direction(side))) for side in ("tx", "rx")}
        sides: list[Side] = [side for side in ("tx", "rx") if counts[side]]
        first = self.direction(sides[0]) if sides else 0
        rates = [_range(h.getSampleRateRange(self.direction(side), 0)) for side in sides]
        freqs = [_range(h.getFrequencyRange(self.direction(side), 0)) for side in sides]
        if not sides:
            raise RadioError(f"radio '{self.name}' has no channels")
        timed = bool(h.hasHardwareTime("")) and self.quirks.rx_time
        return RadioInfo(
            driver="soapy",
            name=self.name,
            serial=self.serial,
            tx_channels=counts["tx"],
            rx_channels=counts["rx"],
            sample_rate_hz=Range(low=max(r.low for r in rates), high=min(r.high for r in rates)),
            center_freq_hz=Range(low=max(f.low for f in freqs), high=min(f.high for f in freqs)),
            tx_gain_db=self._gain_range(h, "tx") if counts["tx"] else Range(low=0, high=0),
            rx_gain_db=self._gain_range(h, "rx") if counts["rx"] else Range(low=0, high=0),
            tx_full_scale=self._full_scale(h, "tx") if counts["tx"] else 32768.0,
            rx_full_scale=self._full_scale(h, "rx") if counts["rx"] else 32768.0,
            hardware_time=timed,
            timed_transmit=timed and self.quirks.tx_time and counts["tx"] > 0,
            start_jitter_s=self.quirks.start_jitter_s,
            carrier_resolution_hz=self.quirks.carrier_step_hz,
            clock_sources=tuple(h.listClockSources()) or ("internal",),
            time_sources=tuple(h.listTimeSources()) or ("none",),
            formats=tuple("int16" if form == "CS16" else form for form in h.getStreamFormats(first, 0)),
            virtual=virtual,
        )

    def _gain_range(self, h: Any, side: Side) -> Range:
        element = self.options.gain_element(side)
        if element is None:
            return _range([h.getGainRange(self.direction(side), 0)])
        known = list(h.listGains(self.direction(side), 0))
        if element not in known:
            raise RadioError(f"radio '{self.name}': '{side}_gain_element' must be one of {', '.join(known)}, not '{element}'")
        return _range([h.getGainRange(self.direction(side), 0, element)])

    def _full_scale(self, h: Any, side: Side) -> float:
        """int16 value of amplitude 1.0 in a CS16 stream."""
        if self.options.full_scale is not None:
            return self.options.full_scale
        seat = (self.direction(side), 0)
        if self.options.remote:  # SoapyRemote tells it as the default of a stream argument
            told = {str(arg.key): str(arg.value) for arg in h.getStreamArgsInfo(*seat)}
            form, scale = told.get("remote:format", "CS16"), float(told.get("remote:scale", self.quirks.full_scale))
        else:
            try:
                form, scale = h.getNativeStreamFormat(*seat)
            except TypeError:  # bindings up to 0.8 want a C++ reference there, which Python cannot make
                form, scale = "CS16", self.quirks.full_scale
        if form == "CS12":
            scale *= 16  # CS16 has them left-aligned
        elif form != "CS16":
            scale = 32768.0
        return float(min(max(scale, 2.0), 32768.0))

    # settings

    def apply(self, settings: RadioSettings, *, tune: bool) -> RadioSettings:
        """Set everything, and read it back; `tune`: rate and carrier too.

        Raises:
            RadioError: a value is not taken, or a clock does not lock.
        """
        if tune:
            self.call("setting clocks", lambda h: self._set_clocks(h, settings))
            self.call("tuning", lambda h: self._tune(h, settings))
        self.call("setting gains", lambda h: self._set_gains(h, settings))
        if tune:
            self.wait_for_lock(settings)
        return self.call("reading back", lambda h: self._read_back(h, settings))

    def _set_clocks(self, h: Any, settings: RadioSettings) -> None:
        if settings.clock_source is not None:
            h.setClockSource(settings.clock_source)
            if (got := h.getClockSource()) != settings.clock_source:
                raise RadioError(f"radio '{self.name}': the clock source is '{got}', not '{settings.clock_source}'")
        if settings.time_source is not None:
            h.setTimeSource(settings.time_source)
        for key, value in self.options.settings.items():
            h.writeSetting(key, value)

    def _tune(self, h: Any, settings: RadioSettings) -> None:
        chosen: list[tuple[Side, tuple[int, ...], str | None]] = [
            ("tx", settings.tx_channels, settings.tx_antenna),
            ("rx", settings.rx_channels, settings.rx_antenna),
        ]
        for side, channels, antenna in chosen:
            direction = self.direction(side)
            for channel in channels:
                h.setSampleRate(direction, channel, settings.sample_rate_hz)
                if antenna is not None:
                    known = list(h.listAntennas(direction, channel))
                    if antenna not in known:
                        what = f"'{side}_antenna' must be one of {', '.join(known)}"
                        raise RadioError(f"radio '{self.name}': {what}, not '{antenna}'")
                    h.setAntenna(direction, channel, antenna)
                if len(list(h.getBandwidthRange(direction, channel))):
                    width = settings.bandwidth_hz or settings.sample_rate_hz
                    h.setBandwidth(direction, channel, width + 2 * abs(settings.lo_offset_hz))
                more = {"OFFSET": str(settings.lo_offset_hz)} if settings.lo_offset_hz else {}
                h.setFrequency(direction, channel, settings.center_freq_hz, more)

    def _set_gains(self, h: Any, settings: RadioSettings) -> None:
        chosen: list[tuple[Side, tuple[int, ...], tuple[float, ...]]] = [
            ("tx", settings.tx_channels, settings.tx_gain_db),
            ("rx", settings.rx_channels, settings.rx_gain_db),
        ]
        for side, channels, gains in chosen:
            direction, element = self.direction(side), self.options.gain_element(side)
            for channel, gain in zip(channels, gains, strict=True):
                if h.hasGainMode(direction, channel):
                    h.setGainMode(direction, channel, False)
                for name, value in self.options.fixed_gains(side).items():
                    h.setGain(direction, channel, name, value)
                if element is None:
                    h.setGain(direction, channel, gain)
                else:
                    h.setGain(direction, channel, element, gain)

    def _read_back(self, h: Any, settings: RadioSettings) -> RadioSettings:
        def gain(side: Side, channel: int) -> float:
            element = self.options.gain_element(side)
            more = () if element is None else (element,)
            return float(h.getGain(self.direction(side), channel, *more))

        side: Side = "rx" if settings.rx_channels else "tx"
        channels = settings.rx_channels or settings.tx_channels
        if not channels:
            return settings
        seat = (self.direction(side), channels[0])
        for channel in settings.rx_channels:
            if h.hasGainMode(self.direction("rx"), channel) and h.getGainMode(self.direction("rx"), channel):
                raise RadioError(f"radio '{self.name}': automatic gain stays on")
        rates = {float(h.getSampleRate(self.direction("tx"), channel)) for channel in settings.tx_channels}
        rates |= {float(h.getSampleRate(self.direction("rx"), channel)) for channel in settings.rx_channels}
        if any(abs(rate / settings.sample_rate_hz - 1) > 1e-3 for rate in rates) or len(rates) != 1:
            raise RadioError(f"radio '{self.name}': the sample rate is {sorted(rates)} Hz, not {settings.sample_rate_hz:g}")
        self.rate_hz = rates.pop()
        seats = [(self.direction("tx"), channel) for channel in settings.tx_channels]
        seats += [(self.direction("rx"), channel) for channel in settings.rx_channels]
        carriers = {float(h.getFrequency(*each)) for each in seats}
        if max(carriers) - min(carriers) > _SAME_CARRIER_HZ:
            raise RadioError(f"radio '{self.name}': its channels came to different carriers: {sorted(carriers)} Hz")
        center = float(h.getFrequency(*seat))
        components = list(h.listFrequencies(*seat))
        offset = center - float(h.getFrequency(*seat, "RF")) if "RF" in components and len(components) > 1 else 0.0
        tx, rx = settings.tx_channels, settings.rx_channels
        return settings.replace(
            sample_rate_hz=self.rate_hz,
            center_freq_hz=center,
            tx_gain_db=tuple(gain("tx", channel) for channel in tx),
            rx_gain_db=tuple(gain("rx", channel) for channel in rx),
            bandwidth_hz=min(float(h.getBandwidth(*each)) for each in seats) or None,
            clock_source=str(h.getClockSource()) or settings.clock_source,
            time_source=str(h.getTimeSource()) or settings.time_source,
            tx_antenna=str(h.getAntenna(self.direction("tx"), tx[0])) if tx else None,
            rx_antenna=str(h.getAntenna(self.direction("rx"), rx[0])) if rx else None,
            lo_offset_hz=-offset,
        )

    # locks and time

    def unlocked(self, settings: RadioSettings) -> str | None:
        """The name of a lock sensor that says no, or None; devices without such sensors are believed."""

        def look(h: Any) -> str | None:
            if "ref_locked" in list(h.listSensors()) and h.readSensor("ref_locked").lower() != "true":
                return "ref_locked"
            sides: tuple[tuple[Side, tuple[int, ...]], ...] = (("tx", settings.tx_channels), ("rx", settings.rx_channels))
            for side, channels in sides:
                seats = [(self.direction(side), channel) for channel in channels]
                for seat in seats:
                    if "lo_locked" in list(h.listSensors(*seat)) and h.readSensor(*seat, "lo_locked").lower() != "true":
                        return f"lo_locked of {side} channel {seat[1]}"
            return None

        return self.call("reading lock sensors", look)

    def sensors(self, settings: RadioSettings) -> dict[str, SensorValue]:
        """What the device and the channels in use say."""

        def look(h: Any) -> dict[str, SensorValue]:
            found = {name: h.readSensor(name) for name in filter(asked_for, h.listSensors())}
            sides: tuple[tuple[Side, tuple[int, ...]], ...] = (("tx", settings.tx_channels), ("rx", settings.rx_channels))
            for side, channels in sides:
                for channel in channels:
                    seat = (self.direction(side), channel)
                    for name in filter(asked_for, h.listSensors(*seat)):
                        found[f"{side}{channel}.{name}"] = h.readSensor(*seat, name)
            return {name: sensor_value(str(text)) for name, text in found.items()}

        return self.call("reading sensors", look)

    def wait_for_lock(self, settings: RadioSettings) -> None:
        """Wait until every synthesiser, and the reference, is locked.

        Raises:
            RadioError: after two seconds it is not.
        """
        deadline = time.monotonic() + _LOCK_S
        while (sensor := self.unlocked(settings)) is not None:
            if time.monotonic() > deadline:
                raise RadioError(
                    f"radio '{self.name}': {sensor} is false with clock source '{settings.clock_source or 'default'}'; "
                    "is the reference connected?"
                )
            time.sleep(0.05)

    def now(self) -> int:
        """Hardware time, in samples."""
        return self.sample_at(self.call("reading the time", lambda h: int(h.getHardwareTime(""))))

    def sample_at(self, time_ns: int) -> int:
        """The device sample nearest to a time."""
        return round(time_ns * Fraction(self.rate_hz) / 1_000_000_000)

    def time_of(self, sample: int) -> int:
        """The time of a device sample, in nanoseconds."""
        return round(sample * 1_000_000_000 / Fraction(self.rate_hz))

    def close(self) -> None:
        """Let go of the device; one whose library hangs is left as it is.

        Raises:
            RadioError: the library could not; it is not used again all the same.
        """
        if not self.worker.stuck:
            # explicitly: as long as somebody keeps a reference, the library gives the same device out again
            try:
                self.call("closing the device", lambda h: h.close())
            finally:
                self.worker.end()
