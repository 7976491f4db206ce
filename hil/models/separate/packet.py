"""From a stream of bytes to the coded bits of one task and back: length, CRC, padding, shortening, interleaving.

A packet is the stream's length (16 bits, or 32 where more than 65,535 bytes fit; 0: there is none), the stream, zeros, and a
CRC-32. It is scrambled, so that padding does not make one symbol of the constellation more frequent, and dealt out to
codewords of equal length. Information bits that are left over are shortened: known to be zero, and not sent.
"""

from __future__ import annotations

import functools
import math
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hil.errors import ConfigError
from hil.models.separate.ldpc import Ldpc, ldpc_code
from hil.models.separate.matched import SEED, MatchedCode, matched_code
from hil.models.separate.mcs import Mcs
from hil.models.separate.thresholds import threshold_db
from hil.models.separate.wifi import COLUMNS, LIFTINGS, RATES

__all__ = ["OVERHEAD_BYTES", "Packet", "packet_for_bytes", "packet_for_uses", "scrambler"]

OVERHEAD_BYTES = 6
"""Of length and CRC, where a length of 16 bits says all that fits."""
LONG_OVERHEAD_BYTES = 8
"""Of a length of 32 bits, and the CRC."""
CRC_BYTES = 4
NEAR_BEST = 0.03
"""What a longer code may cost in room, or in uses, of several codewords: a packet is lost if one of them is."""


@dataclass(frozen=True, kw_only=True)
class Packet:
    """The form of a packet, known to both sides.

    Attributes:
        mcs: modulation and code rate.
        matched: the code of a task.
        uses: complex channel uses; bits that fill the last one up count.
    """

    mcs: Mcs
    matched: MatchedCode
    uses: int

    @property
    def code(self) -> Ldpc:
        """The LDPC code."""
        return self.matched.code

    @property
    def room(self) -> int:
        """Bytes of a stream that fit."""
        return self.matched.information // 8 - self.overhead

    @property
    def overhead(self) -> int:
        """Bytes of length and CRC."""
        return OVERHEAD_BYTES if self.matched.information // 8 - OVERHEAD_BYTES < 1 << 16 else LONG_OVERHEAD_BYTES

    @property
    def threshold_db(self) -> float:
        """Es/N0 in AWGN from which at most 1 % of such packets are lost."""
        return threshold_db(self.mcs, self.matched, self.uses)

    def coded(self, streams: list[bytes]) -> NDArray[np.uint8]:
        """Streams to coded bits, uint8 [task, uses · bits]; an empty stream says that there is none.

        Raises:
            ConfigError: a stream that does not fit.
        """
        matched, length = self.matched, self.overhead - CRC_BYTES
        information = np.zeros((len(streams), matched.information), np.uint8)
        for row, stream in enumerate(streams):
            if len(stream) > self.room:
                raise ConfigError(f"a stream must fit into {self.room} bytes, not have {len(stream)}")
            body = len(stream).to_bytes(length, "big") + stream.ljust(self.room, b"\0")
            bits = np.unpackbits(np.frombuffer(body + zlib.crc32(body).to_bytes(CRC_BYTES, "big"), np.uint8))
            information[row, : len(bits)] = bits
        sent = matched.encode(information ^ scrambler(matched.information))
        fill = self.uses * self.mcs.bits - matched.sent
        return np.concatenate([sent, np.broadcast_to(scrambler(fill), (len(sent), fill))], axis=1)

    def streams(self, llr: NDArray[np.float32]) -> tuple[list[bytes | None], NDArray[np.int64]]:
        """What log-likelihood ratios float32 [task, uses · bits] say: streams, and of each task how many codewords failed.

        A stream is None where the CRC is wrong, and empty where the sender had none.
        """
        matched = self.matched
        information, failed = matched.decode(llr[:, : matched.sent])
        information ^= scrambler(matched.information)
        return [self._opened(bits) for bits in information], failed

    def _opened(self, bits: NDArray[np.uint8]) -> bytes | None:
        data, begin = np.packbits(bits[: 8 * (self.room + self.overhead)]).tobytes(), self.overhead - CRC_BYTES
        length = int.from_bytes(data[:begin], "big")
        right = zlib.crc32(data[:-CRC_BYTES]) == int.from_bytes(data[-CRC_BYTES:], "big")
        return data[begin : begin + length] if right and length <= self.room else None


