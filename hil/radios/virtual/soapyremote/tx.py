"""A transmit stream: bursts at their tick or at once, late ones refused, a DAC that runs dry reported."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hil.radios.virtual.server import Sockets
from hil.radios.virtual.soapyremote.device import SoapyDevice
from hil.radios.virtual.soapyremote.stream import (
    END_BURST,
    HAS_TIME,
    TIME_ERROR,
    UNDERFLOW,
    Outbox,
    Shape,
    acknowledgement,
    from_wire,
)  # fmt: skip
from hil.radios.virtual.soapyremote.wire import PACKET_BYTES, PacketHeader, WireError

__all__ = ["TxStream"]

_BUFFER = 1 << 20  # samples a channel
_MOST_PIECES = 1 << 13
_WINDOW_BYTES = 2 << 20
_READ = 1 << 18
_MOST_STATUS = 1 << 16  # bytes
_MOST_ENDS = 1024


@dataclass(eq=False)
class _Piece:
    tick: int
    codes: list[NDArray[np.int16]]


class TxStream:
    """Samples from one client to the device.

    Args:
        device: the transmitter.
        shape: of the packets.
        sock: of the samples.
        status: of what became of them.
        sockets: that watch both.
        broken: called when a connection is gone or talks nonsense.
    """

    def __init__(
        self,
        device: SoapyDevice,
        shape: Shape,
        sock: socket.socket,
        status: Outbox,
        sockets: Sockets,
        broken: Callable[[], None],
    ) -> None:
        self.device, self.shape = device, shape
        self._radio, self._broken, self._sockets = device.radio, broken, sockets
        self._sock, self._status = sock, status
        self._inbox = bytearray()
        self._active = False
        self._pieces: deque[_Piece] = deque()
        self._queued = 0
        self._cursor = 0  # tick after the last sample queued
        self._in_burst = False
        self._refusing = False  # the rest of a burst that was late
        self._ends: deque[int] = deque()
        self._mute = 0
        self._expected = 0
        self._acknowledged = 0
        self._window = max(8, _WINDOW_BYTES // shape.mtu)
        sockets.add(sock, self._ready)
        self._acknowledge()

    @property
    def active(self) -> bool:
        """Whether it takes samples."""
        return self._active

    @property
    def open_burst(self) -> bool:
        """Whether a burst has begun whose end has not come in."""
        return self._in_burst

    def activate(self) -> None:
        """Take samples from now on; what came before is not sent."""
        self._drain()
        self._active = True

    def deactivate(self) -> None:
        """Silence at once: nothing that has not been played is."""
        self._active = self._in_burst = self._refusing = False
        self._pieces.clear()
        self._ends.clear()
        self._queued = self._mute = self._cursor = 0
        for channel in self.shape.channels:
            self._radio.silence(channel)

    def play(self) -> None:
        """Hand over what the DAC comes to."""
        horizon = self._radio.played
        while self._pieces and self._pieces[0].tick < horizon:
            self._hand_over(self._pieces.popleft())
        while self._ends and self._ends[0] <= horizon:
            self._report(0, END_BURST | HAS_TIME, self._ends.popleft())
        if self._in_burst and self._cursor < horizon:
            self._radio.count("underflow", self._cursor, horizon - self._cursor)
            self._report(UNDERFLOW, HAS_TIME, self._cursor)
            self._in_burst = False
        if self._sock.fileno() < 0:  # a report has found the client gone
            return
        if not self._radio.faults.active("slow"):
            self._sockets.want(self._sock, read=not self._full)

    def _hand_over(self, piece: _Piece) -> None:
        n = len(piece.codes[0])
        self._queued -= n
        fault = self._radio.faults.take("underflow")
        if fault is not None:
            self._mute = fault.samples
            self._report(UNDERFLOW, HAS_TIME, piece.tick)
            if not self._active:  # the report has found the client gone
                return
        skip = min(self._mute, n)
        if skip:
            self._mute -= skip
            self._radio.count("underflow", piece.tick, skip)
        for channel, codes in zip(self.shape.channels, piece.codes, strict=True):
            self._radio.transmit(channel, piece.tick + skip, codes[skip:])

    @property
    def _full(self) -> bool:
        return self._queued >= _BUFFER or len(self._pieces) >= _MOST_PIECES

    def _ready(self, _mask: int) -> None:
        if self._radio.faults.active("slow") or self._full:
            self._sockets.want(self._sock, read=False)
            return
        try:
            data = self._sock.recv(_READ)
            if not data:
                raise WireError("closed")
            self._inbox += data
            self._parse()
        except BlockingIOError:
            return
        except (OSError, WireError):
            self._broken()

    def _drain(self) -> None:
        """Forget what has come in; a packet that is cut stays until its rest is there."""
        self._active = False
        try:
            for _ in range(64):
                data = self._sock.recv(_READ)
                if not data:
                    return  # the next callback sees it
                self._inbox += data
                self._parse()
        except BlockingIOError:
            return
        except (OSError, WireError):
            self._broken()

    def _parse(self) -> None:
        while len(self._inbox) >= PACKET_BYTES:
            header = PacketHeader.unpack(self._inbox)
            n = max(header.elems, 0)
            if n > self.shape.room or header.size != (self.shape.packet_bytes(n) if header.elems >= 0 else PACKET_BYTES):
                raise WireError(f"a packet of {header.size} bytes cannot hold {n} samples a channel")
            if len(self._inbox) < header.size:
                break
            payload = bytes(self._inbox[PACKET_BYTES : header.size])
            del self._inbox[: header.size]
            self._expected = header.sequence + 1
            self._radio.counters["messages"] += 1
            if self._active and header.elems >= 0:
                self._take(header, memoryview(payload), n)
        if (self._expected - self._acknowledged) & 0xFFFFFFFF >= self._window // 8:
            self._acknowledge()

    def _take(self, header: PacketHeader, payload: memoryview, n: int) -> None:
        ends = bool(header.flags & END_BURST)
        if header.flags & HAS_TIME:
            start = self.device.tick(header.time_ns)
            late = start < max(self._now(), self._cursor)
            if late or self._radio.faults.take("late"):
                self._radio.count("late", start, n)
                self._report(TIME_ERROR, HAS_TIME, start)
                self._refusing, self._in_burst = not ends, False
                return
            self._cursor, self._refusing = start, False
        elif self._refusing:
            self._refusing = not ends
            return
        elif not self._in_burst:
            self._cursor = max(self._cursor, self._now())
        codes, clipped = from_wire(payload, n, self.shape)
        if clipped:
            self._radio.counters["tx_clipped"] += clipped
        if n:
            self._pieces.append(_Piece(self._cursor, codes))
            self._queued += n
            self._cursor += n
        self._in_burst = not ends
        if ends and len(self._ends) < _MOST_ENDS:
            self._ends.append(self._cursor)

    def _now(self) -> int:
        """First tick that can still be transmitted: the time register shows whole ticks, and the DAC may be past that one."""
        return max(self._radio.tick(), self._radio.played)

    def _report(self, code: int, flags: int, tick: int) -> None:
        if self._status.waiting < _MOST_STATUS:
            header = PacketHeader(sequence=self.shape.mask, elems=code, flags=flags, time_ns=self.device.time_ns(tick))
            self._status.put(header.pack())
        try:
            self._status.flush()
        except OSError:
            self._broken()

    def _acknowledge(self) -> None:
        """The window is a fraction of the socket's buffer, which 24 bytes a window cannot fill."""
        self._acknowledged = self._expected
        try:
            self._sock.send(acknowledgement(self._expected & 0xFFFFFFFF, self._window))
        except BlockingIOError:
            pass
        except OSError:
            self._broken()
