"""Receiving from a Pluto without a hole: a thread that empties the kernel buffers, and the last seconds of samples.

A Pluto has no clock and no counter that a host can read; its one sign of loss is a sticky bit. So after every buffer the bit
is read. When it is set, the buffer in hand and everything queued may lie on either side of the hole: all of it is thrown away
and the stream is started anew. What was handed out stays contiguous, the hole begins exactly where the last good buffer
ended, and its length is estimated from the host's clock.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hil.errors import ConnectionLostError, RadioError, RadioTimeoutError

__all__ = ["Gap", "ReceiveDevice", "Receiver"]

_STARTS = 3
_RECENT_S = 1.0  # in which some buffer has arrived as fast as it could
_ON_ITS_WAY_S = 0.1  # more than such a buffer takes
_DRIFT = 100e-6  # how much faster than the host's clock the device's may be, at most


class ReceiveDevice(Protocol):
    """What `Receiver` needs of a device; every method is called from its thread only."""

    def start(self) -> None:
        """Make a fresh buffer and clear the overflow bit."""

    def read(self) -> NDArray[np.int16]:
        """The next buffer, int16 [n, 2]; blocks."""

    def overflowed(self) -> bool:
        """Whether samples were lost since `start`."""

    def stop(self) -> None:
        """Destroy the buffer."""


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Samples that never arrived: position of the first and (estimated) count."""

    position: int
    count: int


class Receiver:
    """Samples by position: the count of samples since the stream began, lost ones included.

    Args:
        name: of the radio, for messages.
        device: where they come from.
        sample_rate_hz: nominal.
        history_s: how long samples are kept for `read`.
        clock: monotonic, s.
    """

    def __init__(
        self,
        name: str,
        device: ReceiveDevice,
        sample_rate_hz: float,
        history_s: float = 4.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name, self._device, self._rate, self._clock = name, device, sample_rate_hz, clock
        self._kept = int(history_s * sample_rate_hz)
        self._changed = threading.Condition()
        self._blocks: deque[tuple[int, NDArray[np.int16]]] = deque()
        self._gaps: deque[Gap] = deque(maxlen=10_000)
        self._untold: list[Gap] = []
        self._end = 0
        self._failure: Exception | None = None
        self._stopping = False
        self._reference: tuple[float, float] | None = None  # host time of position 0 by the fastest arrival so far; when
        self._arrivals: deque[tuple[float, int]] = deque()  # of the last second: host time, end of the block
        self._thread = threading.Thread(target=self._run, name=f"{name}-rx", daemon=True)
        self._thread.start()

    @property
    def end(self) -> int:
        """The position after the newest sample."""
        with self._changed:
            return self._end

    def fresh(self, timeout_s: float = 5.0) -> int:
        """A position that is surely received after this call, by the host's clock; waits for the first samples.

        The fastest of the last second's buffers says when a position was received; whatever is queued has come later.

        Raises:
            RadioTimeoutError: there is none.
            ConnectionLostError: the connection is lost.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._arrivals or self._failure is not None, timeout_s)
            self._check()
            if not self._arrivals:
                raise RadioTimeoutError(f"radio '{self._name}': no sample arrived in {timeout_s:g} s", radio=self._name)
            origin = min(arrived - end / self._rate for arrived, end in self._arrivals)
            return max(self._end, math.ceil((self._clock() + _ON_ITS_WAY_S - origin) * self._rate))

    def read(self, start: int, n: int, timeout_s: float) -> tuple[NDArray[np.int16], int, list[Gap]]:
        """Up to n samples from `start` on: int16 [m, 2], the position of the first, and the gaps so far, each told once.

        A gap at the start is skipped; a gap inside ends the reception before n. Gaps before the start are told as well: whoever
        counts on positions must know that they are estimates from there on.

        Raises:
            RadioTimeoutError: they did not come in time.
            RadioError: the connection is lost.
        """
        deadline = self._clock() + timeout_s
        with self._changed:
            for gap in self._gaps:
                if gap.position <= start < gap.position + gap.count:
                    start = gap.position + gap.count
            while True:
                inside = next((gap for gap in self._gaps if start < gap.position < start + n), None)
                until = start + n if inside is None else inside.position
                if self._end >= until:
                    break
                self._check()
                left = deadline - self._clock()
                if left <= 0:
                    arrived = max(self._end - start, 0)
                    raise RadioTimeoutError(
                        f"radio '{self._name}': {n} samples did not arrive in {timeout_s:.3g} s ({arrived} did)",
                        radio=self._name,
                    )
                self._changed.wait(left)
            gaps = [gap for gap in self._untold if gap.position <= until]
            self._untold = self._untold[len(gaps) :]
            oldest = self._blocks[0][0] if self._blocks else self._end
            if start < oldest and until > start:
                lost = Gap(position=start, count=min(oldest, until) - start)  # the host came too late for them
                gaps.append(lost)
                start += lost.count
            return self._copy(start, until), start, gaps

    def close(self) -> None:
        """End the thread and destroy the buffer."""
        self._stopping = True
        self._thread.join(timeout=10)

    def _check(self) -> None:
        if self._failure is not None:
            raise ConnectionLostError(
                f"radio '{self._name}': the receive stream ended: {self._failure}", radio=self._name
            ) from self._failure

    def _copy(self, start: int, until: int) -> NDArray[np.int16]:
        out = np.zeros((max(until - start, 0), 2), np.int16)
        for position, block in self._blocks:
            low, high = max(position, start), min(position + len(block), until)
            if low < high:
                out[low - start : high - start] = block[low - position : high - position]
        return out

    def _run(self) -> None:
        try:
            self._device.start()
            fresh = True
            while not self._stopping:
                try:
                    block = self._device.read()
                    lost = self._device.overflowed()
                except (OSError, RadioError):  # libiio's own deadline has passed, or all is over: a new buffer will tell
                    lost = True
                arrived = self._clock()
                if lost:
                    self._restart()
                    fresh = True
                    continue
                self._append(block, arrived, fresh)
                fresh = False
        except Exception as err:
            with self._changed:
                self._failure = err
                self._changed.notify_all()
        finally:
            try:
                self._device.stop()
            except Exception as err:
                self._failure = self._failure or err

    def _restart(self) -> None:
        """Begin anew after a loss; a device that only pauses is given a few tries."""
        self._device.stop()
        for attempt in range(1, _STARTS + 1):
            try:
                self._device.start()
            except (OSError, RadioError):
                if attempt == _STARTS or self._stopping:
                    raise
            else:
                return

    def _append(self, block: NDArray[np.int16], arrived: float, fresh: bool) -> None:
        with self._changed:
            if fresh and self._reference is not None:
                lost = round((arrived - self._reference[0]) * self._rate) - len(block) - self._end
                gap = Gap(position=self._end, count=max(lost, 1))  # at least one: the device said so
                self._gaps.append(gap)
                self._untold.append(gap)
                self._end += gap.count
            self._blocks.append((self._end, block))
            self._end += len(block)
            if fresh:
                self._arrivals.clear()
            self._arrivals.append((arrived, self._end))
            while self._arrivals[0][0] < arrived - _RECENT_S:
                self._arrivals.popleft()
            origin = arrived - self._end / self._rate
            if self._reference is None:
                self._reference = (origin, arrived)
            else:
                before, when = self._reference
                self._reference = (min(origin, before + _DRIFT * (arrived - when)), arrived)
            while self._blocks[0][0] + len(self._blocks[0][1]) < self._end - self._kept:
                self._blocks.popleft()
            self._changed.notify_all()
