"""SoapyRemote on the wire: RPC messages of self-tagged values, and the header of stream packets.

A message is `SRPC`, version, total length, values, `CPRS`; everything is big-endian. Samples in stream packets are
little-endian. Source: the protocol as Debian's soapysdr0.8-module-remote 0.5.2 speaks it (docs/virtual-soapy.md).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hil.radios.contract import Range

__all__ = [
    "HEADER_BYTES", "MAX_MESSAGE", "PACKET_BYTES", "Arg", "PacketHeader", "Reader", "WireError",
    "arg_info", "arg_infos", "boolean", "exception", "f64", "f64s", "i32", "i64", "kwargs", "kwargs_list", "message",
    "message_length", "ranges", "span", "strings", "text", "void",
]  # fmt: skip

HEADER_BYTES = 12
MAX_MESSAGE = 1 << 16
_VERSION = 0x000400
_CHAR, _BOOL, _I32, _I64, _F64, _C128, _STR, _RANGE, _RANGES, _STRS, _F64S, _KW, _KWS, _EXC, _VOID, _CALL, _SIZES = range(17)
_ARG, _ARGS = 17, 18
_MANTISSA = 53


class WireError(ValueError):
    """Not what the protocol says."""


@dataclass(frozen=True, kw_only=True)
class Arg:
    """A setting or sensor as SoapySDR describes it; `kind`: 0 bool, 1 int, 2 float, 3 string."""

    key: str
    name: str
    description: str = ""
    units: str = ""
    value: str = ""
    kind: int = 3


def i32(value: int) -> bytes:
    """A 32-bit integer."""
    return struct.pack(">Bi", _I32, value)


def i64(value: int) -> bytes:
    """A 64-bit integer."""
    return struct.pack(">Bq", _I64, value)


def f64(value: float) -> bytes:
    """A double, as exponent and 53-bit mantissa; NaN and infinity become 0 (the format has none)."""
    mantissa, exponent = math.frexp(value) if math.isfinite(value) else (0.0, 0)
    return struct.pack(">B", _F64) + i32(exponent) + i64(int(math.ldexp(mantissa, _MANTISSA)))


def boolean(value: bool) -> bytes:
    """A truth value."""
    return bytes((_BOOL, int(value)))


def text(value: str) -> bytes:
    """A string."""
    data = value.encode()
    return bytes((_STR,)) + i32(len(data)) + data


def span(value: Range) -> bytes:
    """A range with its step."""
    return bytes((_RANGE,)) + f64(value.low) + f64(value.high) + f64(value.step)


def ranges(values: Sequence[Range]) -> bytes:
    """A list of ranges."""
    return _counted(_RANGES, map(span, values))


def strings(values: Sequence[str]) -> bytes:
    """A list of strings."""
    return _counted(_STRS, map(text, values))


def f64s(values: Sequence[float]) -> bytes:
    """A list of doubles."""
    return _counted(_F64S, map(f64, values))


def kwargs(values: Mapping[str, str]) -> bytes:
    """Strings by name."""
    return _counted(_KW, (text(key) + text(value) for key, value in values.items()))


def kwargs_list(values: Sequence[Mapping[str, str]]) -> bytes:
    """A list of `kwargs`."""
    return _counted(_KWS, map(kwargs, values))


def arg_info(value: Arg) -> bytes:
    """What a sensor or setting is."""
    words = (value.key, value.value, value.name, value.description, value.units)
    empty = strings(())
    return bytes((_ARG,)) + b"".join(map(text, words)) + i32(value.kind) + span(Range(low=0.0, high=0.0)) + empty + empty


def arg_infos(values: Sequence[Arg]) -> bytes:
    """A list of `arg_info`."""
    return _counted(_ARGS, map(arg_info, values))


def void() -> bytes:
    """Done, nothing to say."""
    return bytes((_VOID,))


def exception(reason: str) -> bytes:
    """The call failed; the client raises RuntimeError with the reason."""
    return bytes((_EXC,)) + text(reason)


def message(payload: bytes) -> bytes:
    """A whole message around packed values."""
    return struct.pack(">4sII", b"SRPC", _VERSION, HEADER_BYTES + len(payload) + 4) + payload + b"CPRS"


def message_length(header: bytes | bytearray | memoryview) -> int:
    """Length of the message that starts with these `HEADER_BYTES`.

    Raises:
        WireError: not a message, or longer than `MAX_MESSAGE`.
    """
    word, _, length = struct.unpack_from(">4sII", header)
    if word != b"SRPC":
        raise WireError(f"a message must start with SRPC, not {word!r}")
    if not HEADER_BYTES + 4 < length <= MAX_MESSAGE:
        raise WireError(f"a message must have {HEADER_BYTES + 5} … {MAX_MESSAGE} bytes, not {length}")
    return int(length)


def _counted(tag: int, items: Iterable[bytes]) -> bytes:
    packed = list(items)
    return bytes((tag,)) + i32(len(packed)) + b"".join(packed)


class Reader:
    """Takes values out of one whole message, in order.

    Raises:
        WireError: by every method, where something else or nothing is left.
    """

    def __init__(self, data: bytes) -> None:
        if data[-4:] != b"CPRS":
            raise WireError("a message must end with CPRS")
        self._data, self._at, self._end = data, HEADER_BYTES, len(data) - 4

    def call(self) -> int:
        """Number of the call."""
        self._tag(_CALL)
        return self.i32()

    def char(self) -> int:
        """One byte, 0 … 255."""
        self._tag(_CHAR)
        return self._take(1)[0]

    def boolean(self) -> bool:
        """A truth value."""
        self._tag(_BOOL)
        return self._take(1)[0] != 0

    def i32(self) -> int:
        """A 32-bit integer."""
        self._tag(_I32)
        return int(struct.unpack(">i", self._take(4))[0])

    def i64(self) -> int:
        """A 64-bit integer."""
        self._tag(_I64)
        return int(struct.unpack(">q", self._take(8))[0])

    def f64(self) -> float:
        """A finite double."""
        self._tag(_F64)
        exponent, mantissa = self.i32(), self.i64()
        try:
            return math.ldexp(mantissa, exponent - _MANTISSA)
        except OverflowError as err:
            raise WireError(f"a double must be finite, not {mantissa}·2^{exponent - _MANTISSA}") from err

    def text(self) -> str:
        """A string."""
        self._tag(_STR)
        return self._take(self.i32()).decode(errors="replace")

    def kwargs(self) -> dict[str, str]:
        """Strings by name."""
        self._tag(_KW)
        return {key: self.text() for key in (self.text() for _ in range(self._count(12)))}

    def sizes(self) -> list[int]:
        """A list of sizes."""
        self._tag(_SIZES)
        return [self.i32() for _ in range(self._count(5))]

    def _count(self, least: int) -> int:
        """The length of a list whose items take at least so many bytes each."""
        count = self.i32()
        if not 0 <= count <= (self._end - self._at) // least:
            raise WireError(f"a list of {count} items does not fit the message")
        return count

    def _tag(self, expected: int) -> None:
        tag = self._take(1)[0]
        if tag != expected:
            raise WireError(f"a value of type {expected} must follow, not {tag}")

    def _take(self, n: int) -> bytes:
        if not 0 <= n <= self._end - self._at:
            raise WireError(f"{n} bytes must follow, there are {self._end - self._at}")
        self._at += n
        return self._data[self._at - n : self._at]


PACKET_BYTES = 24
_PACKET = struct.Struct(">IIiiq")


@dataclass(frozen=True, kw_only=True)
class PacketHeader:
    """Before the samples of a stream packet; also alone, as acknowledgement and as status.

    Attributes:
        size: bytes, with the header.
        sequence: packet number; in a status the mask of channels.
        elems: samples a channel, or a negative error code; in an acknowledgement the window in packets.
        flags: SoapySDR's stream flags.
        time_ns: of the first sample, where the flags say so.
    """

    size: int = PACKET_BYTES
    sequence: int = 0
    elems: int = 0
    flags: int = 0
    time_ns: int = 0

    def pack(self) -> bytes:
        """As bytes; a time that does not fit is the last one that does."""
        time_ns = min(max(self.time_ns, -1 << 63), (1 << 63) - 1)
        return _PACKET.pack(self.size, self.sequence & 0xFFFFFFFF, self.elems, self.flags, time_ns)

    @classmethod
    def unpack(cls, data: bytes | bytearray | memoryview) -> PacketHeader:
        """From the first `PACKET_BYTES` of data."""
        size, sequence, elems, flags, time_ns = _PACKET.unpack_from(data)
        return cls(size=size, sequence=sequence, elems=elems, flags=flags, time_ns=time_ns)
