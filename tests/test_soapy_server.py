"""The virtual Soapy device without SoapySDR: its wire format, and 10,000 malformed messages."""

import math
import random
import resource
import socket
import struct
import time
from typing import ClassVar

import pytest

from hil.radios.virtual.soapy_calls import CALLS
from hil.radios.virtual.soapy_device import ns_of, ticks_of
from hil.radios.virtual.soapy_stream import END_BURST, HAS_TIME
from hil.radios.virtual.soapy_wire import (
    HEADER_BYTES,
    MAX_MESSAGE,
    PACKET_BYTES,
    PacketHeader,
    Reader,
    WireError,
    boolean,
    f64,
    i32,
    i64,
    kwargs,
    message,
    message_length,
    text,
)
from hil.radios.virtual.world import World
from tests.soapy_bench import make_bench

CALL = 15
SIZES = 16


def call(number, *values):
    return message(bytes((CALL,)) + i32(number) + b"".join(values))


def char(value):
    return bytes((0, value))


def sizes(*values):
    return bytes((SIZES,)) + i32(len(values)) + b"".join(i32(value) for value in values)


@pytest.fixture
def world():
    data = make_bench().model_dump()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        data["radios"]["sdr"]["virtual"]["port"] = probe.getsockname()[1]
    made = World(type(make_bench()).model_validate(data))
    Client.opened.clear()
    yield made
    for sock in Client.opened:
        sock.close()
    made.close()


class Client:
    """Talks to a world on this thread: the world is served while it waits."""

    opened: ClassVar[list[socket.socket]] = []

    def __init__(self, world):
        self.world = world
        port = world.bench.radios["sdr"].virtual.port
        self.rpc = self.connect(port)

    def connect(self, port):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setblocking(False)
        self.opened.append(sock)
        return sock

    def serve(self, turns=5):
        for _ in range(turns):
            self.world.sockets.serve(0.001)

    def read(self, sock, n):
        out = b""
        deadline = time.monotonic() + 5
        while len(out) < n:
            self.world.sockets.serve(0.001)
            try:
                got = sock.recv(n - len(out))
            except BlockingIOError:
                assert time.monotonic() < deadline, "no answer"
                continue
            assert got, "the connection was closed"
            out += got
        return out

    def ask(self, data):
        self.rpc.send(data)
        return self.answer()

    def answer(self):
        header = self.read(self.rpc, HEADER_BYTES)
        return Reader(header + self.read(self.rpc, message_length(header) - HEADER_BYTES))

    def stream(self, direction, channels, mtu=65536):
        args = kwargs({"remote:prot": "tcp", "remote:mtu": str(mtu)})
        port = int(self.ask(call(300, char(direction), text("CS16"), sizes(*channels), args, text(""), text(""))).text())
        sock, status = self.connect(port), self.connect(port)
        return self.answer().i32(), sock, status


def test_values_survive_the_wire():
    values = [0.0, 1.0, -1.0, 0.1, 2.45e9, -89.75, 1e-300, math.pi]
    reader = Reader(message(b"".join(map(f64, values)) + i64(-(1 << 62)) + boolean(True) + text("±µ")))
    assert [reader.f64() for _ in values] == values
    assert reader.i64() == -(1 << 62)
    assert reader.boolean()
    assert reader.text() == "±µ"
    with pytest.raises(WireError, match="must follow"):
        reader.char()


def test_doubles_are_exponent_and_mantissa():
    assert f64(1.0) == bytes((4, 2)) + struct.pack(">i", 1) + bytes((3,)) + struct.pack(">q", 1 << 52)


def test_times_and_ticks_are_exact_at_every_rate():
    for rate in (1e6, 5e6, 30.72e6, 61.44e6, 1.92e6):
        for tick in (0, 1, 12_345_678_901, 10**12 + 7):
            assert ticks_of(ns_of(tick, rate), rate) == tick


@pytest.mark.parametrize("bad", [b"NOPE", b"SRPC"])
def test_lengths_are_bounded(bad):
    with pytest.raises(WireError):
        message_length(bad + struct.pack(">II", 0x400, 1 << 31))
    assert message_length(message(b"x" * 100)) == 116
    assert MAX_MESSAGE <= 1 << 16


def test_a_server_answers_and_refuses(world):
    client = Client(world)
    assert client.ask(call(100)).text() == "hil"
    assert client.ask(call(703, char(0), i32(0), f64(-20.1))) is not None
    assert client.ask(call(705, char(0), i32(0))).f64() == -20.0
    assert client.ask(call(704, char(0), i32(0), text("PGA"), f64(3.1))) is not None
    assert client.ask(call(706, char(0), i32(0), text("PGA"))).f64() == 3.0
    for wrong in (call(703, char(0), i32(9), f64(0)), call(12345), call(703, char(7), i32(0), f64(0)), call(703)):
        assert client.ask(wrong)._data[HEADER_BYTES] == 13  # an exception, and the connection lives
    assert client.ask(call(202, char(0))).i32() == 2


