"""A virtual USRP N210 with an SBX daughterboard, which libuhd cannot tell from a device: five UDP ports on one address."""

from __future__ import annotations

import contextlib
import os
import socket
from collections import deque
from collections.abc import Callable, Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.errors import RadioError
from hil.radios.virtual.n210.memory import ControlMemory
from hil.radios.virtual.n210.registers import N210Registers
from hil.radios.virtual.n210.rx import N210Receiver
from hil.radios.virtual.n210.tx import N210Transmitter
from hil.radios.virtual.n210.wire import (
    CONTROL_PORT,
    FIFO_PORT,
    RX_PORTS,
    TX_PORT,
    FifoCommand,
    async_message,
    fifo_ack,
    gone_peers,
    parse_fifo,
    parse_tx,
    report_errors,
    send_packets,
)
from hil.radios.virtual.radio import VirtualRadio
from hil.radios.virtual.server import ProtocolServer, Sockets

__all__ = ["N210Server"]

_AT_ONCE = 256  # datagrams from one socket before others have their turn
_WAITING = 1024  # register accesses behind a timed one
_LONGEST = 9000
_RECEIVE_BUFFER = 4 << 20
_FIFO_STREAM = 0

Address = tuple[str, int]


class N210Server(ProtocolServer):
    """One device: control, queued control, two receive chains, one transmit chain.

    A datagram is handled when it is read. The transmit port is read once more before the DAC moves on, so that packets that
    came in time are in time. Everything is bounded: the register queue, stream commands, and the transmit memory.
    """

    def __init__(self, radio: VirtualRadio, sockets: Sockets) -> None:
        super().__init__(radio, sockets)
        self._ports: dict[int, socket.socket] = {}
        self._peers: dict[int, Address] = {}
        self._banned: set[tuple[int, Address]] = set()
        self._slow = False
        self._asynchronous = 0
        self._pending: deque[tuple[FifoCommand, Address]] = deque()
        self._seen = 0
        self._power_on()

    def _power_on(self) -> None:
        self.registers = N210Registers(self.radio)
        self.tx = N210Transmitter(self.registers, self._say)
        self.rx = [N210Receiver(index, self.registers, self._sender(port)) for index, port in enumerate(RX_PORTS)]
        self._pending.clear()

    @classmethod
    def client_options(cls, host: str, port: int) -> dict[str, Any]:
        """Options of the driver for a server at `host`."""
        return {"args": f"type=usrp2,addr={host}"}

    @classmethod
    def free_place(cls, taken: Collection[tuple[str, int]]) -> tuple[str, int]:
        """An address in 127.0.0.0/8, of this process's own block, on which nobody serves an N210; its ports are fixed."""
        block, first = os.getpid() % 60000, int.from_bytes(os.urandom(2), "little")
        for step in range(240):
            host = f"127.{1 + block // 250}.{block % 250}.{10 + (first + step) % 240}"
            if (host, 0) in taken:
                continue
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
                probe.bind((host, CONTROL_PORT))
                return host, 0
        raise RadioError(f"no loopback address in 127.{1 + block // 250}.{block % 250}.0/24 is free for another virtual radio")

    def listen(self, host: str, port: int) -> None:
        """Bind the five ports.

        Raises:
            OSError: an address is taken or not ours.
        """
        self._memory = ControlMemory(host, self.radio.serial, self._peek, self._poke)
        for number in (CONTROL_PORT, FIFO_PORT, TX_PORT, *RX_PORTS):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
                report_errors(sock)
                sock.bind((host, number))
            except OSError:
                sock.close()
                raise
            self._ports[number] = sock
            self.sockets.add(sock, self._reader(number))

    def close(self) -> None:
        """Nothing is kept beyond the sockets."""
        self._peers.clear()

    def reset(self) -> None:
        """As if power had gone: only new clients are known again, for what the old ones have set is lost."""
        self._banned |= set(self._peers.items())
        for channel in range(len(self.radio.ports["tx"])):
            self.radio.silence(channel)
        if self._peers:
            self.radio.count("disconnect", self.radio.played, 1)
        self._peers.clear()
        self.radio.clients.clear()
        self._power_on()

    # steps of air time

    def play(self) -> None:
        """The DAC has come to `radio.played`."""
        self._notice_faults()
        if not self._slow:
            self._read(TX_PORT, self._seen)
        while self._pending and not self._slow:
            command, peer = self._pending[0]
            if command.time is not None and not self._due(command, self._played_counter):
                break
            self._pending.popleft()
            self._execute(command, peer)
        self.tx.advance(self.radio.world.clock.now, final=True)
        if not self._slow:
            self.tx.report(force=True)
        self._seen = self.registers.counter

    def capture(self) -> None:
        """Samples before `radio.receivable` can be received."""
        for receiver in self.rx:
            receiver.capture(writable=not self._slow)

    def waiting(self) -> bool:
        """Whether a finite reception is under way, and no endless stream.

        A burst or a timed register does not count: its host may still have to prepare other radios for the same moment.
        """
        if any(receiver.endless for receiver in self.rx):
            return False
        return any(receiver.finite for receiver in self.rx)

    @property
    def _played_counter(self) -> int:
        return self.registers.counter_at(self.radio.world.clock.now)

    def _notice_faults(self) -> None:
        slow = self.radio.faults.active("slow")
        if slow != self._slow:
            self._slow = slow
            for sock in self._ports.values():
                self.sockets.want(sock, read=not slow)
        if self.radio.faults.take("disconnect") is not None:
            self.reset()

    # datagrams

    def _read(self, number: int, earliest: int) -> None:
        """Handle what has come to one port."""
        sock = self._ports[number]
        for index in range(_AT_ONCE):
            try:
                data, peer = sock.recvfrom(_LONGEST)
            except BlockingIOError:
                if index == 0:  # woken by a report only: take it, or it wakes us for ever
                    self._find_gone(number)
                break
            except OSError:
                self._find_gone(number)
                continue
            if (number, peer) in self._banned:
                continue
            self.radio.counters["messages"] += 1
            if number == CONTROL_PORT:
                self._control(data, peer)
            elif number == FIFO_PORT:
                self._fifo(data, peer)
            elif len(data) >= 8 and data[4:8] == b"\0\0\0\0":
                self._learn(number, peer)
            elif number == TX_PORT:
                packet = parse_tx(data)
                if packet is None:
                    self.radio.counters["malformed"] += 1
                elif self._peers.get(number, peer) == peer:
                    self._learn(number, peer)
                    self.tx.arrive(packet, earliest)
        self._seen = self.registers.counter

    def _reader(self, number: int) -> Callable[[int], None]:
        return lambda _mask: self._read(number, self.registers.counter)

    def _control(self, data: bytes, peer: Address) -> None:
        reply = self._memory.answer(data)
        if reply is None:
            self.radio.counters["malformed"] += 1
            return
        if reply[7] != ord("A"):  # who only says hello is no client
            self._learn(CONTROL_PORT, peer)
        self._send(CONTROL_PORT, reply, peer)

    def _fifo(self, data: bytes, peer: Address) -> None:
        if len(data) >= 8 and data[4:8] == b"\0\0\0\0":
            self._learn(FIFO_PORT, peer)
            return
        command = parse_fifo(data)
        if command is None or len(self._pending) >= _WAITING:
            self.radio.counters["malformed"] += 1
            return
        if self._pending or (command.time is not None and not self._due(command, self.registers.counter)):
            self._pending.append((command, peer))
            return
        self._execute(command, peer)

    def _due(self, command: FifoCommand, counter: int) -> bool:
        return command.time is None or command.time - self.registers.offset <= counter

    def _execute(self, command: FifoCommand, peer: Address) -> None:
        value = command.data
        if command.write:
            self._write(command.register, value, command.time)
        else:
            value = self.registers.read(command.register)
        self._send(FIFO_PORT, fifo_ack(command, _FIFO_STREAM, value), peer)

    def _write(self, register: int, value: int, time: int | None = None) -> None:
        """A settings register, at a time or now."""
        if self.registers.touches_rf(register) and not self.tx.idle:
            reading = self.radio.world.clock.reading()
            due = reading if time is None else min(self.registers.air_at(time - self.registers.offset), reading)
            self.tx.advance(due, final=False)
        self.registers.write(register, value)
        self.tx.follow_rate()
        if 144 <= register < 152:
            self.tx.write(register, value)
        for index, receiver in enumerate(self.rx):
            if 32 + 48 * index <= register < 48 + 48 * index:
                receiver.write(register, value)

    def _peek(self, address: int) -> int:
        return self.registers.read(address >> 2 & 0x1F)

    def _poke(self, address: int, value: int) -> None:
        self._write(address >> 2 & 0xFF, value)

    # to the host

    def _sender(self, number: int) -> Callable[[NDArray[np.uint8]], int]:
        def send(packets: NDArray[np.uint8]) -> int:
            peer = self._peers.get(number)
            if peer is None:
                return 0
            for _ in range(2):
                try:
                    return send_packets(self._ports[number], peer, packets)
                except OSError:
                    self._find_gone(number)
                if self._peers.get(number) != peer:
                    break
            return 0

        return send

    def _say(self, counter: int, code: int, sequence: int) -> None:
        peer = self._peers.get(TX_PORT)
        if peer is None or self._slow:
            return
        self._asynchronous += 1
        self._send(TX_PORT, async_message(self._asynchronous, counter + self.registers.offset, code, sequence), peer)

    def _send(self, number: int, data: bytes, peer: Address) -> None:
        for _ in range(3):
            try:
                self._ports[number].sendto(data, peer)
            except BlockingIOError:
                return
            except OSError:  # about an earlier datagram, perhaps to another peer
                self._find_gone(number)
            else:
                return

    def _learn(self, number: int, peer: Address) -> None:
        if self._peers.get(number) == peer:
            return
        self._peers[number] = peer
        self._banned.discard((number, peer))
        client = f"{peer[0]}:{peer[1]} on {number}"
        self.radio.clients[:] = [known for known in self.radio.clients if not known.endswith(f" on {number}")] + [client]
        if number == CONTROL_PORT:
            self.radio.count("connect", self.radio.played, 1)
        if number == FIFO_PORT:
            self._drop_pending(peer)

    def _find_gone(self, number: int) -> None:
        if self._peers.get(number) in gone_peers(self._ports[number]):
            self._lost(number)

    def _lost(self, number: int) -> None:
        """Nobody listens at the other end of a port any more."""
        if self._peers.pop(number, None) is None:
            return
        self.radio.clients[:] = [known for known in self.radio.clients if not known.endswith(f" on {number}")]
        if number in RX_PORTS:
            self.rx[RX_PORTS.index(number)].clear()
        if number == TX_PORT:
            self.tx.clear()
        if number == FIFO_PORT:
            self._drop_pending(None)
        if number == CONTROL_PORT:
            self.radio.count("disconnect", self.radio.played, 1)

    def _drop_pending(self, owner: Address | None) -> None:
        """Drop the queued register accesses of everybody else: one far ahead would hold back the next client for ever."""
        self._pending = deque(waiting for waiting in self._pending if waiting[1] == owner)
