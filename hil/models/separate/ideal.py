"""Packets of an ideal code: what comes through is what the SNR of its uses carries. A bound."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hil.errors import ConfigError
from hil.models.separate.mcs import Mcs

__all__ = ["IdealPacket", "ideal_for_bytes", "ideal_for_uses"]


@dataclass(frozen=True, kw_only=True)
class IdealPacket:
    """The form of a packet: nothing but the stream, no length and no CRC, which an ideal code tells by itself.

    Attributes:
        mcs: modulation and code rate.
        uses: complex channel uses.
    """

    mcs: Mcs
    uses: int

    @property
    def information(self) -> int:
        """Bits that go in."""
        return math.floor(self.uses * self.mcs.bits * self.mcs.share)

    @property
    def room(self) -> int:
        """Bytes of a stream that fit."""
        return self.information // 8

    @property
    def threshold_db(self) -> float:
        """Es/N0 from which it is carried."""
        return self.mcs.ideal_db

    def coded(self, streams: list[bytes]) -> NDArray[np.uint8]:
        """Words of a random codebook, drawn by the stream, uint8 [task, uses · bits]: the signal is as a code's."""
        words = []
        for stream in streams:
            seed = int.from_bytes(hashlib.sha256(stream).digest()[:7], "big")
            words.append(np.random.Generator(np.random.PCG64(seed)).integers(0, 2, self.uses * self.mcs.bits, np.uint8))
        return np.array(words)

    def carried(self, noise_var: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Whether noise float32 [task, use], over unit power, lets a task through, bool [task].

        Where uses differ the SNR is that of equal uses with the same capacity in all.
        """
        capacity = np.log2(1 + 1 / np.maximum(noise_var.astype(np.float64), 1e-12)).mean(1)
        return np.asarray(10 * np.log10(np.maximum(2**capacity - 1, 1e-12)) >= self.threshold_db)


def ideal_for_uses(mcs: Mcs, uses: int) -> IdealPacket:
    """The packet of so many uses.

    Raises:
        ConfigError: it has no room for a byte.
    """
    packet = IdealPacket(mcs=mcs, uses=uses)
    if packet.room < 1:
        raise ConfigError(f"uses must be enough for a byte in {mcs.name}, not {uses}")
    return packet


def ideal_for_bytes(mcs: Mcs, room: int) -> IdealPacket:
    """The packet with the fewest uses for a stream of so many bytes.

    Raises:
        ConfigError: there is no room for a byte.
    """
    if room < 1:
        raise ConfigError(f"a stream must have 1 byte or more, not {room}")
    return IdealPacket(mcs=mcs, uses=math.ceil(8 * room / (mcs.bits * mcs.share)))
