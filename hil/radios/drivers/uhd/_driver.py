"""Driver of USRPs, through the vendor's own `uhd` module (`apt install python3-uhd`).

Bursts go by device time. Several radios of one bench that share a pulse per second are set to the same time; without one each
keeps its own. Receiving runs in a thread from the first `configure` on, so that neither a late nor a long-lasting caller loses
samples; see `_receive` and `_transmit`.
"""

from __future__ import annotations

import atexit
import contextlib
import re
import threading
import weakref
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.config import validate
from hil.errors import RadioError, ReferenceLostError, ShapeError
from hil.radios.bench import BenchConfig
from hil.radios.contract import Radio, RadioInfo, RadioSettings, Reception, SensorValue, StreamEvent, check_settings
from hil.radios.drivers.uhd._device import UhdDevice, UhdOptions
from hil.radios.drivers.uhd._receive import UhdReceiver
from hil.radios.drivers.uhd._transmit import UhdTransmitter
from hil.radios.limits import Permit
from hil.radios.pulse import pulsed_radios
from hil.radios.scaling import to_int16
from hil.radios.virtual.address import proven_virtual

__all__ = ["UhdOptions", "UhdRadio"]

_OPEN: weakref.WeakSet[UhdRadio] = weakref.WeakSet()
_PATIENCE_S = 2.0
_RAIL = 32767  # a sample at the converter's end


