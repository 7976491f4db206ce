"""Receiving from a USRP without a hole: a thread that empties the stream, and the last seconds of samples by device time.

Continuity is judged by timestamps alone: the metadata's codes say why something is missing, never how much, and now and then
they are missing themselves (UHD counts packets modulo 16). A hole may lie anywhere in the block before the one that does not
follow it. So samples are handed out only once the next block has been seen to follow, and where it does not, the block before
is given up whole: better fewer samples than wrong ones.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hil.errors import ConnectionLostError, RadioTimeoutError
from hil.radios.drivers.uhd._device import UhdDevice

__all__ = ["Gap", "UhdReceiver"]

_BLOCK_S = 0.01
_TIMEOUT_S = 0.1
_SILENT_S = 0.5  # a stream that says nothing for so long is started again
_START_S = 0.05  # notice for a start on several channels


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Samples that never arrived: why, position of the first, and count."""

    kind: Literal["overflow", "gap"]
    position: int
    count: int


class UhdReceiver:
    """Samples by device time of the channels of one device, streamed from construction to `close`.

    Args:
        device: configured.
        channels: to receive.
    """

    def __init__(self, device: UhdDevice, channels: tuple[int, ...]) -> None:
        self._device, self._channels = device, channels
        self._rate = device.sample_rate_hz
        self._kept = int(device.options.history_s * self._rate)
        self._changed = threading.Condition()
        self._blocks: deque[tuple[int, NDArray[np.int16]]] = deque()
        self._gaps: deque[Gap] = deque(maxlen=10_000)
        self._end: int | None = None
        self._sure = 0  # everything before is where it is said to be
        self._why: Literal["overflow", "gap"] | None = None
        self._failure: Exception | None = None
        self._stopping = False
        self.restarts = 0
        with device.wrapped("make a receive stream"):
            self._streamer = device.usrp.get_rx_stream(device.stream_args(channels))
        size = self._streamer.get_max_num_samps()
        self._size = size * max(1, round(_BLOCK_S * self._rate / size))
        self._command("start_cont")
        self._thread = threading.Thread(target=self._run, name=f"{device.name}-rx", daemon=True)
        self._thread.start()

    def begin(self, timeout_s: float = 5.0) -> int:
        """Wait for the first sample, and return its position.

        Raises:
            RadioTimeoutError: there is none.
            RadioError: the stream ended.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._end is not None or self._failure is not None, timeout_s)
            self._check()
            if self._end is None:
                raise RadioTimeoutError(
                    f"radio '{self._device.name}': no sample arrived in {timeout_s:g} s", radio=self._device.name
                )
            return self._blocks[0][0] if self._blocks else self._end

    def read(
        self, start: int, n: int, timeout_s: float, since: int, *, timed: bool
    ) -> tuple[NDArray[np.int16], int, list[Gap]]:
        """Up to n samples from `start` on; gaps from position `since` on are told of too.

        Returns:
            int16 [channel, m, 2], the position of the first, and the gaps met. A gap at the start is skipped (`timed`: the
            reception still ends at start + n); one inside ends the reception before n.

        Raises:
            RadioTimeoutError: they did not come in time.
            RadioError: the stream ended.
        """
        deadline, asked = time.monotonic() + timeout_s, start
        with self._changed:
            while True:
                met, start, until = self._lay_out(asked, n, since, timed)
                if self._end is not None and self._sure >= until:
                    break
                self._check()
                left = deadline - time.monotonic()
                if left <= 0:
                    arrived = max((self._end or 0) - start, 0)
                    raise RadioTimeoutError(
                        f"radio '{self._device.name}': {n} samples did not arrive in {timeout_s:.3g} s ({arrived} did)",
                        radio=self._device.name,
                    )
                self._changed.wait(left)
            oldest = self._blocks[0][0] if self._blocks else self._end
            if start < oldest and until > start:
                lost = min(oldest, until) - start  # asked for too late
                met.append(Gap(kind="overflow", position=start, count=lost))
                start += lost
            return self._copy(start, until), start, met

    def close(self) -> None:
        """End the thread and the stream."""
        self._stopping = True
        self._thread.join(timeout=5)

    def _lay_out(self, start: int, n: int, since: int, timed: bool) -> tuple[list[Gap], int, int]:
        """The gaps met, the first position that can be had, and where the reception ends."""
        until, met = start + n, []
        for gap in self._gaps:
            if gap.position + gap.count <= min(start, since) or gap.position >= until:
                continue
            met.append(gap)
            if gap.position + gap.count <= start:
                continue
            if gap.position > start:
                until = gap.position
                break
            start = gap.position + gap.count
            if timed:
                start = min(start, until)
            else:
                until = start + n
        return met, start, until

    def _check(self) -> None:
        if self._failure is not None:
            raise ConnectionLostError(
                f"radio '{self._device.name}': the receive stream ended: {self._failure}", radio=self._device.name
            ) from self._failure

    def _copy(self, start: int, until: int) -> NDArray[np.int16]:
        out = np.zeros((len(self._channels), max(until - start, 0), 2), np.int16)
        for position, block in self._blocks:
            low, high = max(position, start), min(position + block.shape[1], until)
            if low < high:
                out[:, low - start : high - start] = block[:, low - position : high - position]
        return out

    def _command(self, mode: str) -> None:
        types, device = self._device.uhd.types, self._device
        with device.wrapped("start or stop the receive stream"):
            command = types.StreamCMD(getattr(types.StreamMode, mode))
            command.stream_now = len(self._channels) == 1 or mode == "stop_cont"
            if not command.stream_now:
                command.time_spec = device.time_of(device.now() + int(_START_S * self._rate))
            self._streamer.issue_stream_cmd(command)

    def _run(self) -> None:
        try:
            self._pump()
        except Exception as err:
            with self._changed:
                self._failure = err
                self._changed.notify_all()
        finally:
            try:
                self._command("stop_cont")
                self._drain()
            except Exception as err:
                self._failure = self._failure or err
            del self._streamer

    def _pump(self) -> None:
        metadata = self._device.uhd.types.RXMetadata()
        codes = self._device.uhd.types.RXMetadataErrorCode
        silent_since = time.monotonic()
        while not self._stopping:
            buffer = np.empty((len(self._channels), self._size), np.uint32)
            n = self._streamer.recv(buffer, metadata, _TIMEOUT_S)
            if n:
                silent_since = time.monotonic()
                self._append(self._device.samples_of(metadata.time_spec), buffer[:, :n])
            code = metadata.error_code
            if code == codes.none:
                continue
            if code == codes.overflow and metadata.out_of_sequence:
                self._why = "gap"  # a packet was lost on its way; the stream goes on
                continue
            if code == codes.timeout and time.monotonic() - silent_since < _SILENT_S:
                continue
            self._why = "overflow" if code == codes.overflow else self._why
            self.restarts += 1
            silent_since = time.monotonic()
            self._command("start_cont")

    def _append(self, position: int, words: NDArray[np.uint32]) -> None:
        block = np.ascontiguousarray(words).view(np.int16).reshape(*words.shape, 2)
        with self._changed:
            if self._end is not None and position != self._end:
                self._break(position)
            self._why = None
            self._sure = position
            self._blocks.append((position, block))
            self._end = position + block.shape[1]
            while self._blocks[0][0] + self._blocks[0][1].shape[1] < self._end - self._kept:
                self._blocks.popleft()
            self._changed.notify_all()

    def _break(self, position: int) -> None:
        """The next block does not follow the last one."""
        end = self._end or 0
        if position < end or position - end > 600 * self._rate:  # the device's time was set: what was is no more
            self._blocks.clear()
            self._gaps.clear()
            return
        if self._blocks:
            end = self._blocks.pop()[0]  # the hole may lie anywhere in the block before
        self._gaps.append(Gap(kind=self._why or "gap", position=end, count=position - end))

    def _drain(self) -> None:
        metadata, buffer = self._device.uhd.types.RXMetadata(), np.empty((len(self._channels), self._size), np.uint32)
        for _ in range(1000):
            if not self._streamer.recv(buffer, metadata, 0.02):
                return
