"""Transmitting with a USRP: bursts by device time, and the device's word on every one of them."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.errors import RadioTimeoutError
from hil.radios.contract import EventKind, StreamEvent
from hil.radios.drivers.uhd._device import UhdDevice

__all__ = ["UhdTransmitter"]

_CHUNK = 65536  # samples a call: between calls signals are handled
_NEAR_S = 0.02  # a start closer than this is confirmed before `send` returns
_GRACE_S = 1.0  # from the end of a burst to the device's word on it


@dataclass(eq=False)
class _Burst:
    """Under way: device sample of the first one (None = untimed), length, when the word on it is overdue, rows without it."""

    at: int | None
    n: int
    due: float
    waiting: set[int]


class UhdTransmitter:
    """Bursts over the channels of one device.

    Args:
        device: configured.
        channels: in the order of the rows of `send`.
    """

    def __init__(self, device: UhdDevice, channels: tuple[int, ...]) -> None:
        self._device, self._channels = device, channels
        self._streamer: Any = None
        self._open()
        self._under_way: deque[_Burst] = deque()
        self._events: list[StreamEvent] = []

    def _open(self) -> None:
        with self._device.wrapped("make a transmit stream"):
            self._streamer = self._device.usrp.get_tx_stream(self._device.stream_args(self._channels))

    def send(self, codes: NDArray[np.int16], at: int | None) -> list[StreamEvent]:
        """Send one burst; `late` events where the device refused it at once (then nothing was sent).

        Args:
            codes: int16 [channel, n, 2].
            at: device sample of the first one; None = as soon as it arrives.

        Raises:
            RadioTimeoutError: the device did not take the samples in time.
            RadioError: the connection is lost.
        """
        device, n = self._device, codes.shape[1]
        now = device.now()
        if at is not None and at <= now:
            return self._late(at, n)
        if at is None and len(self._channels) > 1:
            at = now + int(_NEAR_S * device.sample_rate_hz)
        lead_s = 0.0 if at is None else (at - now) / device.sample_rate_hz
        limit = time.monotonic() + lead_s + n / device.sample_rate_hz + 2.0
        words = np.ascontiguousarray(codes).view(np.uint32).reshape(codes.shape[0], n)
        metadata = device.uhd.types.TXMetadata()
        metadata.start_of_burst, metadata.has_time_spec = True, at is not None
        if at is not None:
            metadata.time_spec = device.time_of(at)
        burst = _Burst(at, n, limit - 2.0 + _GRACE_S, set(range(len(self._channels))))
        self._under_way.append(burst)
        done = 0
        while done < n:
            part = np.ascontiguousarray(words[:, done : done + _CHUNK])
            metadata.end_of_burst = done + part.shape[1] == n
            with device.wrapped("send samples"):
                sent = self._streamer.send(part, metadata, max(0.05, limit - time.monotonic()))
            if sent < part.shape[1]:
                self.silence()
                raise RadioTimeoutError(f"radio '{device.name}': took {done + sent} of {n} samples in time", radio=device.name)
            done += sent
            metadata.start_of_burst = metadata.has_time_spec = False
        if at is not None and at - device.now() < _NEAR_S * device.sample_rate_hz:
            return self._verdict(burst)
        return []

    def settle(self, *, wait: bool = True) -> list[StreamEvent]:
        """What the device said about the bursts sent so far; `wait`: until it has acknowledged each, or is overdue."""
        while self._under_way:
            if self._listen(0.0):
                continue
            if not wait:
                break
            if time.monotonic() > self._under_way[0].due:
                burst = self._under_way.popleft()  # never acknowledged: nothing is known of its samples
                for row in sorted(burst.waiting):
                    self._note("underflow", row, burst.at or 0, burst.n)
                continue
            time.sleep(0.002)
        events, self._events = self._events, []
        return events

    def silence(self) -> None:
        """Drop what the device has not sent: a new stream clears its memory."""
        if self._under_way:
            self.settle(wait=False)
        if self._under_way:
            self._under_way.clear()
            self._streamer = None
            self._open()

    def close(self) -> None:
        """Silence, and let go of the stream."""
        try:
            self.silence()
        finally:
            self._streamer = None

    def _verdict(self, burst: _Burst) -> list[StreamEvent]:
        """Wait for news of a burst that may have come too late, up to its start and a little more."""
        until = time.monotonic() + _NEAR_S + 0.03
        while time.monotonic() < until and burst in self._under_way:
            if not self._listen(0.0):
                time.sleep(0.001)
        refused = [event for event in self._events if event.kind == "late" and event.position == burst.at]
        self._events = [event for event in self._events if event not in refused]
        return refused

    def _listen(self, timeout_s: float) -> bool:
        """Handle one message of the device, if there is one."""
        message = self._device.uhd.types.TXAsyncMetadata()
        with self._device.wrapped("read messages"):
            if not self._streamer.recv_async_msg(message, timeout_s):
                return False
        codes = self._device.uhd.types.TXMetadataEventCode
        row = min(int(message.channel), len(self._channels) - 1)
        when = self._device.samples_of(message.time_spec) if message.has_time_spec else 0
        code = message.event_code
        if code in (codes.burst_ack, codes.time_error):
            burst = next((burst for burst in self._under_way if row in burst.waiting), None)
            if burst is None:
                return True
            burst.waiting.discard(row)
            if not burst.waiting:
                self._under_way.remove(burst)
            if code == codes.burst_ack:
                self._judge(burst, row, when)
            else:
                self._note("late", row, when if burst.at is None else burst.at, burst.n)
        elif code in (codes.underflow, codes.underflow_in_packet):
            self._note("underflow", row, when, 0)
        elif code in (codes.seq_error, codes.seq_error_in_packet):
            self._note("gap", row, when, 0)
        return True

    def _judge(self, burst: _Burst, row: int, end: int) -> None:
        """A burst is over on one channel: by how much its end is off tells how many samples were late or missing."""
        off = abs(end - (burst.at + burst.n)) if burst.at is not None and end else 0
        for index, event in enumerate(self._events):
            if event.count == 0 and event.channel == self._channels[row]:
                self._events[index] = replace(event, count=max(off, 1))
                return
        if off > 1:
            self._note("gap", row, burst.at or 0, off)

    def _late(self, at: int, n: int) -> list[StreamEvent]:
        return [self._event("late", row, at, n) for row in range(len(self._channels))]

    def _note(self, kind: EventKind, row: int, position: int, count: int) -> None:
        self._events.append(self._event(kind, row, position, count))

    def _event(self, kind: EventKind, row: int, position: int, count: int) -> StreamEvent:
        channel = self._channels[row]
        return StreamEvent(kind=kind, radio=self._device.name, channel=channel, position=position, count=count)
