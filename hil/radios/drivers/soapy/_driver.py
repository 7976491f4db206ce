"""Driver of everything that SoapySDR drives: LimeSDR, BladeRF, HackRF, USRPs, SoapyRemote, virtual devices.

Options and quirks are in `_options` and `_quirks`. All calls run on one thread per device with a deadline each, because the
library's streams are not thread-safe and a lost connection can block one for ever.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from hil.config import validate
from hil.errors import RadioError, ReferenceLostError, ShapeError
from hil.radios.bench import BenchConfig
from hil.radios.contract import (
    EventKind,
    Radio,
    RadioInfo,
    RadioSettings,
    Reception,
    SensorValue,
    StreamEvent,
    check_settings,
)
from hil.radios.drivers.soapy._device import SoapyDevice
from hil.radios.drivers.soapy._options import SoapyOptions
from hil.radios.drivers.soapy._receive import Received, SoapyReceiver
from hil.radios.drivers.soapy._time import synchronise
from hil.radios.drivers.soapy._transmit import SoapyTransmitter
from hil.radios.limits import Permit
from hil.radios.pulse import Pulsed, pulsed_radios
from hil.radios.scaling import to_int16
from hil.radios.virtual.address import proven_virtual

__all__ = ["SoapyRadio"]

_PATIENCE_S = 2.0
_LOG = logging.getLogger("hil.radios.drivers.soapy")


class SoapyRadio(Radio):
    """One SoapySDR device.

    Device time is the hardware clock in samples where there is one, else the count of received samples. A reception with a time
    is finite; one without reads on from an endless one. A hole ends a reception early, and its event says where and how long.
    """

    def __init__(self, name: str, device: SoapyDevice, permit: Permit, timed: dict[str, Pulsed], *, virtual: bool) -> None:
        self._name, self._device, self._permit, self._timed = name, device, permit, timed
        self._settings: RadioSettings | None = None
        self._asked: RadioSettings | None = None
        self._closed = False
        self._rx: SoapyReceiver | None = None
        self._tx: SoapyTransmitter | None = None
        self._info = device.describe(virtual=virtual)

    @classmethod
    def open(cls, name: str, bench: BenchConfig, shared: dict[str, Any]) -> SoapyRadio:
        """Open radio `name`.

        Raises:
            DriverMissingError: SoapySDR is not installed.
            RadioNotFoundError: no device at `args`.
            ConfigError: an option is wrong.
        """
        config = bench.radios[name]
        options = validate(SoapyOptions, config.options, f"bench '{bench.name}': radios.{name}")
        device = SoapyDevice(name, options)
        url = options.args.get("remote", "") if options.remote else ""
        host = urlsplit(url if "//" in url else f"//{url}").hostname or ""
        virtual = proven_virtual(name, config, host, device.told_serial)
        try:
            return cls(name, device, Permit(bench, shared), pulsed_radios(shared), virtual=virtual)
        except BaseException:
            device.close()
            raise

    @property
    def info(self) -> RadioInfo:
        """What it can do."""
        return self._info

    def configure(self, settings: RadioSettings) -> RadioSettings:
        """Apply settings and read them back; gain control is manual, and clocks must lock."""
        self._open_or_raise()
        check_settings(self._info, settings)
        self._permit.check_gains(self._info, settings)
        settings = settings.replace(lo_offset_hz=settings.lo_offset_hz or self._device.options.lo_offset_hz)
        quiet = {"tx_gain_db": (), "rx_gain_db": ()}
        tune = self._asked is None or self._asked.replace(**quiet) != settings.replace(**quiet)
        if tune:
            self._end_streams()
        elif self._asked is not None and self._asked.rx_gain_db != settings.rx_gain_db and self._rx is not None:
            self._device.call("stopping the reception", lambda _: self._rx.stop() if self._rx is not None else None)
        applied = self._device.apply(settings, tune=tune)
        if settings.time_source not in (None, "none", "internal", "") and self._name not in self._timed:
            synchronise(self._device, self._timed)
        self._asked, self._settings = settings, applied
        return applied

    def now(self) -> int:
        """Device time, in samples."""
        self._configured()
        if self._info.hardware_time:
            return self._device.now()
        return self._rx.position if self._rx is not None else 0

    def fresh(self) -> int:
        """See the contract; without hardware time the reception is begun anew, as nobody knows what the library holds."""
        receiver = self._rx
        if not self._info.hardware_time and receiver is not None:
            self._device.call("stopping the reception", lambda _: receiver.stop())
        return self.now()

    def transmit(self, samples: NDArray[Any], *, at: int | None = None, cyclic: bool = False) -> list[StreamEvent]:
        """Send one burst; what the device says of it later comes with `settle`, or the next `transmit` or `receive`."""
        settings = self._configured()
        codes, clipped = to_int16(np.asarray(samples), self._info.tx_full_scale)
        if codes.ndim != 3 or codes.shape[0] != len(settings.tx_channels) or codes.shape[1] == 0:
            raise ShapeError(
                f"Argument 'samples' must be [{len(settings.tx_channels)} channels, n] with n ≥ 1, not {list(samples.shape)}."
            )
        if cyclic:
            raise RadioError(f"radio '{self._name}' has no cyclic buffer; leave out 'cyclic'")
        if at is not None and not self._info.timed_transmit:
            raise RadioError(f"radio '{self._name}' has no timed transmission; leave out 'at'")
        self._permit.check(self._info, settings)
        n = codes.shape[1]
        self._permit.spend(self._info, n / settings.sample_rate_hz)
        now = self._device.now() if self._info.hardware_time else 0
        if at is not None and at < now:
            return [self._event("late", channel, at, n) for channel in settings.tx_channels]
        if self._device.quirks.half_duplex and self._rx is not None:
            receiver = self._rx
            self._device.call("stopping the reception", lambda _: receiver.stop())
        transmitter = self._transmitter(settings)
        lasts_s = (n + (0 if at is None else at - now)) / settings.sample_rate_hz
        wait_s = lasts_s + _PATIENCE_S
        over = time.monotonic() + lasts_s
        self._device.call("transmitting", lambda _: transmitter.send(codes, at, over, over + _PATIENCE_S), wait_s)
        events = [
            self._event("clip", channel, now if at is None else at, int(count))
            for channel, count in zip(settings.tx_channels, clipped, strict=True)
            if count
        ]
        return events + self._reported()

    def receive(self, n: int, *, at: int | None = None, timeout_s: float | None = None) -> Reception:
        """Receive n samples; see the class. Without hardware time `at` counts received samples, and is read on to."""
        settings = self._configured()
        if n < 0 or not settings.rx_channels:
            raise RadioError(f"radio '{self._name}': cannot receive {n} samples on channels {settings.rx_channels}")
        if n == 0:
            empty = np.zeros((len(settings.rx_channels), 0, 2), np.int16)
            return Reception(samples=empty, start=self.now() if at is None else at)
        if timeout_s is None:
            lead_s = 0.0 if at is None else max(0.0, (at - self.now()) / settings.sample_rate_hz)
            timeout_s = n / settings.sample_rate_hz + _PATIENCE_S + lead_s
        receiver = self._receiver(settings)
        deadline = time.monotonic() + timeout_s
        got: Received = self._device.call("receiving", lambda _: receiver.read(n, at, deadline), timeout_s)
        events = [
            self._event(loss.kind, channel, loss.position, loss.count)
            for loss in got.losses
            for channel in settings.rx_channels
        ]
        events += self._clips(got)
        self._check_locks(settings)
        return Reception(samples=got.samples, start=got.start, events=(*events, *self._reported()))

    def rest(self) -> None:
        """Wait until the operator's limits let the next burst out."""
        self._permit.rest(self._info)

    def settle(self) -> list[StreamEvent]:
        """Wait for the device's word on every burst; see the contract."""
        if self._tx is not None:
            self._tx.settle()
        return self._reported()

    def sensors(self) -> Mapping[str, SensorValue]:
        """Locks and temperatures, where the device has such sensors."""
        return self._device.sensors(self._configured())

    def stop(self) -> None:
        """Silence the transmitter."""
        transmitter = self._tx
        if transmitter is None or self._closed:
            return
        failed = self._device.failed
        try:
            self._device.call("silencing", lambda _: transmitter.stop())
        except RadioError as err:
            if not failed:
                raise
            _LOG.warning("radio '%s' had failed, and could not be silenced: %s", self._name, err)  # the first error says it

    def close(self) -> None:
        """Silence the transmitter and let go of the device."""
        if self._closed:
            return
        self._closed = True
        self._timed.pop(self._name, None)
        failed = self._device.failed or self._device.worker.stuck
        try:
            try:
                if not self._device.worker.stuck:  # else nothing can be said to the device
                    self._end_streams()
            finally:
                self._device.close()
        except RadioError as err:
            if not failed:
                raise
            _LOG.warning("radio '%s' had failed, and could not be closed: %s", self._name, err)  # the first error says it

    def _receiver(self, settings: RadioSettings) -> SoapyReceiver:
        if self._rx is None:
            info, stale_s = self._info, self._device.options.stale_s
            self._rx = self._device.call(
                "setting up the receive stream",
                lambda _: SoapyReceiver(
                    self._device, settings.rx_channels, info.rx_full_scale, stale_s, timed=info.hardware_time
                ),
            )
        return self._rx

    def _transmitter(self, settings: RadioSettings) -> SoapyTransmitter:
        if self._tx is None:
            full_scale = self._info.tx_full_scale
            self._tx = self._device.call(
                "setting up the transmit stream", lambda _: SoapyTransmitter(self._device, settings.tx_channels, full_scale)
            )
        return self._tx

    def _end_streams(self) -> None:
        """The transmitter first: it must be silent whatever else fails."""
        transmitter, receiver = self._tx, self._rx
        self._tx = self._rx = None
        try:
            if transmitter is not None:
                self._device.call("closing the transmit stream", lambda _: transmitter.close())
        finally:
            if receiver is not None:
                self._device.call("closing the receive stream", lambda _: receiver.close())

    def _check_locks(self, settings: RadioSettings) -> None:
        sensor = self._device.unlocked(settings)
        if sensor is not None:
            raise ReferenceLostError(
                f"radio '{self._name}': {sensor} became false: the samples just received cannot be trusted", radio=self._name
            )

    def _clips(self, got: Received) -> list[StreamEvent]:
        """Samples at the end of the converter's range."""
        settings, events = self._configured(), []
        high = self._info.rx_full_scale - 1
        for row, channel in enumerate(settings.rx_channels):
            block = got.samples[row]
            if not len(block) or (block.max() < high and block.min() >= -high):
                continue
            beyond = np.flatnonzero(((block >= high) | (block < -high)).any(axis=1))
            events.append(self._event("clip", channel, got.start + int(beyond[0]), len(beyond)))
        return events

    def _reported(self) -> list[StreamEvent]:
        if self._tx is None:
            return []
        channels = self._tx.channels
        return [self._event(e.kind, channel, e.position, e.count) for e in self._tx.events() for channel in channels]

    def _event(self, kind: EventKind, channel: int, position: int, count: int) -> StreamEvent:
        return StreamEvent(kind=kind, radio=self._name, channel=channel, position=position, count=count)

    def _open_or_raise(self) -> None:
        if self._closed:
            raise RadioError(f"radio '{self._name}' is closed; open the bench again")

    def _configured(self) -> RadioSettings:
        self._open_or_raise()
        if self._settings is None:
            raise RadioError(f"radio '{self._name}' is not configured; call configure() first")
        return self._settings
