"""What a USRP N210 + SBX answers on its control port: identity, EEPROMs, firmware registers."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable

__all__ = ["ControlMemory"]

_PROTOCOL = 12
_SIZE = 36
_MOTHERBOARD, _RX_BOARD, _TX_BOARD, _TX_BOARD_2 = 0x50, 0x55, 0x54, 0x51
_NO_GPSDO, _FIRMWARE_MINOR = 0x1234ABCD, 4
_PEEK, _POKE, _FW_PEEK, _FW_POKE = 1, 3, 5, 6


class ControlMemory:
    """Answers control messages of 36 bytes; registers are handed on.

    Args:
        host: address of the device.
        serial: at most 9 characters are kept.
        peek: reads a register by its byte address.
        poke: writes it.
    """

    def __init__(self, host: str, serial: str, peek: Callable[[int], int], poke: Callable[[int, int], None]) -> None:
        self._host = socket.inet_aton(host)
        self._peek, self._poke = peek, poke
        self._pointer: dict[int, int] = {}
        self._firmware = {3: _NO_GPSDO, 7: _FIRMWARE_MINOR}
        self._eeproms = {
            _MOTHERBOARD: self._motherboard(serial),
            _RX_BOARD: _daughterboard(0x65, serial),
            _TX_BOARD: _daughterboard(0x64, serial),
            _TX_BOARD_2: bytearray(b"\xff" * 256),
        }

    def answer(self, data: bytes) -> bytes | None:
        """The reply to one datagram; None = none is due."""
        if len(data) < 12:
            return None
        _, kind, sequence = struct.unpack_from(">III", data)
        letter = chr(kind) if kind < 128 else ""
        if letter == "l":  # how long a datagram may be: as long as asked for
            (wanted,) = struct.unpack_from(">I", data, 12) if len(data) >= 16 else (0,)
            return self._reply("L", sequence, struct.pack(">I", len(data))).ljust(min(wanted, 8000), b"\0")
        if len(data) < _SIZE:
            return None
        if letter == "a":
            return self._reply("A", sequence, self._host)
        if letter in ("i", "h"):
            return self._reply(letter.upper(), sequence, self._i2c(letter == "h", data[12:_SIZE]))
        if letter == "r":
            return self._reply("R", sequence, self._register(data[12:_SIZE]))
        return None

    def _reply(self, letter: str, sequence: int, union: bytes) -> bytes:
        return struct.pack(">III", _PROTOCOL, ord(letter), sequence) + union[:24].ljust(24, b"\0")

    def _i2c(self, write: bool, union: bytes) -> bytes:
        address, n, data = union[0], min(union[1], 20), union[2:22]
        memory = self._eeproms.get(address, bytearray(b"\xff" * 256))
        if write and n:
            self._pointer[address & 0x7F] = data[0]
            for offset, value in enumerate(data[1:n]):
                memory[(data[0] + offset) & 0xFF] = value
        elif n:
            start = self._pointer.get(address & 0x7F, 0)
            data = bytes(memory[(start + offset) & 0xFF] for offset in range(n))
            self._pointer[address & 0x7F] = (start + n) & 0xFF
        return struct.pack("BB", address, n) + data

    def _register(self, union: bytes) -> bytes:
        address, value, action = struct.unpack_from(">IIB", union)
        if action == _PEEK:
            value = self._peek(address)
        elif action == _POKE:
            self._poke(address, value)
        elif action == _FW_PEEK:
            value = self._firmware.get(address & 0xFF, 0)
        elif action == _FW_POKE:
            self._firmware[address & 0xFF] = value
        return struct.pack(">IIB", address, value & 0xFFFFFFFF, action)

    def _motherboard(self, serial: str) -> bytearray:
        memory = bytearray(b"\xff" * 256)
        memory[0:2] = struct.pack("<H", 0x0A11)  # N210 r4
        memory[2:8] = bytes([0x02, 0x48, *self._host])  # a MAC address of the locally administered kind
        memory[8:12] = bytes([255, 0, 0, 0])
        memory[12:16] = self._host
        memory[18:24] = bytes([0, 0, 0, 0, 0, 0])
        memory[24:33] = serial.encode("ascii", "replace")[:9].ljust(9, b"\0")
        memory[33:42] = b"virtual\0\0"
        memory[56:60] = bytes([0, 0, 0, 0])
        return memory


def _daughterboard(board: int, serial: str) -> bytearray:
    memory = bytearray(256)
    memory[0] = 0xDB
    memory[1:3] = struct.pack("<H", board)
    memory[9:18] = serial.encode("ascii", "replace")[:9].ljust(9, b"\0")
    memory[31] = -sum(memory[:31]) & 0xFF
    return memory