@functools.cache
def scrambler(bits: int) -> NDArray[np.uint8]:
    """A fixed sequence of so many bits, as often 0 as 1, that information is added to: read only."""
    return np.random.Generator(np.random.PCG64(SEED + 1)).integers(0, 2, bits, np.uint8)


def packet_for_uses(mcs: Mcs, uses: int, *, interleaved: bool = True) -> Packet:
    """The packet with most room in at most so many uses.

    Of a rate that 802.11n has: whole codewords, or one more, all shortened to fill the uses; where they are several,
    the longest whose room is within 3 % of the most. Of any other: the code matched to all coded bits of the uses.

    Raises:
        ConfigError: no codeword has room for a byte.
    """
    bits = uses * mcs.bits

    def of(lifting: int, codewords: int) -> Packet:
        return _whole(mcs, lifting, codewords, max(0, codewords * COLUMNS * lifting - bits), interleaved)

    if mcs.rate in RATES:
        whole = [(size, bits // (COLUMNS * size)) for size in LIFTINGS]
        found = [of(size, count + more) for size, count in whole for more in (0, 1) if count + more]
        best = max(found, key=lambda packet: (packet.room, -packet.uses, packet.matched.lifting))
        if best.matched.codewords > 1:
            near = [packet for packet in found if packet.room >= (1 - NEAR_BEST) * best.room]
            best = max(near, key=lambda packet: (packet.matched.lifting, packet.room, -packet.uses))
    else:
        best = _matched(mcs, max(1, math.floor(bits * mcs.share)), uses, interleaved)
    if best.room < 1:
        raise ConfigError(f"uses must be enough for a byte and {OVERHEAD_BYTES} of overhead in {mcs.name}, not {uses}")
    return best


def packet_for_bytes(mcs: Mcs, room: int, *, interleaved: bool = True) -> Packet:
    """The packet with the fewest uses for a stream of so many bytes: codewords of one length, shortened alike.

    Where they are several, the longest whose uses are within 3 % of the fewest.

    Raises:
        ConfigError: there is no room for a byte.
    """
    if room < 1:
        raise ConfigError(f"a stream must have 1 byte or more, not {room}")
    bits = 8 * (room + (OVERHEAD_BYTES if room < 1 << 16 else LONG_OVERHEAD_BYTES))
    if mcs.rate not in RATES:
        return _matched(mcs, bits, math.ceil(bits / (mcs.bits * mcs.share)), interleaved)

    def sized(lifting: int) -> Packet:
        code = ldpc_code(lifting, mcs.rate)
        codewords = -(-bits // code.k)
        return _whole(mcs, lifting, codewords, codewords * code.k - bits, interleaved)

    longest_first = [sized(lifting) for lifting in reversed(LIFTINGS)]
    best = min(longest_first, key=lambda packet: packet.uses)
    if best.matched.codewords == 1:
        return best
    return next(packet for packet in longest_first if packet.uses <= (1 + NEAR_BEST) * best.uses)


def _whole(mcs: Mcs, lifting: int, codewords: int, shortened: int, interleaved: bool) -> Packet:
    """Codewords of a rate that the standard has, of which only information bits are left out."""
    code = ldpc_code(lifting, mcs.rate)
    matched = MatchedCode(
        lifting=lifting,
        rate=mcs.rate,
        codewords=codewords,
        information=codewords * code.k - shortened,
        sent=codewords * code.n - shortened,
        interleaved=interleaved,
    )
    return Packet(mcs=mcs, matched=matched, uses=-(-matched.sent // mcs.bits))


def _matched(mcs: Mcs, information: int, uses: int, interleaved: bool) -> Packet:
    """A code of 802.11n matched to all coded bits of so many uses."""
    return Packet(mcs=mcs, matched=matched_code(information, uses * mcs.bits, interleaved=interleaved), uses=uses)
