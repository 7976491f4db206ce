"""The packets of a USRP N210 on the wire: VITA-49 words big-endian over UDP, as libuhd 4 speaks them.

Source: measurements of libuhd against a loopback peer; no code of UHD (GPL) was used.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ASYNC_ACK", "ASYNC_FLOW", "ASYNC_LATE", "ASYNC_SEQUENCE", "ASYNC_SEQUENCE_IN_BURST", "ASYNC_UNDERFLOW", "CLOCK_HZ",
    "CONTROL_PORT", "FIFO_PORT", "RX_BROKEN_CHAIN", "RX_LATE", "RX_OVERFLOW", "RX_PORTS", "TX_PORT", "FifoCommand", "TxPacket",
    "async_message", "fifo_ack", "gone_peers", "parse_fifo", "parse_tx", "report_errors", "rx_error", "rx_packets",
    "samples_in", "send_packets",
]  # fmt: skip

CLOCK_HZ = 100_000_000
CONTROL_PORT, FIFO_PORT, TX_PORT = 49152, 49159, 49157
RX_PORTS = (49156, 49158)
ASYNC_FLOW, ASYNC_ACK, ASYNC_UNDERFLOW, ASYNC_SEQUENCE, ASYNC_LATE, ASYNC_SEQUENCE_IN_BURST = 0, 1, 2, 4, 8, 0x20
RX_LATE, RX_BROKEN_CHAIN, RX_OVERFLOW = 2, 4, 8
_TRAILER, _LAST = 0x00100000, 0x100
_UDP_SEGMENT = 103  # linux/udp.h: one datagram of many equal segments
_GSO_BYTES, _GSO_SEGMENTS = 60_000, 64


@dataclass(frozen=True, kw_only=True)
class TxPacket:
    """One packet of transmit samples.

    Attributes:
        sequence: the host's counter.
        first: starts a burst.
        last: ends it.
        time: 100 MHz ticks of the device's time; None = as soon as possible, or after the packet before.
        codes: int16 [n, 2].
    """

    sequence: int
    first: bool
    last: bool
    time: int | None
    codes: NDArray[np.int16]


@dataclass(frozen=True, kw_only=True)
class FifoCommand:
    """One register access in the queue of the fifo control port; `time` as in `TxPacket`."""

    control: int
    data: int
    time: int | None

    @property
    def register(self) -> int:
        """Number of the register."""
        return self.control & 0xFF

    @property
    def write(self) -> bool:
        """Poke, else peek."""
        return bool(self.control & 0x100)


def _split_header(data: bytes) -> tuple[int, int, int | None, int] | None:
    """Of a datagram [sequence][VITA header …]: header, offset of the payload, time, words of payload; None = malformed."""
    if len(data) < 8:
        return None
    (header,) = struct.unpack_from(">I", data, 4)
    words, offset, time = header & 0xFFFF, 8, None
    if header >> 28 in (1, 3):  # a stream identifier follows; libuhd's register accesses (type 4) have none
        offset += 4
    if header & 1 << 27:
        offset += 8
    if header >> 22 & 3:
        offset += 4
    if header >> 20 & 3:
        if len(data) < offset + 8:
            return None
        (time,) = struct.unpack_from(">Q", data, offset)
        offset += 8
    end = 4 + 4 * words - (4 if header & 1 << 26 else 0)
    if end < offset or 4 + 4 * words > len(data):
        return None
    return header, offset, time, (end - offset) // 4


def parse_tx(data: bytes) -> TxPacket | None:
    """A packet for the transmitter; None = malformed."""
    split = _split_header(data)
    if split is None or split[0] >> 28 not in (0, 1):
        return None
    header, offset, time, words = split
    codes = np.frombuffer(data, ">i2", 2 * words, offset).astype(np.int16).reshape(words, 2)
    (sequence,) = struct.unpack_from(">I", data)
    return TxPacket(sequence=sequence, first=bool(header & 1 << 25), last=bool(header & 1 << 24), time=time, codes=codes)


def parse_fifo(data: bytes) -> FifoCommand | None:
    """A register access; None = malformed."""
    split = _split_header(data)
    if split is None or split[3] < 2:
        return None
    control, value = struct.unpack_from(">II", data, split[1])
    return FifoCommand(control=control, data=value, time=split[2])


def fifo_ack(command: FifoCommand, stream_id: int, data: int) -> bytes:
    """The answer to a register access."""
    sequence = command.control >> 16
    return struct.pack(">IIII", 0x50000000 | (sequence & 15) << 16 | 4, stream_id, command.control, data & 0xFFFFFFFF)


def async_message(count: int, time: int, code: int, sequence: int) -> bytes:
    """What the transmitter has to say; `time` in ticks."""
    return struct.pack(">IIQII", 0x50100000 | (count & 15) << 16 | 6, 2, time & (1 << 64) - 1, code, sequence & 0xFFFFFFFF)


def rx_error(count: int, stream_id: int, time: int, code: int) -> bytes:
    """What the receiver has to say."""
    return struct.pack(">IIQI", 0x50100000 | (count & 15) << 16 | 5, stream_id, time & (1 << 64) - 1, code)


def rx_packets(
    codes: NDArray[np.int16], per_packet: int, count: int, stream_id: int, time: int, step: int, *, last: bool
) -> list[NDArray[np.uint8]]:
    """Samples as packets.

    Args:
        codes: int16 [n, 2].
        per_packet: samples in each packet but the last, which has the rest.
        count: the 4-bit counter of the first packet.
        stream_id: 3 or 4.
        time: ticks of the first sample.
        step: ticks of one sample.
        last: the last packet ends the reception.

    Returns:
        uint8 [packets, bytes] of the full packets, and [1, bytes] of a shorter last one.
    """
    out: list[NDArray[np.uint8]] = []
    full, rest = divmod(len(codes), per_packet)
    for first, packets, size in ((0, full, per_packet), (full, 1 if rest else 0, rest)):
        if not packets:
            continue
        index = np.arange(first, first + packets, dtype=np.int64)
        words = np.empty((packets, size + 5), ">u4")
        words[:, 0] = 0x14100000 | ((count + index) & 15) << 16 | size + 5
        words[:, 1] = stream_id
        times = np.uint64(time & (1 << 64) - 1) + (index * per_packet * step).astype(np.uint64)
        words[:, 2] = times >> np.uint64(32)
        words[:, 3] = times & np.uint64(0xFFFFFFFF)
        begin = first * per_packet
        part = codes[begin : begin + packets * size]
        words[:, 4:-1] = np.ascontiguousarray(part).astype(">i2").view(">u4").reshape(packets, size)
        words[:, -1] = _TRAILER
        out.append(words.view(np.uint8))
    if last and out:
        out[-1][-1, -4:] = np.frombuffer(struct.pack(">I", _TRAILER | _LAST), np.uint8)
    return out


def samples_in(packets: NDArray[np.uint8]) -> int:
    """Samples in each of the packets of `rx_packets`."""
    return packets.shape[1] // 4 - 5


def send_packets(sock: socket.socket, peer: tuple[str, int], packets: NDArray[np.uint8]) -> int:
    """Send packets of equal size, uint8 [n, bytes], many at a time where the kernel can; how many it took.

    Raises:
        ConnectionError: nobody listens at this peer, or at an earlier one, any more; see `gone_peers`.
    """
    size = packets.shape[1]
    batch = max(1, min(_GSO_SEGMENTS, _GSO_BYTES // size))
    sent = 0
    while sent < len(packets):
        part = packets[sent : sent + batch]
        try:
            extra = [(socket.IPPROTO_UDP, _UDP_SEGMENT, struct.pack("=H", size))] if len(part) > 1 else []
            sock.sendmsg([part.tobytes()], extra, 0, peer)
            sent += len(part)
        except BlockingIOError:
            return sent
        except ConnectionError:
            raise
        except OSError:
            if batch == 1:
                return sent
            batch = 1  # a kernel without segmentation
    return sent


def report_errors(sock: socket.socket) -> None:
    """Have the kernel report that a peer is gone: ConnectionError of any later call, then `gone_peers` says which (Linux)."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR


def gone_peers(sock: socket.socket) -> set[tuple[str, int]]:
    """Where the kernel found nobody listening since the last call."""
    found: set[tuple[str, int]] = set()
    with contextlib.suppress(OSError):
        while True:
            found.add(sock.recvmsg(0, 512, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT)[3])
    return found
