"""The transmitter of a virtual USRP N210: packets into bursts, each sample on its tick, and what the host is told."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from hil.radios.virtual.n210.registers import N210Registers
from hil.radios.virtual.n210.wire import (
    ASYNC_ACK,
    ASYNC_FLOW,
    ASYNC_LATE,
    ASYNC_SEQUENCE,
    ASYNC_SEQUENCE_IN_BURST,
    ASYNC_UNDERFLOW,
    TxPacket,
)

__all__ = ["N210Transmitter"]

_CLEAR, _POLICY, _CYCLES, _PACKETS = 144, 147, 148, 149
_NEXT_BURST = 4
_MEMORY = 1 << 20  # bytes of samples that the device holds
_PACKETS_HELD = 8192
_ENOUGH = 4  # times as much as a host may have under way is not a host's


@dataclass
class _Queued:
    """A packet with the counter at its arrival, its counter if timed, and how much of it has been played."""

    packet: TxPacket
    arrived: int
    at: int | None
    done: int = 0


class N210Transmitter:
    """Queue, bursts and messages of the transmit chain. Positions are ticks of the radio's samples.

    A burst starts at the sample nearest to its time; in a burst samples follow one another until its last packet. A queue that
    runs dry in a burst is an underflow; what comes later goes on as soon as it comes (or, if the host chose so, is dropped up
    to the next burst).

    Args:
        registers: of the device.
        say: sends (counter, code, sequence) to the host.
    """

    def __init__(self, registers: N210Registers, say: Callable[[int, int, int], None]) -> None:
        self._registers, self._radio, self._say = registers, registers.radio, say
        self.clear()

    def clear(self) -> None:
        """Forget everything, as after a reset."""
        self._queue: deque[_Queued] = deque()
        self._bytes = 0
        self._position: int | None = None
        self._dropping = False
        self._expected = 0
        self._consumed = 0
        self._unreported = 0
        self._heard = True
        self._step = 1
        self._registers.active.discard("tx")

    @property
    def idle(self) -> bool:
        """Nothing under way."""
        return not self._queue and self._position is None

    def write(self, register: int, value: int) -> None:
        """A register of the transmit control."""
        if register == _CLEAR:
            self.clear()

    def follow_rate(self) -> None:
        """The rate may have changed: within a burst positions are void then, and nobody hears its rest, nor what is queued."""
        if self._position is None or self._step == self._registers.decimation("tx"):
            return
        self._dropping = True
        for queued in self._queue:
            self._radio.counters["unheard"] += len(queued.packet.codes) - queued.done
            self._dropping = not queued.packet.last
            self._count(queued.packet.sequence)
        self._queue.clear()
        self._bytes = 0
        self._end()
        self._registers.active.discard("tx")

    def arrive(self, packet: TxPacket, earliest: int) -> None:
        """Queue a packet; `earliest` is the counter before which it comes too late."""
        if packet.sequence != self._expected:
            in_burst = self._position is not None or bool(self._queue)
            self._say(earliest, ASYNC_SEQUENCE_IN_BURST if in_burst else ASYNC_SEQUENCE, packet.sequence)
            self._radio.count("sequence", self._ticks(earliest), 1)
        self._expected = (packet.sequence + 1) & 0xFFFFFFFF
        at = packet.time - self._registers.offset if packet.time is not None else None
        if self._dropping and not packet.first:
            self._dropping = not packet.last
            self._count(packet.sequence)
            return
        self._dropping = False
        if packet.first and at is not None and (at < earliest or self._radio.faults.take("late") is not None):
            self._refuse(packet, at)
            return
        if not (len(packet.codes) or packet.first or packet.last):
            self._count(packet.sequence)
            return
        if self._bytes > _ENOUGH * _MEMORY or len(self._queue) >= _PACKETS_HELD:
            self._count(packet.sequence)
            self._radio.count("refused", self._ticks(earliest), len(packet.codes))
            return
        self._queue.append(_Queued(packet, earliest, at if packet.first or self.idle else None))
        self._bytes += 4 * len(packet.codes)

    def _refuse(self, packet: TxPacket, at: int) -> None:
        self._say(at, ASYNC_LATE, packet.sequence)
        self._radio.count("late", self._ticks(at), len(packet.codes))
        self._dropping = not packet.last
        self._count(packet.sequence)

    def advance(self, air: float, *, final: bool) -> None:
        """Play every sample before an air sample; `final`: the DAC has really come there, so a dry queue is an underflow."""
        until = math.ceil(self._registers.tick_at("tx", air) - 1e-6)
        while True:
            if self._position is None and not self._start(until):
                break
            if self._position is None:
                continue
            if self._position >= until:
                break
            if not self._queue:
                if final:
                    self._run_dry(until)
                break
            if self._queue[0].at is not None and not self._queue[0].done and self._queue[0].packet.first and self._in_burst:
                self._end()  # a burst without an end is followed by another one
                continue
            self._play(until)

    def report(self, force: bool = False) -> None:
        """Tell the host how far its packets have been taken: after as many as it asked for, or at the end of a step."""
        if self._unreported and (force or self._unreported >= self._every):
            self._say(self._registers.counter, ASYNC_FLOW, self._consumed)
            self._unreported = 0

    @property
    def _every(self) -> int:
        value = self._registers.settings[_PACKETS]
        return value & 0x7FFFFFFF if value >> 31 and value & 0x7FFFFFFF else 64

    @property
    def _floor(self) -> int:
        """First tick that can still be handed over."""
        return math.ceil(self._registers.tick_at("tx", self._radio.world.played) - 1e-6)

    def _ticks(self, counter: int) -> int:
        step = self._registers.decimation("tx")
        return (counter + step // 2) // step

    def _start(self, until: int) -> bool:
        """Begin the next burst if it is due before `until`; False: nothing to do."""
        self._in_burst = False
        if not self._queue:
            self._registers.active.discard("tx")
            return False
        head = self._queue[0]
        start = self._ticks(head.at) if head.at is not None else max(self._ticks(head.arrived), self._floor)
        if start >= until:
            return False
        if head.at is not None and start < self._floor:  # behind a burst that was too long
            self._queue.popleft()
            self._bytes -= 4 * len(head.packet.codes)
            self._refuse(head.packet, head.at)
            while self._queue and self._dropping and not self._queue[0].packet.first:
                dropped = self._queue.popleft().packet
                self._bytes -= 4 * len(dropped.codes)
                self._dropping = not dropped.last
                self._count(dropped.sequence)
            self._dropping = self._dropping and not self._queue
            return True
        self._heard = self._registers.apply("tx")
        self._step = self._registers.decimation("tx")
        self._registers.active.add("tx")
        self._position = start
        return True

    def _play(self, until: int) -> None:
        head, position = self._queue[0], self._position
        if position is None:
            return
        fault = self._radio.faults.take("underflow")
        if fault is not None:  # the host is late by so many samples
            self._underflow(position, fault.samples)
            self._position = position + fault.samples
            return
        self._in_burst = True
        take = min(until - position, len(head.packet.codes) - head.done)
        passed = math.ceil(self._radio.tick_at(self._radio.world.played) - 1e-6)  # in the radio's rate, whatever ours is
        if self._heard and take and position >= passed:
            for channel in range(len(self._radio.ports["tx"])):
                self._radio.transmit(channel, position, head.packet.codes[head.done : head.done + take])
        else:
            self._radio.counters["unheard"] += take
        head.done += take
        self._position = position + take
        if head.done < len(head.packet.codes):
            return
        self._queue.popleft()
        self._bytes -= 4 * len(head.packet.codes)
        self._count(head.packet.sequence)
        if head.packet.last:
            self._say(self._position * self._step, ASYNC_ACK, head.packet.sequence)
            self._end()

    def _end(self) -> None:
        self._position = None
        self._in_burst = False

    def _run_dry(self, until: int) -> None:
        position = self._position
        if position is None:
            return
        self._underflow(position, until - position)
        self._end()
        self._registers.active.discard("tx")

    def _underflow(self, position: int, n: int) -> None:
        self._say(position * self._step, ASYNC_UNDERFLOW, self._expected)
        self._radio.count("underflow", position, n)
        self._dropping = bool(self._registers.settings[_POLICY] & _NEXT_BURST)

    def _count(self, sequence: int) -> None:
        self._consumed = sequence
        self._unreported += 1