def test_a_channel_streams_to_one_client(world):
    first, second = Client(world), Client(world)
    number, _, _ = first.stream(1, [0])
    args = kwargs({"remote:prot": "tcp"})
    request = call(300, char(1), text("CS16"), sizes(0), args, text(""), text(""))
    assert second.ask(request)._data[HEADER_BYTES] == 13
    first.ask(call(301, i32(number)))
    assert second.stream(1, [0])[0] == 0


def test_a_client_that_goes_silences_its_transmitter(world):
    client = Client(world)
    number, sock, _ = client.stream(0, [0, 1])
    client.ask(call(302, i32(number), i32(0), i64(0), i32(0)))
    room = (65536 - 48 - 24) // 2 // 4
    n = 8000
    header = PacketHeader(size=PACKET_BYTES + (room + n) * 4, elems=n, flags=HAS_TIME | END_BURST, time_ns=100_000_000)
    sock.setblocking(True)
    sock.send(header.pack() + b"\x01\x02" * (2 * (room + n)))
    client.serve(20)
    for _ in range(7):
        world.step()
    assert world.radios["sdr"].counters["tx_samples"] == 2 * n
    assert world.radios["sdr"].status()["transmitting"]
    client.rpc.close()
    client.serve(20)
    assert world.radios["sdr"].clients == []
    for _ in range(4):
        world.step()
    assert not world.radios["sdr"].status()["transmitting"]


def valid_messages(draw):
    side, channel = char(draw.randrange(2)), i32(draw.randrange(2))
    number = draw.choice([*CALLS, 0, 1, 20, 21, 22, 300, 301, 302, 303, 900])
    values = [side, channel, f64(draw.choice([0.0, 1e9, -1e300, 1e6])), i64(draw.getrandbits(63)), text("PGA"), boolean(True)]
    picked = draw.choice(
        [
            [side, channel, values[2]],
            [side, channel, text("PGA"), values[2]],
            [i32(draw.randrange(3)), i32(draw.getrandbits(31)), values[3], i32(draw.getrandbits(31))],
            [values[3], text("PPS")],
            [side, text("CS16"), sizes(*range(draw.randrange(4))), kwargs({"remote:prot": "tcp", "remote:mtu": "1e5"})],
            [kwargs({"driver": "hil"})],
            [text("x")],
        ]
    )
    return call(number, *picked)


def mutated(draw, data):
    data = bytearray(data)
    for _ in range(draw.choice([0, 1, 1, 2, 8])):
        how, at = draw.randrange(4), draw.randrange(len(data))
        if how == 0:
            data[at] = draw.randrange(256)
        elif how == 1:
            del data[at : at + draw.randrange(1, 9)]
        elif how == 2:
            data[at:at] = draw.randbytes(draw.randrange(1, 9))
        else:
            data[at : at + 4] = struct.pack(">i", draw.choice([-1, 0x7FFFFFFF, -0x80000000, 1 << 24]))
        if not data:
            break
    if draw.random() < 0.5 and len(data) > HEADER_BYTES + 5:  # half of them get past the frame
        data[:HEADER_BYTES] = b"SRPC" + struct.pack(">II", 0x400, len(data))
        data[-4:] = b"CPRS"
    return bytes(data)


@pytest.mark.slow
def test_ten_thousand_malformed_messages(world):
    draw = random.Random(7)
    client, before, replies = None, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0
    for index in range(8_000):
        if client is None:
            client = Client(world)
        try:
            client.rpc.send(mutated(draw, valid_messages(draw)))
            client.serve(2)
            replies += len(client.rpc.recv(1 << 16))
        except BlockingIOError:
            pass
        except OSError:
            client = None
        else:
            continue
        if client is not None and draw.random() < 0.2:
            client.rpc.close()
            client = None
        if index % 200 == 0:
            world.step()
    for _ in range(40):  # 2,000 packets and acknowledgements, on good streams until they break
        client = Client(world)
        direction = draw.randrange(2)
        number, sock, _ = client.stream(direction, [0])
        client.ask(call(302, i32(number), i32(0), i64(0), i32(0)))
        for _ in range(50):
            n = draw.randrange(64)
            header = PacketHeader(
                size=PACKET_BYTES + 4 * n * (1 - direction),
                sequence=draw.getrandbits(32),
                elems=draw.choice([n, n, n, draw.getrandbits(31), -4]),
                flags=draw.getrandbits(5),
                time_ns=draw.choice([0, draw.getrandbits(63), -1, 1 << 40]),
            )
            data = header.pack() + draw.randbytes(4 * n * (1 - direction))
            try:
                sock.send(data if draw.random() < 0.8 else mutated(draw, data))
            except OSError:
                break
            client.serve(1)
        world.step()
        client.rpc.close()
        client.serve(3)
    assert replies > 10_000
    assert Client(world).ask(call(100)).text() == "hil"
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 200_000, f"{grown} KiB more memory"
    for _ in range(3):
        world.step()