class UhdRadio(Radio):
    """One USRP, or several that UHD joins to one."""

    def __init__(self, name: str, device: UhdDevice, permit: Permit, *, virtual: bool, shared: dict[str, Any]) -> None:
        self._name, self._device, self._permit = name, device, permit
        self._timed = pulsed_radios(shared)
        self._settings: RadioSettings | None = None
        self._receiver: UhdReceiver | None = None
        self._transmitter: UhdTransmitter | None = None
        self._cursor: int | None = None
        self._time_source: str | None = None
        self._asked: RadioSettings | None = None
        self._closed = False
        self._lock = threading.RLock()
        self._info = device.describe(virtual=virtual)
        _OPEN.add(self)

    @classmethod
    def open(cls, name: str, bench: BenchConfig, shared: dict[str, Any]) -> UhdRadio:
        """Open radio `name`.

        Raises:
            DriverMissingError: UHD's Python module is missing, or made for another numpy.
            RadioNotFoundError: no such device.
            ConfigError: an option is wrong.
        """
        config = bench.radios[name]
        options = validate(UhdOptions, config.options, f"bench '{bench.name}': radios.{name}")
        device = UhdDevice.connect(name, options)
        found = re.findall(r"addr\d*=([^,]+)", options.args)
        host = found[0].strip() if len(found) == 1 else ""
        virtual = proven_virtual(name, config, host, device.serial)
        return cls(name, device, Permit(bench, shared), virtual=virtual, shared=shared)

    @property
    def info(self) -> RadioInfo:
        """What it can do."""
        return self._info

    def configure(self, settings: RadioSettings) -> RadioSettings:
        """Apply settings and read all of them back. A change of gains alone neither tunes nor interrupts a stream."""
        self._open_or_raise()
        check_settings(self._info, settings)
        self._permit.check_gains(self._info, settings)
        device = self._device
        with self._lock:
            clock = device.set_clock(settings.clock_source or self._info.clock_sources[0])
            source = self._synchronise(settings.time_source or self._info.time_sources[0])
            old = self._settings
            fixed = settings.replace(tx_gain_db=(), rx_gain_db=())
            if old is None or self._asked != fixed:
                self._end_streams()
                self._settings = None
                rate = device.set_rates(settings)
                carrier, lo_offset = device.tune(settings)
                tx_antenna = device.set_antenna("tx", settings.tx_antenna, settings.tx_channels)
                rx_antenna = device.set_antenna("rx", settings.rx_antenna, settings.rx_channels)
                bandwidth = device.set_bandwidth(settings)
                old = settings.replace(
                    sample_rate_hz=rate, center_freq_hz=carrier, bandwidth_hz=bandwidth, tx_antenna=tx_antenna,
                    rx_antenna=rx_antenna, lo_offset_hz=lo_offset,
                )  # fmt: skip
            applied = old.replace(
                tx_gain_db=tuple(
                    device.set_gain("tx", gain, channel)
                    for gain, channel in zip(settings.tx_gain_db, settings.tx_channels, strict=True)
                ),
                rx_gain_db=tuple(
                    device.set_gain("rx", gain, channel)
                    for gain, channel in zip(settings.rx_gain_db, settings.rx_channels, strict=True)
                ),
                clock_source=clock,
                time_source=source,
            )
            self._asked = fixed
            self._settings = applied
            if self._transmitter is None and applied.tx_channels:
                self._transmitter = UhdTransmitter(device, applied.tx_channels)
            if self._receiver is None and applied.rx_channels:
                self._receiver = UhdReceiver(device, applied.rx_channels)
                self._cursor = self._receiver.begin()
            return applied

    def now(self) -> int:
        """Device time, in samples."""
        self._configured()
        return self._device.now()

    def transmit(self, samples: NDArray[Any], *, at: int | None = None, cyclic: bool = False) -> list[StreamEvent]:
        """Put samples on the air; see the contract. What the device says of them later comes with `settle`.

        Raises:
            ShapeError: wrong shape or type, or no samples.
            TransmitRefusedError: the bench's limits, or the missing consent, forbid it.
            RadioError: not configured, the reference is not locked, or the connection is lost.
        """
        settings = self._configured()
        self._permit.check(self._info, settings)
        codes, clipped = to_int16(samples, self._info.tx_full_scale)
        if codes.ndim != 3 or codes.shape[0] != len(settings.tx_channels) or codes.shape[1] == 0:
            raise ShapeError(
                f"Argument 'samples' must be [{len(settings.tx_channels)} channels, n] with n ≥ 1, not {list(samples.shape)}."
            )
        if cyclic:
            raise RadioError(f"radio '{self._name}' has no cyclic buffer; leave out 'cyclic'")
        if self._transmitter is None:
            raise RadioError(f"radio '{self._name}' has no transmit channel configured")
        self._check_reference(settings)
        self._permit.spend(self._info, codes.shape[1] / settings.sample_rate_hz)
        with self._lock:
            events = self._transmitter.send(codes, at)
        if any(event.kind == "late" for event in events):
            return events
        begin = at if at is not None else 0
        events += [
            self._event("clip", channel, begin, int(clipped[row]))
            for row, channel in enumerate(settings.tx_channels)
            if clipped[row]
        ]
        return events

    def rest(self) -> None:
        """Wait until the operator's limits let the next burst out."""
        self._permit.rest(self._info)

    def settle(self) -> list[StreamEvent]:
        """Wait for the device's word on every burst sent, and return what went wrong with them."""
        if self._closed or self._transmitter is None:
            return []
        with self._lock:
            return self._transmitter.settle()

    def receive(self, n: int, *, at: int | None = None, timeout_s: float | None = None) -> Reception:
        """Receive n samples per channel; see the contract.

        Raises:
            RadioTimeoutError: they did not arrive in `timeout_s`, or in samples/rate + lead + 2 s.
            RadioError: not configured, the reference is not locked, or the connection is lost.
        """
        settings = self._configured()
        if n < 0 or self._receiver is None:
            raise RadioError(f"radio '{self._name}': cannot receive {n} samples on channels {settings.rx_channels}")
        start = at if at is not None else self._cursor
        if start is None:
            start = self._receiver.begin(_PATIENCE_S)
        if at is not None and at < self._receiver.begin(_PATIENCE_S):
            events = tuple(self._event("late", channel, at, n) for channel in settings.rx_channels)
            return Reception(samples=np.zeros((len(settings.rx_channels), 0, 2), np.int16), start=at, events=events)
        if timeout_s is None:
            lead = max(0, start - self._device.now())
            timeout_s = (lead + n) / settings.sample_rate_hz + 2.0
        samples, begin, gaps = self._receiver.read(
            start, n, timeout_s, start if self._cursor is None else self._cursor, timed=at is not None
        )
        self._check_reference(settings)  # after: it must have held up to the last sample
        met = [self._event(gap.kind, channel, gap.position, gap.count) for gap in gaps for channel in settings.rx_channels]
        end = begin + samples.shape[1]
        self._cursor = max([end, *(gap.position + gap.count for gap in gaps)])
        for row, channel in enumerate(settings.rx_channels):
            beyond = ((samples[row] >= _RAIL) | (samples[row] <= -_RAIL - 1)).any(axis=-1)
            if beyond.any():
                met.append(self._event("clip", channel, begin + int(beyond.argmax()), int(beyond.sum())))
        return Reception(samples=samples, start=begin, events=tuple(met))

    def sensors(self) -> Mapping[str, SensorValue]:
        """Locks of the reference and the synthesisers, and temperatures where the device has them."""
        settings = self._configured()
        with self._lock:
            return self._device.sensors(settings)

    def stop(self) -> None:
        """Silence the transmitter."""
        with self._lock:
            if self._transmitter is not None:
                self._transmitter.silence()

    def close(self) -> None:
        """Silence the transmitter and let go of the device."""
        if self._closed:
            return
        self._closed = True
        self._timed.pop(self._name, None)
        try:
            with self._lock:
                self._end_streams()
        finally:
            self._device.release()

    def _end_streams(self) -> None:
        transmitter, self._transmitter = self._transmitter, None
        receiver, self._receiver = self._receiver, None
        self._cursor = None
        try:
            if transmitter is not None:
                transmitter.close()
        finally:
            if receiver is not None:
                receiver.close()

    def _synchronise(self, source: str) -> str:
        """Select the time source; set the time at a pulse, the same on all radios of the session."""
        device = self._device
        if self._time_source == source:
            return source
        got = device.set_time_source(source)
        if source != "none":
            first = next((other for name, other in self._timed.items() if name != self._name), None)
            if first is None:
                device.pulse()
                device.set_time_at_pulse(1)
                device.pulse()
                device.check_same_time()
            else:
                device.set_time_at_pulse(first.pulse() + 1)
                seconds = first.pulse()
                with device.wrapped("read the time of the last pulse"):
                    mine = device.usrp.get_time_last_pps(0).get_real_secs()
                if round(mine) != seconds:
                    raise RadioError(
                        f"radio '{self._name}' has {mine:g} s where radio '{first.name}' has {seconds} s: "
                        "do they share one pulse per second?"
                    )
            self._timed[self._name] = device
        self._time_source = source
        return got

    def _check_reference(self, settings: RadioSettings) -> None:
        if settings.clock_source not in (None, "internal") and not self._device.locked():
            raise ReferenceLostError(
                f"radio '{self._name}' has lost its reference (clock source '{settings.clock_source}'); check its cable",
                radio=self._name,
            )

    def _event(self, kind: Any, channel: int, position: int, count: int) -> StreamEvent:
        return StreamEvent(kind=kind, radio=self._name, channel=channel, position=position, count=count)

    def _open_or_raise(self) -> None:
        if self._closed:
            raise RadioError(f"radio '{self._name}' is closed; open the bench again")

    def _configured(self) -> RadioSettings:
        self._open_or_raise()
        if self._settings is None:
            raise RadioError(f"radio '{self._name}' is not configured; call configure() first")
        return self._settings


@atexit.register
def _close_all() -> None:
    for radio in list(_OPEN):
        with contextlib.suppress(RadioError):
            radio.close()
