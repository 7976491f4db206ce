"""What both directions of a SoapyRemote stream share: sizes, flags, codes, sample formats, and a bounded queue to a socket."""

from __future__ import annotations

import socket
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hil.radios.virtual.server import Sockets
from hil.radios.virtual.soapyremote.device import FORMATS, DeviceError
from hil.radios.virtual.soapyremote.wire import PACKET_BYTES, PacketHeader

__all__ = [
    "END_BURST", "HAS_TIME", "OVERFLOW", "TIME_ERROR", "UNDERFLOW", "Outbox", "Shape", "acknowledgement", "from_wire",
    "to_wire",
]  # fmt: skip

END_BURST, HAS_TIME = 1 << 1, 1 << 2
OVERFLOW, TIME_ERROR, UNDERFLOW = -4, -6, -7
_TRANSPORT_BYTES = 48  # what the protocol reserves of an MTU for IPv6 and UDP, over TCP too
_MOST_MTU = 1 << 20
_BYTES = {"CS16": 4, "CF32": 8}


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How samples lie in the packets of one stream.

    Attributes:
        channels: of the device, in the order of the packet.
        format: of a sample.
        mtu: largest transfer, bytes.
        full_scale: code of amplitude 1.0, for CF32.
    """

    channels: tuple[int, ...]
    format: str
    mtu: int
    full_scale: int

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise DeviceError(f"format must be one of {', '.join(FORMATS)}, not '{self.format[:40]}'")
        if not self.channels or len(set(self.channels)) != len(self.channels):
            raise DeviceError(f"channels must be distinct, at least one, not {self.channels[:8]}")
        if self.mtu > _MOST_MTU or self.room < 1:
            raise DeviceError(f"remote:mtu must be at most {_MOST_MTU} and hold a sample a channel, not {self.mtu}")

    @property
    def sample_bytes(self) -> int:
        """Of one sample of one channel."""
        return _BYTES[self.format]

    @property
    def room(self) -> int:
        """Most samples a channel in a packet; also how far apart the channels lie."""
        return (self.mtu - _TRANSPORT_BYTES - PACKET_BYTES) // len(self.channels) // self.sample_bytes

    @property
    def mask(self) -> int:
        """Of the channels, for status messages."""
        return sum(1 << channel for channel in self.channels)

    def packet_bytes(self, n: int) -> int:
        """Size of a packet of n samples a channel: every channel but the last is padded."""
        return PACKET_BYTES + ((len(self.channels) - 1) * self.room + n) * self.sample_bytes


def to_wire(codes: list[NDArray[np.int16]], shape: Shape) -> bytes:
    """Payload of a packet from codes int16 [n, 2] of each channel."""
    parts = []
    for row, block in enumerate(codes):
        if shape.format == "CF32":
            data = (block.astype("<f4") / np.float32(shape.full_scale)).tobytes()
        else:
            data = block.astype("<i2", copy=False).tobytes()
        parts.append(data if row == len(codes) - 1 else data.ljust(shape.room * shape.sample_bytes, b"\0"))
    return b"".join(parts)


def from_wire(payload: memoryview, n: int, shape: Shape) -> tuple[list[NDArray[np.int16]], int]:
    """Codes int16 [n, 2] of each channel, limited to the converter's, and how many samples had to be limited."""
    out, clipped = [], 0
    low, high = -shape.full_scale, shape.full_scale - 1
    for row in range(len(shape.channels)):
        offset = row * shape.room * shape.sample_bytes
        if shape.format == "CF32":
            floats = np.clip(np.nan_to_num(np.frombuffer(payload, "<f4", 2 * n, offset)), -2.0, 2.0)  # the product may overflow
            values = np.rint(floats * np.float32(shape.full_scale)).reshape(n, 2)
        else:
            values = np.frombuffer(payload, "<i2", 2 * n, offset).reshape(n, 2)
        limited = np.clip(values, low, high).astype(np.int16)
        clipped += int((limited != values).any(axis=1).sum())
        out.append(limited)
    return out, clipped


class Outbox:
    """Packets on their way to one socket, whole and in order; whoever fills it looks at `waiting` first.

    Args:
        sock: non-blocking, watched.
        sockets: that watch it.

    Attributes:
        waiting: bytes.
        next: sequence number of the packet that leaves next.
    """

    def __init__(self, sock: socket.socket, sockets: Sockets) -> None:
        self._sock, self._sockets = sock, sockets
        self.waiting = 0
        self.next = 0
        self._packets: deque[tuple[int, bytes]] = deque()
        self._offset = 0

    @property
    def idle(self) -> bool:
        """Whether everything has left."""
        return not self._packets

    def put(self, packet: bytes, sequence: int = 0) -> None:
        """Queue one packet."""
        self._packets.append((sequence, packet))
        self.waiting += len(packet)

    def flush(self, before: int = 1) -> None:
        """Send what the socket takes, of packets with numbers below `before`.

        Raises:
            OSError: the connection is gone.
        """
        blocked = False
        while self._packets and self._packets[0][0] < before and not blocked:
            sequence, packet = self._packets[0]
            try:
                n = self._sock.send(memoryview(packet)[self._offset :])
            except BlockingIOError:
                blocked = True
                break
            self._offset += n
            self.waiting -= n
            if self._offset == len(packet):
                self._packets.popleft()
                self._offset = 0
                self.next = sequence + 1
        self._sockets.want(self._sock, write=blocked)

    def drop(self) -> int | None:
        """Forget what has not begun to leave; the number of the first packet forgotten."""
        first = None
        while len(self._packets) > (1 if self._offset else 0):
            first, packet = self._packets.pop()
            self.waiting -= len(packet)
        return first


def acknowledgement(sequence: int, window: int) -> bytes:
    """Says which packet is expected next, and how many may be under way."""
    return PacketHeader(sequence=sequence, elems=window).pack()
