"""One receive chain of a virtual USRP N210: stream commands in, packets of samples with their times out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hil.channel.noise import BLOCK
from hil.radios.virtual.n210.registers import N210Registers
from hil.radios.virtual.n210.wire import RX_BROKEN_CHAIN, RX_LATE, RX_OVERFLOW, rx_error, rx_packets, samples_in

__all__ = ["N210Receiver"]

_NOW, _CHAIN, _RELOAD, _STOP = 1 << 31, 1 << 30, 1 << 29, 1 << 28
_COMMANDS = 64
_AT_ONCE = 4 * BLOCK  # samples made before they are sent
_MOST = 2000  # samples in a packet: what fits a frame of 8000 bytes


@dataclass
class _Reception:
    """Samples under way: next tick, how many (None = endless), whether a command must follow, clock ticks a sample."""

    position: int
    left: int | None
    chained: bool
    step: int


class N210Receiver:
    """Stream commands, positions and packets of one receive chain. Positions are ticks of the radio's samples.

    Args:
        index: 0 or 1.
        registers: of the device.
        send: sends packets, uint8 [n, bytes]; how many were taken.
    """

    def __init__(self, index: int, registers: N210Registers, send: Callable[[NDArray[np.uint8]], int]) -> None:
        self._index, self._registers, self._radio, self._send = index, registers, registers.radio, send
        self._control = 32 + 48 * index
        self.clear()

    def clear(self) -> None:
        """Forget everything, as after a reset."""
        self._commands: deque[tuple[int, int]] = deque()
        self._now: _Reception | None = None
        self._count = 0
        self._lost_from: int | None = None
        self._registers.active.discard("rx")

    @property
    def endless(self) -> bool:
        """Streaming until stopped."""
        return self._now is not None and self._now.left is None

    @property
    def finite(self) -> bool:
        """Receiving, or about to receive, so many samples."""
        return not self.endless and (self._now is not None or bool(self._commands))

    @property
    def _stream_id(self) -> int:
        return self._registers.settings[self._control + 5] or 3 + self._index

    @property
    def _step(self) -> int:
        return self._registers.decimation("rx", self._index)

    @property
    def _per_packet(self) -> int:
        return min(max(1, self._registers.settings[self._control + 7]), _MOST)

    def write(self, register: int, value: int) -> None:
        """A register of this receive chain's control."""
        offset = register - self._control
        if offset == 2:
            settings = self._registers.settings
            self._command(settings[self._control], settings[self._control + 1] << 32 | value)
        elif offset in (3, 8):
            self.clear()

    def _command(self, word: int, time: int) -> None:
        if word & _STOP:
            if self._now is not None:
                self._now.left = 0
                self._now.chained = False
            self._commands.clear()
            if self._now is not None:
                self._finish()
            return
        if len(self._commands) < _COMMANDS:
            self._commands.append((word, time))
        if self._now is None:
            self._begin()

    def _begin(self) -> None:
        """Take the next command."""
        if not self._commands:
            return
        word, time = self._commands.popleft()
        if not self._registers.apply("rx", self._index):
            return
        step = self._step
        counter = self._registers.counter
        at = counter + step if word & _NOW else time - self._registers.offset
        if not word & _NOW and (at < counter or self._radio.faults.take("late") is not None):
            self._radio.count("late", at // step, word & 0xFFFFFFF)
            self._error(at, RX_LATE)
            self._commands.clear()
            return
        left = None if word & _RELOAD else word & 0xFFFFFFF
        self._now = _Reception((at + step // 2) // step, left, bool(word & _CHAIN and not word & _RELOAD), step)
        self._registers.active.add("rx")

    def capture(self, *, writable: bool) -> None:
        """Send what has become receivable; `writable` = False: the link is stuck, and samples are lost."""
        while self._now is not None:
            now = self._now
            if now.left == 0:
                self._next(now)
                continue
            if not self._registers.apply("rx", self._index) or now.step != self._step:
                self._error(now.position * now.step, RX_BROKEN_CHAIN)  # the rate was changed under way
                self._finish()
                return
            ready = self._radio.receivable - now.position
            if ready <= 0:
                return
            if not writable:
                if self._lost_from is None:
                    self._lost_from = now.position
                self._skip(now, ready)
                continue
            if self._lost_from is not None:
                self._overflow(now, self._lost_from)
                return
            fault = self._radio.faults.take("overflow")
            if fault is not None:
                start = now.position
                self._skip(now, fault.samples)
                self._overflow(now, start)
                return
            if not self._deliver(now, ready):
                return

    def _skip(self, now: _Reception, n: int) -> None:
        now.position += n
        if now.left is not None:
            now.left = max(0, now.left - n)

    def _deliver(self, now: _Reception, ready: int) -> bool:
        """Send up to `ready` samples; False: nothing more to do now."""
        size = self._per_packet
        ready = min(ready, _AT_ONCE)
        n = ready - ready % size if now.left is None or now.left > ready else now.left
        if not n:
            return False
        step = now.step
        heard = bool(self._radio.ports["rx"]) and now.position >= 0
        codes = self._radio.receive(0, now.position, n) if heard else np.zeros((n, 2), np.int16)
        bits = self._radio.config.adc_bits
        if bits < 16:
            codes = codes << (16 - bits)
        last = now.left is not None and n == now.left and not now.chained
        time = now.position * step + self._registers.offset
        for packets in rx_packets(codes, size, self._count, self._stream_id, time, step, last=last):
            self._transport(packets, now.position)
            self._count += len(packets)
            self._skip(now, len(packets) * samples_in(packets))
        return True

    def _transport(self, packets: NDArray[np.uint8], position: int) -> None:
        """Send packets of one size, the first of which starts at `position`."""
        size = samples_in(packets)
        keep = np.ones(len(packets), bool)
        for index in range(len(packets)):
            if self._radio.faults.take("drop") is None:
                break
            keep[index] = False
            self._radio.count("dropped", position + index * size, size)
        kept = np.flatnonzero(keep)
        sent = self._send(packets if keep.all() else packets[keep]) if len(kept) else 0
        lost = kept[sent:]
        for run in np.split(lost, np.flatnonzero(np.diff(lost) > 1) + 1):  # dropped packets lie between runs
            if len(run):
                self._radio.count("lost", position + int(run[0]) * size, len(run) * size)

    def _next(self, now: _Reception) -> None:
        """The command is done."""
        if now.chained and self._commands:
            word, _ = self._commands.popleft()
            left = None if word & _RELOAD else word & 0xFFFFFFF
            # the step stays: `position` counts in it, and a new rate in between is a broken chain
            self._now = _Reception(now.position, left, bool(word & _CHAIN and not word & _RELOAD), now.step)
        elif now.chained:
            self._error(now.position * now.step, RX_BROKEN_CHAIN)
            self._finish()
        else:
            self._finish()
            self._begin()

    def _overflow(self, now: _Reception, start: int) -> None:
        """Say that samples from `start` on are lost, and stop, as the device does until it is told to start again."""
        self._lost_from = None
        self._radio.count("lost", start, now.position - start)
        self._error(start * now.step, RX_OVERFLOW)
        self._commands.clear()
        self._finish()

    def _finish(self) -> None:
        self._now = None
        self._lost_from = None
        self._registers.active.discard("rx")

    def _error(self, counter: int, code: int) -> None:
        message = rx_error(self._count, self._stream_id, counter + self._registers.offset, code)
        self._send(np.frombuffer(message, np.uint8).reshape(1, -1))
