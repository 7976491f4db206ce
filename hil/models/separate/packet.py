"""From a stream of bytes to the coded bits of one task and back: length, CRC, padding, shortening, interleaving.

A packet is the stream's length (16 bits; 0: there is none), the stream, zeros, and a CRC-32. It is scrambled, so that padding
does not make one symbol of the constellation more frequent, and dealt out to codewords of equal length. Information bits that
are left over are shortened: known to be zero, and not sent.
"""

from __future__ import annotations

import functools
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hil.errors import ConfigError
from hil.models.separate.ldpc import Ldpc, ldpc_code
from hil.models.separate.matched import SEED, MatchedCode
from hil.models.separate.mcs import Mcs
from hil.models.separate.wifi import COLUMNS, LIFTINGS

__all__ = ["OVERHEAD_BYTES", "Packet", "packet_for_bytes", "packet_for_uses", "scrambler"]

OVERHEAD_BYTES = 6
"""Of length and CRC."""


@dataclass(frozen=True, kw_only=True)
class Packet:
    """The form of a packet, known to both sides.

    Attributes:
        mcs: modulation and code rate.
        lifting: block size of the code.
        codewords: of a task.
        shortened: information bits that are not sent, in all.
        uses: complex channel uses; bits that fill the last one up count.
        interleaved: coded bits are spread over all uses.
    """

    mcs: Mcs
    lifting: int
    codewords: int
    shortened: int
    uses: int
    interleaved: bool = True

    @property
    def code(self) -> Ldpc:
        """The code."""
        return ldpc_code(self.lifting, self.mcs.rate)

    @property
    def room(self) -> int:
        """Bytes of a stream that fit."""
        return (self.codewords * self.code.k - self.shortened) // 8 - OVERHEAD_BYTES

    @property
    def matched(self) -> MatchedCode:
        """The code as it is sent: whole parities, and nothing twice."""
        k, n = self.code.k, self.code.n
        return MatchedCode(
            lifting=self.lifting,
            rate=self.mcs.rate,
            codewords=self.codewords,
            information=self.codewords * k - self.shortened,
            sent=self.codewords * n - self.shortened,
            interleaved=self.interleaved,
        )

    def coded(self, streams: list[bytes]) -> NDArray[np.uint8]:
        """Streams to coded bits, uint8 [task, uses · bits]; an empty stream says that there is none.

        Raises:
            ConfigError: a stream that does not fit.
        """
        matched = self.matched
        information = np.zeros((len(streams), matched.information), np.uint8)
        for row, stream in enumerate(streams):
            if len(stream) > self.room:
                raise ConfigError(f"a stream must fit into {self.room} bytes, not have {len(stream)}")
            body = len(stream).to_bytes(2, "big") + stream.ljust(self.room, b"\0")
            bits = np.unpackbits(np.frombuffer(body + zlib.crc32(body).to_bytes(4, "big"), np.uint8))
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
        data = np.packbits(bits[: 8 * (self.room + OVERHEAD_BYTES)]).tobytes()
        length = int.from_bytes(data[:2], "big")
        right = zlib.crc32(data[:-4]) == int.from_bytes(data[-4:], "big")
        return data[2 : 2 + length] if right and length <= self.room else None


@functools.cache
def scrambler(bits: int) -> NDArray[np.uint8]:
    """A fixed sequence of so many bits, as often 0 as 1, that information is added to: read only."""
    return np.random.Generator(np.random.PCG64(SEED + 1)).integers(0, 2, bits, np.uint8)


def packet_for_uses(mcs: Mcs, uses: int, *, interleaved: bool = True) -> Packet:
    """The packet with most room in at most so many uses: whole codewords, or one more, all shortened to fill the uses.

    Raises:
        ConfigError: no codeword has room for a byte.
    """
    bits = uses * mcs.bits

    def of(lifting: int, codewords: int) -> Packet:
        shortened = max(0, codewords * COLUMNS * lifting - bits)
        sent = codewords * COLUMNS * lifting - shortened
        return Packet(
            mcs=mcs,
            lifting=lifting,
            codewords=codewords,
            shortened=shortened,
            uses=-(-sent // mcs.bits),
            interleaved=interleaved,
        )

    whole = [(size, bits // (COLUMNS * size)) for size in LIFTINGS]
    found = [of(size, count + more) for size, count in whole for more in (0, 1) if count + more]
    best = max(found, key=lambda packet: (packet.room, -packet.uses, packet.lifting))
    if best.room < 1:
        raise ConfigError(f"uses must be enough for a byte and {OVERHEAD_BYTES} of overhead in {mcs.name}, not {uses}")
    return best


def packet_for_bytes(mcs: Mcs, room: int, *, interleaved: bool = True) -> Packet:
    """The packet with the fewest uses for a stream of so many bytes: codewords of one length, shortened alike.

    Raises:
        ConfigError: there is no room for a byte, or more than a length of 16 bits says.
    """
    if not 1 <= room < 1 << 16:
        raise ConfigError(f"a stream must have 1…65535 bytes, not {room}")
    bits = 8 * (room + OVERHEAD_BYTES)

    def sized(lifting: int) -> Packet:
        code = ldpc_code(lifting, mcs.rate)
        codewords = -(-bits // code.k)
        shortened = codewords * code.k - bits
        uses = -(-(codewords * code.n - shortened) // mcs.bits)
        return Packet(mcs=mcs, lifting=lifting, codewords=codewords, shortened=shortened, uses=uses, interleaved=interleaved)

    return min(map(sized, reversed(LIFTINGS)), key=lambda packet: packet.uses)
