"""The Radio contract: what every driver, real or simulated, offers.

Three ways to put a burst on the air, by capability: **timed** (`transmit(..., at=t)`, needs `RadioInfo.timed_transmit`),
**cyclic** (`transmit(..., cyclic=True)`, repeats until `stop`), and **immediate** (`transmit(...)`, starts within
`RadioInfo.start_jitter_s`). A radio without hardware time counts the samples that it has received. Where time is missing, a
`TransmitStream` that never stops (`RadioInfo.stream_transmit`) keeps the transmitter's sample count against the receiver's.

A driver honours one hard promise: `close` and `stop` silence the transmitter, on every path out.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from hil.errors import RadioError
from hil.radios.bench import BenchConfig

__all__ = [
    "EventKind", "Radio", "RadioInfo", "RadioSettings", "Range", "Reception", "SensorValue", "StreamEvent", "TransmitStream",
    "check_settings",
]  # fmt: skip

EventKind = Literal["overflow", "underflow", "late", "gap", "clip"]
SensorValue = float | bool | str


@dataclass(frozen=True, kw_only=True)
class Range:
    """An interval of values that a device takes, `step` apart (0 = continuous)."""

    low: float
    high: float
    step: float = 0.0

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def nearest(self, value: float) -> float:
        """The value inside the interval, and on its grid, that is closest to `value`."""
        inside = min(max(value, self.low), self.high)
        if self.step <= 0:
            return inside
        on_grid = self.low + round((inside - self.low) / self.step) * self.step
        return on_grid if on_grid <= self.high + 1e-9 else on_grid - self.step

    def __str__(self) -> str:
        return f"{self.low:g} … {self.high:g}" + (f" in steps of {self.step:g}" if self.step else "")


@dataclass(frozen=True, kw_only=True)
class StreamEvent:
    """Something that happened to the samples. Data for the ledger, not a log line.

    Attributes:
        kind: overflow (receive samples lost), underflow (transmitter ran dry), late (a time that had passed; the burst or
            reception did not happen), gap (samples missing, for any reason), clip (samples beyond a converter's range).
        radio: name of the radio in its bench.
        channel: its channel.
        position: device sample of the first sample concerned.
        count: how many samples. A radio without hardware time estimates lost samples from the host's clock.
    """

    kind: EventKind
    radio: str
    channel: int
    position: int
    count: int


@dataclass(frozen=True, kw_only=True)
class RadioInfo:
    """What a radio can do.

    Attributes:
        driver: its name in `hil.registry.DRIVERS`.
        name: its name in the bench.
        serial: of the device.
        tx_channels: number of transmit channels.
        rx_channels: number of receive channels.
        sample_rate_hz: the rates it takes.
        center_freq_hz: the carriers it takes.
        tx_gain_db: transmit gains; only differences are meaningful.
        rx_gain_db: receive gains; only differences are meaningful.
        tx_full_scale: int16 value of the DAC's full scale (complex64 amplitude 1.0).
        rx_full_scale: int16 value of the ADC's full scale.
        hardware_time: `now` is the device's own clock, not a count of received samples.
        timed_transmit: `transmit(at=...)` works.
        cyclic_transmit: `transmit(cyclic=True)` works.
        stream_transmit: `open_stream` works.
        start_jitter_s: an untimed burst starts at most this long after the call.
        rate_resolution_hz: what it reads back may be off the rate asked for by so much: no nearer one is to be had.
        carrier_resolution_hz: the same for carriers: the step of its synthesiser.
        clock_runs: its time goes on by itself; False where only what is received moves it, as in a simulation that is not
            paced.
        clock_sources: what may drive the oscillator.
        time_sources: what may set the time.
        formats: of samples, native first.
        virtual: no antenna: needs neither limits nor consent.
    """

    driver: str
    name: str
    serial: str
    tx_channels: int
    rx_channels: int
    sample_rate_hz: Range
    center_freq_hz: Range
    tx_gain_db: Range
    rx_gain_db: Range
    tx_full_scale: float
    rx_full_scale: float
    hardware_time: bool = False
    timed_transmit: bool = False
    cyclic_transmit: bool = False
    stream_transmit: bool = False
    start_jitter_s: float = 0.1
    rate_resolution_hz: float = 1.0
    carrier_resolution_hz: float = 1.0
    clock_runs: bool = True
    clock_sources: tuple[str, ...] = ("internal",)
    time_sources: tuple[str, ...] = ("none",)
    formats: tuple[str, ...] = ("int16", "complex64")
    virtual: bool = False

    def to_dict(self) -> dict[str, Any]:
        """For a capture: only JSON types."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class RadioSettings:
    """What is asked of a radio, or what it read back.

    Attributes:
        sample_rate_hz: of both directions.
        center_freq_hz: of both directions.
        tx_channels: the channels used, in the order of the rows of `transmit`.
        rx_channels: the channels used, in the order of the rows of `receive`.
        tx_gain_db: one per entry of `tx_channels`.
        rx_gain_db: one per entry of `rx_channels`.
        bandwidth_hz: analogue filters; None = the driver's choice for the rate.
        clock_source: one of `RadioInfo.clock_sources`; None = the first.
        time_source: one of `RadioInfo.time_sources`; None = the first.
        tx_antenna: port name; None = the driver's default.
        rx_antenna: port name; None = the driver's default.
        lo_offset_hz: LO placed off the carrier by this much, where the device can.
    """

    sample_rate_hz: float
    center_freq_hz: float
    tx_channels: tuple[int, ...] = ()
    rx_channels: tuple[int, ...] = ()
    tx_gain_db: tuple[float, ...] = ()
    rx_gain_db: tuple[float, ...] = ()
    bandwidth_hz: float | None = None
    clock_source: str | None = None
    time_source: str | None = None
    tx_antenna: str | None = None
    rx_antenna: str | None = None
    lo_offset_hz: float = 0.0

    def replace(self, **changes: Any) -> RadioSettings:
        """A copy with `changes`."""
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """For a capture: only JSON types."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Reception:
    """Received samples.

    Attributes:
        samples: int16 [channel, n, 2] (I, Q); n is shorter than asked only if an event says why.
        start: device sample of the first one.
        events: what happened on the way.
    """

    samples: NDArray[np.int16]
    start: int
    events: tuple[StreamEvent, ...] = ()


class TransmitStream(abc.ABC):
    """A transmitter that is fed without end by a thread of its driver: silence wherever nothing was written.

    Positions count the samples fed since the stream began. One that runs dry has lost its relation to time: `epoch` changes,
    and every alignment must be measured again.
    """

    @property
    @abc.abstractmethod
    def position(self) -> int:
        """First sample that can still be written."""

    @property
    @abc.abstractmethod
    def epoch(self) -> int:
        """Changes whenever the stream ran dry or was started anew."""

    @abc.abstractmethod
    def write(self, samples: NDArray[Any], at: int) -> list[StreamEvent]:
        """Put samples, shaped as for `Radio.transmit`, at position `at`; events as there (`late`: nothing is sent)."""

    @abc.abstractmethod
    def events(self) -> list[StreamEvent]:
        """What happened since the last call: underflows, with the position at which they were noticed."""


class Radio(abc.ABC):
    """One device. A context manager: leaving it closes it, and closing it silences its transmitter.

    Attributes:
        deaf: of a simulated radio: its time goes on, and what it would hear is not computed; samples are zeros.
    """

    deaf: bool = False

    @classmethod
    @abc.abstractmethod
    def open(cls, name: str, bench: BenchConfig, shared: dict[str, Any]) -> Radio:
        """Open radio `name` of `bench`. `shared` is one dict for all radios of one session (a common air, a context).

        Raises:
            RadioNotFoundError: no such device.
            ConfigError: a driver option is wrong.
        """

    @property
    @abc.abstractmethod
    def info(self) -> RadioInfo:
        """What it can do."""

    @abc.abstractmethod
    def configure(self, settings: RadioSettings) -> RadioSettings:
        """Apply `settings` and return what the device read back. Gains alone may change without a new tune.

        Raises:
            RadioError: a value is outside the device's range.
        """

    @abc.abstractmethod
    def now(self) -> int:
        """Device time, in samples."""

    def fresh(self) -> int:
        """A device sample, soon to come, that is surely received after this call: nothing on its way is that new.

        By default `now`, which is right for a device's own clock. A radio that counts what has arrived adds what may be queued.
        """
        return self.now()

    @abc.abstractmethod
    def transmit(self, samples: NDArray[Any], *, at: int | None = None, cyclic: bool = False) -> list[StreamEvent]:
        """Put samples on the air.

        Args:
            samples: int16 [channel, n, 2] in units of `RadioInfo.tx_full_scale`, or complex64 [channel, n] with full scale
                1.0; one row per entry of `RadioSettings.tx_channels`.
            at: device sample of the first one; None = at once. Needs `timed_transmit`.
            cyclic: repeat until `stop`. Needs `cyclic_transmit`.

        Returns:
            Events known by now: `clip` per channel, `late` (then nothing was sent).

        Raises:
            ShapeError: wrong shape or type, or no samples.
            RadioError: not configured, or the device cannot do it.
        """

    @abc.abstractmethod
    def receive(self, n: int, *, at: int | None = None, timeout_s: float | None = None) -> Reception:
        """Receive `n` samples per channel; without `at`, contiguous with the reception before where the device streams.

        Args:
            n: samples per channel.
            at: device sample of the first one; None = the next.
            timeout_s: deadline.

        Raises:
            RadioTimeoutError: the deadline passed.
            RadioError: not configured.
        """

    def open_stream(self) -> TransmitStream:
        """Transmit without end from now on, until `stop`; the same stream when it already runs. Needs `stream_transmit`.

        Raises:
            RadioError: the device cannot do it.
        """
        raise RadioError(f"radio '{self.info.name}' cannot stream; see RadioInfo.stream_transmit")

    def rest(self) -> None:
        """Wait until the operator's limits let the next burst out; to be called before its time is chosen."""
        return

    def settle(self) -> list[StreamEvent]:
        """Wait for the device's word on every burst sent, and return what went wrong with them; [] where it gives none."""
        return []

    def sensors(self) -> Mapping[str, SensorValue]:
        """What the device's own sensors say now of locks ("ref_locked", "rx0.lo_locked") and temperatures (°C).

        Names are the vendor's, behind the channel that one belongs to; empty where it has none.
        """
        return {}

    @abc.abstractmethod
    def stop(self) -> None:
        """Silence the transmitter: what has not left the antenna does not leave it."""

    @abc.abstractmethod
    def close(self) -> None:
        """Silence the transmitter and let go of the device. May be called twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def check_settings(info: RadioInfo, settings: RadioSettings) -> None:
    """Refuse settings outside the ranges of `info`; every driver calls this first.

    Raises:
        RadioError: naming the radio, the setting, its range and the value.
    """
    ranges = [
        ("sample_rate_hz", info.sample_rate_hz, (settings.sample_rate_hz,)),
        ("center_freq_hz", info.center_freq_hz, (settings.center_freq_hz,)),
        ("tx_gain_db", info.tx_gain_db, settings.tx_gain_db),
        ("rx_gain_db", info.rx_gain_db, settings.rx_gain_db),
    ]
    for what, allowed, values in ranges:
        for value in values:
            if value not in allowed:
                raise RadioError(f"radio '{info.name}': '{what}' must lie in {allowed}, not {value:g}")
    for side, count, channels, gains in (
        ("tx", info.tx_channels, settings.tx_channels, settings.tx_gain_db),
        ("rx", info.rx_channels, settings.rx_channels, settings.rx_gain_db),
    ):
        if any(not 0 <= channel < count for channel in channels) or len(set(channels)) != len(channels):
            raise RadioError(f"radio '{info.name}': '{side}_channels' must be distinct and below {count}, not {channels}")
        if len(gains) != len(channels):
            raise RadioError(
                f"radio '{info.name}': '{side}_gain_db' must have one value per channel ({len(channels)}), not {len(gains)}"
            )
    for what, source, sources in (
        ("clock_source", settings.clock_source, info.clock_sources),
        ("time_source", settings.time_source, info.time_sources),
    ):
        if source is not None and source not in sources:
            raise RadioError(f"radio '{info.name}': '{what}' must be one of {', '.join(sources)}, not '{source}'")
