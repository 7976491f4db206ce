"""Receiving through SoapySDR: a finite reception at a time, or an endless one read on and on; what is missing is counted."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.errors import ConnectionLostError, RadioError, RadioTimeoutError
from hil.radios.contract import EventKind
from hil.radios.drivers.soapy._buffers import choose_format, stream_rows
from hil.radios.drivers.soapy._device import SoapyDevice
from hil.radios.scaling import to_int16

__all__ = ["Loss", "Received", "SoapyReceiver"]

_POLL_S = 0.1
_TAIL_S = 0.25  # a finite reception that ended so long ago by the device's clock sends no more


@dataclass(frozen=True, kw_only=True)
class Loss:
    """Samples that are not there, and why."""

    kind: EventKind
    position: int
    count: int


@dataclass(frozen=True, kw_only=True)
class Received:
    """int16 [channel, n, 2], the device sample of the first, and what is missing before, inside or after."""

    samples: NDArray[np.int16]
    start: int
    losses: tuple[Loss, ...]


@dataclass(frozen=True)
class _Block:
    position: int
    samples: NDArray[np.int16]
    ends: bool = False


class SoapyReceiver:
    """The receive stream of one device. All its methods run on the device's worker thread.

    A hole ends a reception before it, except at its start, where it is skipped; every hole is told once.

    Args:
        device: open and tuned.
        channels: in the order of the rows.
        full_scale: int16 value of amplitude 1.0, for drivers that only give floats.
        timed: the device has a clock.
        stale_s: see `SoapyOptions`.
    """

    def __init__(
        self, device: SoapyDevice, channels: tuple[int, ...], full_scale: float, stale_s: float, *, timed: bool
    ) -> None:
        self._device, self._name = device, device.name
        self._full_scale, self._stale_s, self._timed = full_scale, stale_s, timed
        self.channels = channels
        h, soapy = device.handle, device.soapy
        self._form = choose_format(self._name, list(h.getStreamFormats(soapy.SOAPY_SDR_RX, channels[0])))
        self._stream: Any = h.setupStream(soapy.SOAPY_SDR_RX, self._form, list(channels), device.options.all_stream_args())
        self._room = max(1024, int(h.getStreamMTU(self._stream)))
        shape = (self._room, 2) if self._form == "CS16" else (self._room,)
        self._rows = [np.zeros(shape, np.int16 if self._form == "CS16" else np.complex64) for _ in channels]
        self._running = False
        self._waiting: _Block | None = None
        self._cursor: int | None = None  # next sample of an endless reception
        self._position = 0  # of the next sample that comes without a time
        self._touched = 0.0
        self._told = False

    @property
    def position(self) -> int:
        """Samples received, for devices without time."""
        return self._position

    def read(self, n: int, at: int | None, deadline: float) -> Received:
        """Receive n samples a channel; without `at`, after the ones before.

        Args:
            n: at least 1.
            at: device sample; without hardware time the count of received samples.
            deadline: by `time.monotonic`.

        Raises:
            RadioTimeoutError: the deadline passed.
            RadioError: the stream broke.
        """
        losses: list[Loss] = []
        finite = at is not None and self._timed and self._device.quirks.timed_activation
        if finite and at is not None:
            self.stop()
            self._activate(at, n)
            expected: int | None = at
        else:
            if not self._running or time.monotonic() - self._touched > self._stale_s:
                self._restart()
            expected = self._cursor if at is None else at
        try:
            return self._collect(n, at, expected, finite, deadline, losses)
        except BaseException:
            self.stop()
            raise
        finally:
            self._touched = time.monotonic()

    def _collect(
        self, n: int, at: int | None, expected: int | None, finite: bool, deadline: float, losses: list[Loss]
    ) -> Received:
        out = np.empty((len(self.channels), n, 2), np.int16)
        done, start, until = 0, expected, None if at is None else at + n
        while done < n:
            block = self._next(deadline, until if finite else None)
            if block is None:  # refused: its time had passed
                self.stop()
                return Received(samples=out[:, :0], start=at or 0, losses=(Loss(kind="late", position=at or 0, count=n),))
            if expected is None:
                expected = start = block.position
            skip = min(max(expected - block.position, 0), block.samples.shape[1])
            first = block.position + skip
            if first > expected:
                losses.append(Loss(kind="overflow" if self._told else "gap", position=expected, count=first - expected))
                self._told = False
                expected = first
                if done:
                    self._waiting = block
                    break
                start = first
                if until is not None:
                    n = max(until - first, 0)
            take = min(block.samples.shape[1] - skip, n - done)
            if take > 0:
                out[:, done : done + take] = block.samples[:, skip : skip + take]
                done, expected = done + take, expected + take
                if skip + take < block.samples.shape[1]:
                    self._waiting = _Block(expected, block.samples[:, skip + take :])
            if block.ends and finite and done < n:
                losses.append(Loss(kind="overflow" if self._told else "gap", position=expected, count=n - done))
                break
        if finite and (done < n or self._waiting is not None):
            self.stop()
        if finite:
            self._running = self._told = False
        self._cursor = expected
        return Received(samples=out[:, :done], start=start or 0, losses=tuple(losses))

    def stop(self) -> None:
        """End the reception, and forget what it left behind."""
        self._waiting, self._cursor, self._told = None, None, False
        if not self._running:
            return
        self._running = False
        h = self._device.handle
        h.deactivateStream(self._stream)
        for _ in range(10_000):
            got = h.readStream(self._stream, stream_rows(self._rows, self._form, self._room, written=True), self._room, 0, 0)
            if got.ret == self._device.soapy.SOAPY_SDR_TIMEOUT or got.ret == self._device.soapy.SOAPY_SDR_STREAM_ERROR:
                break

    def close(self) -> None:
        """Stop, and give the stream back."""
        if self._stream is not None:
            stream, self._stream = self._stream, None
            try:
                if self._running:
                    self._running = False
                    self._device.handle.deactivateStream(stream)
            finally:
                self._device.handle.closeStream(stream)

    def _activate(self, at: int, n: int) -> None:
        flags = int(self._device.soapy.SOAPY_SDR_HAS_TIME) | int(self._device.soapy.SOAPY_SDR_END_BURST)
        code = self._device.handle.activateStream(self._stream, flags, self._device.time_of(at), n)
        self._check(code, "activateStream")
        self._running = True

    def _restart(self) -> None:
        self.stop()
        self._check(self._device.handle.activateStream(self._stream), "activateStream")
        self._running = True

    def _check(self, code: int, what: str) -> None:
        if code not in (0, None):
            raise RadioError(f"radio '{self._name}': {what} failed: {self._device.soapy.errToStr(code)}")

    def _next(self, deadline: float, until: int | None) -> _Block | None:
        """The next samples; None where the device says that the time had passed."""
        if self._waiting is not None:
            block, self._waiting = self._waiting, None
            return block
        soapy, h = self._device.soapy, self._device.handle
        over = False
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise RadioTimeoutError(f"radio '{self._name}': samples did not arrive before the deadline", radio=self._name)
            if self._device.worker.cancelled.is_set():
                raise RadioError(f"radio '{self._name}': receiving was cancelled")
            rows = stream_rows(self._rows, self._form, self._room, written=True)
            got = h.readStream(self._stream, rows, self._room, 0, int(min(left, _POLL_S) * 1e6))
            ends = bool(got.flags & soapy.SOAPY_SDR_END_BURST)
            if got.ret > 0:
                return self._block(got, ends)
            if got.ret == 0:
                if ends:
                    return _Block(self._position, self._samples(0), True)
            elif got.ret == soapy.SOAPY_SDR_TIMEOUT:
                if over:
                    return _Block(self._position, self._samples(0), True)  # its last packet was lost
                over = until is not None and self._past(until)  # one look more: the answer may have been slow to come
            elif got.ret == soapy.SOAPY_SDR_TIME_ERROR and self._device.quirks.time_error == "late":
                return None
            elif got.ret in (soapy.SOAPY_SDR_OVERFLOW, soapy.SOAPY_SDR_CORRUPTION, soapy.SOAPY_SDR_TIME_ERROR):
                self._told = True
            else:
                self._running = False
                self._device.failed = True
                raise ConnectionLostError(
                    f"radio '{self._name}': the receive stream broke: {soapy.errToStr(got.ret)}", radio=self._name
                )

    def _block(self, got: Any, ends: bool) -> _Block:
        if got.flags & self._device.soapy.SOAPY_SDR_HAS_TIME and self._device.quirks.rx_time:
            self._position = self._device.sample_at(got.timeNs)  # later fragments of a packet have no time of their own
        block = _Block(self._position, self._samples(got.ret), ends)
        self._position += got.ret
        return block

    def _samples(self, n: int) -> NDArray[np.int16]:
        both = np.stack([row[:n] for row in self._rows])
        return both if self._form == "CS16" else to_int16(both, self._full_scale)[0]

    def _past(self, until: int) -> bool:
        now = self._device.sample_at(int(self._device.handle.getHardwareTime("")))
        return now > until + _TAIL_S * self._device.rate_hz
