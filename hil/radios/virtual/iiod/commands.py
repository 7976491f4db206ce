"""The commands of IIOD (libiio 0.x): what each means and what it answers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hil.radios.virtual.iiod.connection import Connection
from hil.radios.virtual.iiod.context import ENODEV, ENOENT, ENXIO, Attribute, AttributeFailure, Channel, Device
from hil.radios.virtual.iiod.pluto import Pluto
from hil.radios.virtual.iiod.state import RX, TX

__all__ = ["Commands"]

EBADF, EBUSY, EINVAL, ETIMEDOUT, EIO = 9, 16, 22, 110, 5
_LARGEST_VALUE = 1 << 16
_RETRY_S = 0.05
_BARE = ("HELP", "VERSION", "PRINT", "EXIT")
_HELP = b"IIOD of a virtual ADALM-Pluto: READ WRITE OPEN CLOSE READBUF WRITEBUF SET PRINT VERSION TIMEOUT HELP EXIT\n"
_MOST_SAMPLES = 1 << 26


class Commands:
    """Parses and executes the commands of one connection.

    Args:
        connection: whose replies, payloads and waits these are.
        pluto: the device.
    """

    def __init__(self, connection: Connection, pluto: Pluto) -> None:
        self._connection, self._pluto = connection, pluto
        self._opened: dict[str, tuple[int, int, int]] = {}  # device name -> mask, sample size, bytes in a buffer
        self._current: NDArray[np.uint8] | None = None

    def execute(self, line: bytes) -> None:
        """One line without its newline."""
        text = line.rstrip(b"\r").decode("latin-1")
        if not text:
            return
        self._pluto.radio.counters["messages"] += 1
        words = text.split(" ")
        if words[-1] == "" and len(words) > 1:
            words.pop()
        handler = {
            "HELP": self._help, "VERSION": self._version, "PRINT": self._print, "TIMEOUT": self._timeout, "EXIT": self._exit,
            "READ": self._read, "WRITE": self._write, "OPEN": self._open, "CLOSE": self._close, "READBUF": self._read_buffer,
            "WRITEBUF": self._write_buffer, "SET": self._set, "GETTRIG": self._get_trigger, "SETTRIG": self._set_trigger,
        }.get(words[0].upper())  # fmt: skip
        if handler is None or (len(words) > 1 and words[0].upper() in _BARE):
            self._code(-EINVAL)
        else:
            handler(words[1:])

    def _code(self, value: int) -> None:
        self._connection.reply(b"%d\n" % value)

    def _help(self, words: list[str]) -> None:
        self._connection.reply(_HELP)

    def _version(self, words: list[str]) -> None:
        self._connection.reply(b"0.24.v0.24  \n")

    def _print(self, words: list[str]) -> None:
        self._connection.reply(b"%d\n" % len(self._pluto.xml), self._pluto.xml, b"\n")

    def _exit(self, words: list[str]) -> None:
        self._connection.end()

    def _timeout(self, words: list[str]) -> None:
        if len(words) != 1:
            self._code(-EINVAL)
            return
        self._connection.timeout_s = (_integer(words[0]) or 0) / 1000 or None  # what is no number is 0: none
        self._code(0)

    def _get_trigger(self, words: list[str]) -> None:
        self._code(-ENODEV if words else -EINVAL)

    def _set_trigger(self, words: list[str]) -> None:
        if not words:
            self._code(-EINVAL)
        elif self._pluto.state.device(words[0]) is None or len(words) == 1:
            self._code(-ENODEV)
        else:
            self._code(-ENOENT)  # a Pluto has no triggers

    def _set(self, words: list[str]) -> None:
        if len(words) != 3 or words[1].upper() != "BUFFERS_COUNT" or (count := _integer(words[2])) is None:
            self._code(-EINVAL)
            return
        device = self._pluto.state.device(words[0])
        if device is None:
            self._code(-ENODEV)
        elif device.name not in self._pluto.buffers:
            self._code(0 if count else -EINVAL)
        else:
            self._code(self._pluto.set_buffers(device.name, count))

    def _find(self, words: list[str]) -> tuple[Mapping[str, Attribute], Device, Channel | None, list[str]] | int:
        """The attributes that READ and WRITE mean, and the words after; or −errno."""
        if not words:
            return -EINVAL
        device = self._pluto.state.device(words[0])
        if device is None:
            return -ENODEV
        kind = words[1].upper() if len(words) > 1 else ""
        if kind in ("INPUT", "OUTPUT"):
            channel = device.channel(words[2], output=kind == "OUTPUT") if len(words) > 2 else None
            if channel is None:
                return -ENXIO
            return channel.attributes, device, channel, words[3:]
        if kind == "DEBUG":
            return device.debug, device, None, words[2:]
        if kind == "BUFFER":
            return device.buffer, device, None, words[2:]
        return device.attributes, device, None, words[1:]

    def _read(self, words: list[str]) -> None:
        found = self._find(words)
        if isinstance(found, int):
            self._code(found)
            return
        attributes, _, _, rest = found
        if not rest:
            self._read_all(attributes)
            return
        attribute = attributes.get(rest[0])
        if attribute is None or len(rest) > 1:
            self._code(-ENOENT)
            return
        value = attribute.read().encode("latin-1") + b"\0"
        self._connection.reply(b"%d\n" % len(value), value, b"\n")

    def _read_all(self, attributes: Mapping[str, Attribute]) -> None:
        """Every attribute: for each its length as big-endian 32 bits, the value, and zeros up to a multiple of four."""
        out = bytearray()
        for attribute in attributes.values():
            value = attribute.read().encode("latin-1") + b"\0"
            out += len(value).to_bytes(4, "big") + value + b"\0" * (-len(value) % 4)
        self._connection.reply(b"%d\n" % len(out), bytes(out), b"\n")

    def _write(self, words: list[str]) -> None:
        size = _integer(words[-1]) if words else None
        if size is None:
            self._code(-EINVAL)
            return
        found = self._find(words[:-1])
        if found == -ENODEV:
            self._code(-ENODEV)  # iiod reads no payload for a device that it does not know
            return
        keep = size <= _LARGEST_VALUE

        def store(data: bytes) -> None:
            if isinstance(found, int):
                self._code(found)
                return
            attributes, _, _, rest = found
            attribute = attributes.get(rest[0]) if len(rest) == 1 else None
            if attribute is None:
                self._code(-ENOENT)
            elif not keep:
                self._code(-12)
            else:
                try:
                    attribute.store(data.split(b"\0", 1)[0].decode("latin-1"))
                except AttributeFailure as err:
                    self._code(-err.code)
                else:
                    self._code(size)

        self._connection.expect(size, store, keep=keep)

    def _open(self, words: list[str]) -> None:
        device = self._pluto.state.device(words[0]) if words else None
        if len(words) not in (3, 4) or (len(words) == 4 and words[3].upper() != "CYCLIC"):
            self._code(-EINVAL)
            return
        samples, mask = _integer(words[1]), _mask(words[2])
        if device is None:
            self._code(-ENODEV)
        elif not samples or samples > _MOST_SAMPLES or not mask or not mask & (1 << len(device.scans)) - 1:
            self._code(-EINVAL)
        else:
            self._start(device.name, samples, mask, len(words) == 4)

    def _start(self, name: str, samples: int, mask: int, cyclic: bool) -> None:
        mask &= 3
        columns = tuple(k for k in range(2) if mask >> k & 1)

        def attempt() -> bool:
            code = self._pluto.open_stream(name, samples, columns, cyclic, self._connection)
            if code == -EBUSY:
                return False
            if not code:
                self._opened[name] = (mask, 2 * len(columns), samples * 2 * len(columns))
                self._current = None
            self._code(code)
            return True

        if not attempt():  # another connection may be about to close it
            self._connection.wait(attempt, lambda: self._code(-EBUSY), _RETRY_S)

    def _close(self, words: list[str]) -> None:
        device = self._pluto.state.device(words[0]) if len(words) == 1 else None
        if device is None:
            self._code(-ENODEV if len(words) == 1 else -EINVAL)
        elif self._opened.pop(device.name, None) is None:
            self._code(-ENXIO)
        else:
            if self._pluto.owner.get(device.name) is self._connection:
                self._pluto.close_stream(device.name)
            self._code(0)

    def _buffer_of(self, words: list[str], name: str) -> tuple[int, tuple[int, int, int]] | int:
        """The byte count of READBUF and WRITEBUF, and what was opened; or −errno."""
        size = _integer(words[1]) if len(words) == 2 else None
        if size is None:
            return -EINVAL
        device = self._pluto.state.device(words[0])
        if device is None:
            return -ENODEV
        opened = self._opened.get(device.name)
        if opened is None or device.name != name or self._pluto.owner.get(name) is not self._connection:
            return -EBADF
        return size, opened

    def _read_buffer(self, words: list[str]) -> None:
        found = self._buffer_of(words, RX)
        if isinstance(found, int):
            self._code(found)
            return
        left, (mask, sample, _) = found
        first = True

        def deliver() -> bool:
            nonlocal left, first
            while left >= sample:
                if self._connection.congested:
                    return False
                if self._current is None or not len(self._current):
                    stream = self._pluto.rx
                    if stream is None or self._pluto.owner.get(RX) is not self._connection:
                        self._code(-EBADF)
                        return True
                    block = stream.take()
                    if block is None:
                        return False
                    self._current = block.astype("<i2", copy=False).reshape(-1).view(np.uint8)
                piece = self._current[:left]
                self._current = self._current[-(-len(piece) // sample) * sample :]  # the rest of a sample is gone
                self._connection.reply(b"%d\n" % len(piece))
                if first:
                    self._connection.reply(b"%08x\n" % mask)
                    first = False
                self._connection.reply(piece.data)
                left -= len(piece)
            if left or first:  # less than a sample is none
                self._code(0)
            return True

        if not deliver():
            self._connection.wait(deliver, lambda: self._code(-ETIMEDOUT))

    def _write_buffer(self, words: list[str]) -> None:
        found = self._buffer_of(words, TX)
        if isinstance(found, int):
            self._code(found)
            return
        size, (_, sample, limit) = found
        self._code(0)
        left = size

        def store(data: bytes) -> None:
            stream = self._pluto.tx
            if stream is not None and stream.cyclic and stream.full:
                self._code(-EBUSY)
            elif not put(data):
                self._connection.wait(lambda: put(data), lambda: self._code(-ETIMEDOUT))

        def put(data: bytes) -> bool:
            nonlocal left
            stream = self._pluto.tx
            if stream is None or self._pluto.owner.get(TX) is not self._connection:
                self._code(-EBADF)
                return True
            if stream.full:
                return False
            stream.put(data[: len(data) - len(data) % sample])
            left -= len(data)
            if left >= sample:  # more than a buffer: the next piece
                self._connection.expect(min(left, limit), store)
                return True
            if left:  # as iiod: it asks for less than a sample too, and then does not read it
                self._code(0)
            self._code(size - left)
            return True

        if size >= sample:
            self._connection.expect(min(size, limit), store)


def _integer(word: str) -> int | None:
    """A non-negative decimal number of the protocol."""
    return int(word) if word.isascii() and word.isdigit() and len(word) <= 10 else None


def _mask(word: str) -> int | None:
    """A mask: 8 hexadecimal digits for the up to 32 channels that a Pluto's devices have."""
    if len(word) != 8 or any(digit not in "0123456789abcdefABCDEF" for digit in word):
        return None
    return int(word, 16)
