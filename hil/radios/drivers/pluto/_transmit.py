"""A transmit stream to a Pluto that never ends: a thread keeps the kernel buffers full of silence, or of what was written."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hil.radios.contract import StreamEvent, TransmitStream
from hil.radios.scaling import to_int16

__all__ = ["HostFedStream", "TransmitDevice"]


class TransmitDevice(Protocol):
    """What `HostFedStream` needs of a device; every method is called from its thread only."""

    def start(self) -> None:
        """Make a buffer and clear the underflow bit."""

    def write(self, codes: NDArray[np.int16]) -> None:
        """Queue a buffer, int16 [n, 2]; blocks while the queue is full."""

    def underflowed(self) -> bool:
        """Whether the device ran dry since the last call; clears the sign."""

    def stop(self) -> None:
        """Destroy the buffer."""


class HostFedStream(TransmitStream):
    """See the module.

    Args:
        name: of the radio.
        channel: of the radio.
        device: where samples go.
        block: samples in a buffer.
        full_scale: code of amplitude 1.0.
        spend: called with the length of what is to be written; refuses it, or waits.
    """

    def __init__(
        self,
        name: str,
        channel: int,
        device: TransmitDevice,
        block: int,
        full_scale: float,
        spend: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._spend = spend
        self._name, self._channel, self._device, self._block, self._full_scale = name, channel, device, block, full_scale
        self._lock = threading.Lock()
        self._planned: list[tuple[int, NDArray[np.int16]]] = []
        self._events: list[StreamEvent] = []
        self._position = 0
        self._epoch = 0
        self._stopping = False
        self.failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=f"{name}-tx", daemon=True)
        self._thread.start()

    @property
    def position(self) -> int:
        """First sample that can still be written."""
        with self._lock:
            return self._position

    @property
    def epoch(self) -> int:
        """Changes whenever the stream ran dry."""
        with self._lock:
            return self._epoch

    def write(self, samples: NDArray[Any], at: int) -> list[StreamEvent]:
        """Put samples [1, n] at a position; see the contract."""
        codes, clipped = to_int16(samples, self._full_scale)
        n = codes.shape[1]
        self._spend(n)
        with self._lock:
            if at < self._position:
                return [self._event("late", at, n)]
            self._planned.append((at, codes[0]))
            self._planned.sort(key=lambda planned: planned[0])
        return [self._event("clip", at, int(clipped[0]))] if clipped[0] else []

    def events(self) -> list[StreamEvent]:
        """Underflows since the last call."""
        with self._lock:
            out, self._events = self._events, []
        return out

    def forget(self) -> None:
        """Drop what was written and has not been fed."""
        with self._lock:
            self._planned.clear()

    def close(self) -> None:
        """End the thread and destroy the buffer."""
        self._stopping = True
        self._thread.join(timeout=10)

    def _event(self, kind: Any, position: int, count: int) -> StreamEvent:
        return StreamEvent(kind=kind, radio=self._name, channel=self._channel, position=position, count=count)

    def _next(self) -> NDArray[np.int16]:
        out = np.zeros((self._block, 2), np.int16)
        with self._lock:
            start, end = self._position, self._position + self._block
            for at, codes in self._planned:
                low, high = max(at, start), min(at + len(codes), end)
                if low < high:
                    out[low - start : high - start] = codes[low - at : high - at]
            self._planned = [(at, codes) for at, codes in self._planned if at + len(codes) > end]
            self._position = end
        return out

    def _run(self) -> None:
        attempt: Callable[[], None] = self._device.start
        try:
            attempt()
            while not self._stopping:
                self._device.write(self._next())
                if self._device.underflowed():
                    with self._lock:
                        self._epoch += 1
                        self._events.append(self._event("underflow", self._position, 0))
        except Exception as err:
            self.failure = err
            with self._lock:
                self._epoch += 1
        finally:
            try:
                self._device.stop()
            except Exception as err:
                self.failure = self.failure or err
