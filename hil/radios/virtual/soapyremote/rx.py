"""A receive stream: whole or finite, timed to the sample; a client that is too slow loses samples and is told how many."""

from __future__ import annotations

import socket
from collections.abc import Callable

from hil.radios.virtual.server import Sockets
from hil.radios.virtual.soapyremote.device import SoapyDevice
from hil.radios.virtual.soapyremote.stream import END_BURST, HAS_TIME, OVERFLOW, TIME_ERROR, Outbox, Shape, to_wire
from hil.radios.virtual.soapyremote.wire import PACKET_BYTES, PacketHeader, WireError

__all__ = ["RxStream"]

_BUFFER_BYTES = 4 << 20
_MOST_BYTES = 2 * _BUFFER_BYTES  # with codes: a client may ask for what is refused for ever, and not read
_FOREVER = 1 << 62


class RxStream:
    """Samples from the device to one client.

    Args:
        device: the receiver.
        shape: of the packets.
        sock: of the samples.
        sockets: that watch it.
        broken: called when the connection is gone or talks nonsense.
    """

    def __init__(
        self, device: SoapyDevice, shape: Shape, sock: socket.socket, sockets: Sockets, broken: Callable[[], None]
    ) -> None:
        self.device, self.shape = device, shape
        self._radio, self._broken, self._sockets = device.radio, broken, sockets
        self._outbox = Outbox(sock, sockets)
        self._sock = sock
        self._acks = bytearray()
        self._before = 0  # the client has room for packets with lower numbers
        self._sequence = 0
        self._cursor = 0
        self._end: int | None = None  # None: not active
        self._lost_at: int | None = None
        sockets.add(sock, self._ready)

    @property
    def active(self) -> bool:
        """Whether samples are on their way."""
        return self._end is not None

    @property
    def waits(self) -> bool:
        """Whether the client waits for a finite reception and keeps up with it."""
        return self._end is not None and self._end < _FOREVER and self._outbox.waiting < _BUFFER_BYTES // 4

    @property
    def endless(self) -> bool:
        """Whether it receives until stopped."""
        return self._end == _FOREVER

    def activate(self, flags: int, time_ns: int, n: int) -> None:
        """Begin now, or at a time; receive n samples, or until stopped where n = 0."""
        start = now = self._radio.tick()
        self._lost_at = None
        if flags & HAS_TIME:
            start = self.device.tick(time_ns)
            if start < now or self._radio.faults.take("late"):
                self._end = None
                self._radio.count("late", start, max(n, 0))
                self._put_code(TIME_ERROR, start)
                self.flush()
                return
        self._cursor = start
        self._end = start + n if n > 0 else _FOREVER

    def deactivate(self) -> None:
        """Stop; what has not left does not leave."""
        self._end = None
        first = self._outbox.drop()
        self._sequence = self._sequence if first is None else first

    def capture(self) -> None:
        """Queue what can be received now, and send."""
        if self._end is not None:
            upto = min(self._radio.receivable, self._end)
            if self._cursor < upto:
                self._take(upto, self._end)
            if self._end is not None and self._cursor >= self._end:
                if self._lost_at is not None:  # nobody is left to say it with
                    self._put_code(OVERFLOW, self._lost_at)
                    self._put(b"", 0, END_BURST, self._end)
                self._end = None
        self.flush()

    def flush(self) -> None:
        """Send what the client has room for."""
        if self._radio.faults.active("slow"):
            self._sockets.want(self._sock, read=False)
            return
        try:
            self._outbox.flush(self._before)
        except OSError:
            self._broken()

    def _take(self, upto: int, end: int) -> None:
        fault = self._radio.faults.take("overflow")
        if fault is not None:
            n = min(fault.samples, end - self._cursor)
            self._put_code(OVERFLOW, self._cursor)
            self._lose(n)
            if self._cursor >= end:
                self._put(b"", 0, END_BURST, end)
        room = _BUFFER_BYTES if self._lost_at is None else _BUFFER_BYTES // 2
        while self._cursor < upto:
            if self._outbox.waiting >= room:
                if self._lost_at is None:
                    self._lost_at = self._cursor
                self._lose(upto - self._cursor)
                return
            if self._lost_at is not None:
                self._put_code(OVERFLOW, self._lost_at)
                self._lost_at, room = None, _BUFFER_BYTES
            n = min(self.shape.room, upto - self._cursor)
            flags = HAS_TIME | (END_BURST if self._cursor + n == end else 0)
            if self._radio.faults.take("drop"):
                self._sequence += 1  # its number is never sent
                self._lose(n)
                continue
            codes = [self._radio.receive(channel, self._cursor, n) for channel in self.shape.channels]
            self._put(to_wire(codes, self.shape), n, flags, self._cursor)
            self._cursor += n

    def _lose(self, n: int) -> None:
        self._radio.count("lost", self._cursor, n)
        self._cursor += n

    def _put_code(self, code: int, tick: int) -> None:
        self._put(b"", code, HAS_TIME, tick)

    def _put(self, payload: bytes, elems: int, flags: int, tick: int) -> None:
        if self._outbox.waiting > _MOST_BYTES:
            return
        header = PacketHeader(
            size=PACKET_BYTES + len(payload),
            sequence=self._sequence,
            elems=elems,
            flags=flags,
            time_ns=self.device.time_ns(tick),
        )
        self._outbox.put(header.pack() + payload, self._sequence)
        self._sequence += 1

    def _ready(self, _mask: int) -> None:
        """Acknowledgements, or the end."""
        if self._radio.faults.active("slow"):
            self._sockets.want(self._sock, read=False)
            return
        try:
            data = self._sock.recv(4096)
            if not data:
                raise WireError("closed")
            self._acks += data
            while len(self._acks) >= PACKET_BYTES:
                ack = PacketHeader.unpack(self._acks)
                del self._acks[:PACKET_BYTES]
                self._radio.counters["messages"] += 1
                if ack.size != PACKET_BYTES or ack.elems < 0:
                    raise WireError("not an acknowledgement")
                flying = (self._outbox.next - ack.sequence) & 0xFFFFFFFF  # numbers on the wire are modulo 2^32
                self._before = self._outbox.next - flying + ack.elems
        except BlockingIOError:
            return
        except (OSError, WireError):
            self._broken()
            return
        self.flush()
