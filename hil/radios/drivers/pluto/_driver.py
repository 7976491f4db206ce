"""Driver of ADALM-Plutos, through pyadi-iio and libiio 0.x (`apt install libiio0`, `pip install 'hil[pluto]'`).

A Pluto has no hardware time. A burst is a cyclic buffer, a buffer sent once, or a stretch of a host-fed stream; its start is
known to the host within `start_jitter_s` only. What the driver works around is in docs/pluto.md.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hil.config import Config, validate
from hil.errors import ConnectionLostError, RadioError, ShapeError
from hil.radios.bench import BenchConfig
from hil.radios.contract import (
    Radio,
    RadioInfo,
    RadioSettings,
    Reception,
    SensorValue,
    StreamEvent,
    TransmitStream,
    check_settings,
)  # fmt: skip
from hil.radios.drivers.pluto._device import PlutoDevice, RxBuffers, TxBuffers, destroy
from hil.radios.drivers.pluto._receive import Gap, Receiver
from hil.radios.drivers.pluto._transmit import HostFedStream
from hil.radios.limits import Permit
from hil.radios.scaling import to_int16
from hil.radios.virtual.address import proven_virtual

__all__ = ["PlutoOptions", "PlutoRadio"]

_TX_FULL_SCALE, _RX_FULL_SCALE = 32768.0, 2048.0
_PAD = 64  # zeros after a burst: the last sample is held when the DMA runs dry


class PlutoOptions(Config):
    """Options of `driver = "pluto"`.

    Attributes:
        uri: of libiio: "ip:192.168.2.1", "ip:127.0.0.1:30431", "usb:1.2.5".
        kernel_buffers: on the device, for receiving.
        buffer_s: length of one receive buffer.
        tx_buffers: on the device, for a host-fed stream.
        tx_buffer_s: length of one transmit buffer.
    """

    uri: str
    kernel_buffers: int = Field(default=16, ge=2, le=64)
    buffer_s: float = Field(default=0.016384, ge=1e-3, le=1)
    tx_buffers: int = Field(default=16, ge=2, le=64)
    tx_buffer_s: float = Field(default=0.016384, ge=1e-3, le=1)


class PlutoRadio(Radio):
    """One Pluto. Receiving runs from the first use until a setting of the receiver changes; then old samples are gone."""

    def __init__(self, name: str, device: PlutoDevice, options: PlutoOptions, permit: Permit, *, virtual: bool) -> None:
        self._name, self._device, self._options, self._permit = name, device, options, permit
        self._settings: RadioSettings | None = None
        self._closed = False
        self._lock = threading.RLock()
        self._receiver: Receiver | None = None
        self._stream: HostFedStream | None = None
        self._burst: Any = None
        self._end_of_burst: threading.Timer | None = None
        self._cursor: int | None = None
        self._base = 0
        self._info = device.describe(name, virtual=virtual, tx_full_scale=_TX_FULL_SCALE, rx_full_scale=_RX_FULL_SCALE)

    @classmethod
    def open(cls, name: str, bench: BenchConfig, shared: dict[str, Any]) -> PlutoRadio:
        """Open radio `name` and silence it: attenuation at its highest, DDS tones off.

        Raises:
            DriverMissingError: libiio or pyadi-iio is missing.
            RadioNotFoundError: nobody answers at `uri`.
            ConfigError: an option is wrong.
        """
        config = bench.radios[name]
        options = validate(PlutoOptions, config.options, f"bench '{bench.name}': radios.{name}")
        device = PlutoDevice.connect(name, options.uri)
        host = options.uri.removeprefix("ip:").split(":")[0] if options.uri.startswith("ip:") else ""
        virtual = proven_virtual(name, config, host, device.serial)
        radio = cls(name, device, options, Permit(bench, shared), virtual=virtual)
        try:
            device.silence()
        except RadioError:
            radio.close()
            raise
        return radio

    @property
    def info(self) -> RadioInfo:
        """What it can do."""
        return self._info

    def configure(self, settings: RadioSettings) -> RadioSettings:
        """Apply settings and read them back; gain control is manual."""
        self._open_or_raise()
        check_settings(self._info, settings)
        self._permit.check_gains(self._info, settings)
        with self._lock:
            old = self._settings
            if old is None or _tuning(old) != _tuning(settings):
                self.stop()
                self._end_reception()
                self._device.set_rate(settings.sample_rate_hz)
                tx_hz = settings.center_freq_hz + settings.lo_offset_hz if settings.tx_channels else None
                self._device.set_frequency(tx_hz, settings.center_freq_hz)
            self._device.set_bandwidth(settings.bandwidth_hz or settings.sample_rate_hz)
            if settings.rx_channels:
                if old is None or old.rx_gain_db != settings.rx_gain_db:
                    self._end_reception()  # what is queued was received with the old gain
                self._device.set_rx_gain(settings.rx_gain_db[0])
            if settings.tx_channels:
                self._device.set_tx_gain(settings.tx_gain_db[0])
            self._settings = settings
            if settings.rx_channels:
                self._reception(settings)
            return self._device.read_back(settings)

    def now(self) -> int:
        """Samples received so far; a first reception without `at` goes on from here."""
        settings = self._configured()
        if not settings.rx_channels:
            return self._base
        now = self._base + self._reception(settings).end
        if self._cursor is None:
            self._cursor = now
        return now

    def fresh(self) -> int:
        """See the contract; `now` counts what has arrived, and up to all kernel buffers are older than that."""
        settings = self._configured()
        return self._base + self._reception(settings).fresh() if settings.rx_channels else self._base

    def transmit(self, samples: NDArray[Any], *, at: int | None = None, cyclic: bool = False) -> list[StreamEvent]:
        """Send once, or repeat until `stop`; see the contract."""
        settings = self._configured()
        codes, clipped = to_int16(samples, _TX_FULL_SCALE)
        if codes.ndim != 3 or codes.shape[0] != len(settings.tx_channels) or codes.shape[1] == 0:
            raise ShapeError(
                f"Argument 'samples' must be [{len(settings.tx_channels)} channels, n] with n ≥ 1, not {list(samples.shape)}."
            )
        if at is not None:
            raise RadioError(f"radio '{self._name}' has no timed transmission; leave out 'at'")
        self._permit.check(self._info, settings)
        longest_s = self._permit.longest_s if cyclic and not self._info.virtual else None
        self._permit.spend(self._info, longest_s or codes.shape[1] / settings.sample_rate_hz)
        with self._lock:
            self.stop()
            self._device.power_transmitter(on=True)
            block = codes[0] if cyclic else np.concatenate([codes[0], np.zeros((_PAD, 2), np.int16)])
            self._burst = self._device.push(block, cyclic=cyclic)
            if longest_s is not None:
                self._end_of_burst = threading.Timer(longest_s, self.stop)
                self._end_of_burst.daemon = True
                self._end_of_burst.start()
        channel = settings.tx_channels[0]
        return [self._event("clip", channel, 0, int(clipped[0]))] if clipped[0] else []

    def open_stream(self) -> TransmitStream:
        """Feed the transmitter without end until `stop`."""
        settings = self._configured()
        if not settings.tx_channels:
            raise RadioError(f"radio '{self._name}' has no transmit channel configured")
        self._permit.check(self._info, settings)
        with self._lock:
            self._device.power_transmitter(on=True)
            if self._stream is not None and self._stream.failure is not None:
                failure = self._stream.failure
                self.stop()
                raise ConnectionLostError(
                    f"radio '{self._name}': the transmit stream ended: {failure}", radio=self._name
                ) from failure
            if self._stream is None:
                self.stop()
                block = max(1024, round(self._options.tx_buffer_s * settings.sample_rate_hz))
                buffers = TxBuffers(self._device, block, self._options.tx_buffers)
                self._stream = HostFedStream(
                    self._name,
                    settings.tx_channels[0],
                    buffers,
                    block,
                    _TX_FULL_SCALE,
                    lambda n: self._permit.spend(self._info, n / settings.sample_rate_hz),
                )
            return self._stream

    def rest(self) -> None:
        """Wait until the operator's limits let the next burst out."""
        self._permit.rest(self._info)

    def sensors(self) -> Mapping[str, SensorValue]:
        """The transceiver's temperature; a Pluto has no reference that it could tell of."""
        self._open_or_raise()
        return self._device.sensors()

    def receive(self, n: int, *, at: int | None = None, timeout_s: float | None = None) -> Reception:
        """Receive n samples; `at` may reach back a few seconds. A hole ends a reception; see `Receiver`."""
        settings = self._configured()
        if n < 0 or not settings.rx_channels:
            raise RadioError(f"radio '{self._name}': cannot receive {n} samples on channels {settings.rx_channels}")
        receiver = self._reception(settings)
        start = at if at is not None else self._cursor if self._cursor is not None else self._base + receiver.end
        samples, first, gaps = receiver.read(
            max(start - self._base, 0), n, n / settings.sample_rate_hz + 2.0 if timeout_s is None else timeout_s
        )
        channel = settings.rx_channels[0]
        events = [self._lost(channel, gap) for gap in gaps]
        peak = np.abs(samples).max(axis=1) if len(samples) else np.zeros(0, np.int16)
        clips = np.flatnonzero(peak >= _RX_FULL_SCALE - 1)
        if len(clips):
            events.append(self._event("clip", channel, self._base + first + int(clips[0]), len(clips)))
        self._cursor = self._base + first + len(samples)
        return Reception(samples=samples[np.newaxis], start=self._base + first, events=tuple(events))

    def stop(self) -> None:
        """Silence the transmitter: no buffer, and the DDS tones that take over are at zero."""
        with self._lock:
            stream, self._stream = self._stream, None
            if stream is not None:
                stream.close()
            timer, self._end_of_burst = self._end_of_burst, None
            if timer is not None:
                timer.cancel()
            burst, self._burst = self._burst, None
            destroy(burst)

    def close(self) -> None:
        """Stop everything, attenuation to its highest, and let go."""
        if self._closed:
            return
        self._closed = True
        with self._lock:
            try:
                self.stop()
                self._end_reception()
            finally:
                with contextlib.suppress(RadioError):  # a lost connection cannot be silenced, and its buffers are gone
                    self._device.silence()
                self._device.release()

    def _reception(self, settings: RadioSettings) -> Receiver:
        with self._lock:
            if self._receiver is None:
                block = max(1024, round(self._options.buffer_s * settings.sample_rate_hz))
                self._device.set_timeout(2.0 + 4 * block / settings.sample_rate_hz)
                self._receiver = Receiver(
                    self._name, RxBuffers(self._device, block, self._options.kernel_buffers), settings.sample_rate_hz
                )
            return self._receiver

    def _end_reception(self) -> None:
        if self._receiver is not None:
            self._receiver.close()
            self._base += self._receiver.end
            self._receiver = None
            self._cursor = None

    def _lost(self, channel: int, gap: Gap) -> StreamEvent:
        return self._event("overflow", channel, self._base + gap.position, gap.count)

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


def _tuning(settings: RadioSettings) -> tuple[object, ...]:
    return settings.sample_rate_hz, settings.center_freq_hz, settings.lo_offset_hz, bool(settings.tx_channels)
