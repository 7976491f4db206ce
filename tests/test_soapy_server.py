"""The virtual Soapy device without SoapySDR: its wire format, and 10,000 malformed messages."""

import contextlib
import math
import random
import resource
import socket
import struct
import time
from collections import Counter
from typing import ClassVar

import numpy as np
import pytest

from hil.radios.airconfig import FaultConfig
from hil.radios.bench import BenchConfig
from hil.radios.virtual.clock import QUANTUM, AirClock
from hil.radios.virtual.ramp import ramp_positions
from hil.radios.virtual.soapy_connection import Connection
from hil.radios.virtual.soapy_device import ns_of, ticks_of
from hil.radios.virtual.soapy_rx import RxStream
from hil.radios.virtual.soapy_stream import END_BURST, HAS_TIME, Shape, acknowledgement, from_wire
from hil.radios.virtual.soapy_tx import TxStream
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
SESSIONS = 800  # of fuzzed clients


def call(number, *values):
    return message(bytes((CALL,)) + i32(number) + b"".join(values))


def char(value):
    return bytes((0, value))


def sizes(*values):
    return bytes((SIZES,)) + i32(len(values)) + b"".join(i32(value) for value in values)


@contextlib.contextmanager
def open_world(*, ppm=0.0, **virtual):
    data = make_bench(**virtual).model_dump() | {"clock": "independent"}
    with socket.create_server(("127.0.0.1", 0)) as probe:
        data["radios"]["sdr"]["virtual"] |= {"port": probe.getsockname()[1], "ppm": ppm}
    made = World(BenchConfig.model_validate(data))
    Client.opened.clear()
    try:
        yield made
    finally:
        for sock in Client.opened:
            sock.close()
        made.close()


@pytest.fixture
def world():
    with open_world() as made:
        yield made


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
            try:
                got = sock.recv(n - len(out))
            except BlockingIOError:
                assert time.monotonic() < deadline, "no answer"
                self.world.sockets.serve(0.001)
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


def activate(client, number, flags=0, time_ns=0, n=0):
    return client.ask(call(302, i32(number), i32(flags), i64(time_ns), i32(n)))


def packet(n, flags, time_ns=0):
    """Of one channel."""
    header = PacketHeader(size=PACKET_BYTES + 4 * n, elems=n, flags=flags, time_ns=time_ns)
    return header.pack() + b"\1\2" * (2 * n)


def reset_by_peer(*socks):
    for sock in socks:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()


def refused(reader):
    return reader._data[HEADER_BYTES] == 13


def steps(world, n):
    for _ in range(n):
        world.step()


def bugs(world):
    return world.radios["sdr"].counters.get("internal", 0)


def test_a_client_that_dies_inside_a_burst_harms_nobody(world):
    client = Client(world)
    number, sock, status = client.stream(0, [0])
    activate(client, number)
    sock.send(packet(2000, HAS_TIME, 100_000_000))
    client.serve(20)
    reset_by_peer(status, sock, client.rpc)
    steps(world, 8)  # nobody looks at the sockets before the burst runs dry
    assert bugs(world) == 0
    assert world.radios["sdr"].counters["underflow"] > 0
    client.serve(5)
    assert Client(world).ask(call(100)).text() == "hil"
    assert world.radios["sdr"].clients != []


def test_what_a_dead_client_has_left_is_not_played(world):
    client = Client(world)
    number, sock, status = client.stream(0, [0])
    activate(client, number)
    sock.send(packet(2000, HAS_TIME, 100_000_000) + packet(2000, END_BURST))
    client.serve(20)
    world.arm(FaultConfig(radio="sdr", kind="underflow", samples=10))
    reset_by_peer(status, sock, client.rpc)
    steps(world, 8)  # the report of the underflow finds the client gone
    assert bugs(world) == 0
    assert world.radios["sdr"].counters["tx_samples"] == 0


@pytest.mark.parametrize("side", [0, 1])
def test_a_second_client_cannot_change_the_rate_of_an_active_stream(world, side):
    first, second = Client(world), Client(world)
    number, sock, _ = first.stream(side, [0])
    activate(first, number)
    if side == 0:
        sock.send(packet(8000, HAS_TIME | END_BURST, 100_000_000))
        first.serve(20)
    assert refused(second.ask(call(900, char(0), i32(0), f64(10e6))))
    assert not refused(second.ask(call(900, char(0), i32(0), f64(1e6))))  # which it has
    steps(world, 8)
    assert bugs(world) == 0
    assert world.radios["sdr"].counters["tx_samples"] == (0 if side else 8000)
    first.ask(call(303, i32(number), i32(0), i64(0)))
    assert not refused(second.ask(call(900, char(0), i32(0), f64(10e6))))
    assert first.ask(call(901, char(1), i32(0))).f64() == 10e6


def test_at_once_is_not_before_what_has_been_played():
    with open_world(ppm=3.3) as world:
        client = Client(world)
        number, sock, _ = client.stream(0, [0])
        activate(client, number)
        for _ in range(20):  # ticks fall between air samples, and the air is ahead of the wall clock
            world.clock.reading = lambda: world.clock.now
            sock.send(packet(10, END_BURST))
            client.serve(3)
            world.step()
        assert bugs(world) == 0
        assert world.radios["sdr"].counters["tx_samples"] == 200


def test_reset_drops_clients_streams_and_settings(world):
    client, server = Client(world), world.servers["sdr"]
    number, sock, _ = client.stream(0, [0])
    client.ask(call(703, char(0), i32(0), f64(-10.0)))
    activate(client, number)
    sock.send(packet(8000, HAS_TIME | END_BURST, 60_000_000))
    client.serve(20)
    steps(world, 4)
    server.reset()
    steps(world, 3)
    assert not world.radios["sdr"].status()["transmitting"]
    assert world.radios["sdr"].clients == []
    with pytest.raises(OSError, match="reset"):
        client.rpc.recv(1)
    after = Client(world)
    assert after.ask(call(705, char(0), i32(0))).f64() == -89.75
    assert after.stream(0, [0])[0] == 0


def test_answers_to_late_receptions_are_bounded(world):
    client = Client(world)
    number, _, _ = client.stream(1, [0])
    stream = world.servers["sdr"]._streams()[0]
    stream._outbox.waiting = 1 << 30  # a client that asks, and does not read
    activate(client, number, HAS_TIME, 0, 100)
    assert stream._outbox.idle


def test_nonsense_before_an_activation_ends_the_stream(world):
    client = Client(world)
    number, sock, _ = client.stream(0, [0])
    sock.send(b"\1" * 100)
    world.servers["sdr"]._streams()[0].activate()
    assert world.servers["sdr"]._streams() == []
    assert refused(activate(client, number))


def test_floats_beyond_all_are_limited():
    shape = Shape(channels=(0,), format="CF32", mtu=1500, full_scale=2048)
    floats = np.array([3e38, np.nan, -np.inf, 0.5, np.inf, -1.0], "<f4")
    (codes,), clipped = from_wire(memoryview(floats.tobytes()), 3, shape)
    assert codes.tolist() == [[2047, 0], [-2048, 1024], [2047, -2048]]
    assert clipped == 3


# 10,000 messages: mostly valid sequences of two clients at a time, with one field mutated here and there, and pure garbage

SIGNATURES = {
    "": (100, 101, 102, 201, 1001, 1002, 1004, 1005, 1007, 1008, 1200, 1302, 1402, 1500, 2, 20, 22, 12345),
    "s": (202,),
    "sc": (203, 204, 304, 305, 500, 502, 503, 602, 700, 702, 705, 707, 709, 802, 804, 805, 807, 901, 902, 904, 905, 907, 1202),
    "sct": (501, 706, 708, 803, 806, 1203, 1205),
    "scb": (701, 601),
    "scf": (703, 800, 903, 900, 900, 900, 900),
    "sctf": (704, 801),
    "t": (1003, 1006, 1100, 1101, 1201, 1204),
    "lt": (1102,),
    "k": (0, 1),
}
"""What follows the number of each call: side, channel, text, boolean, float, long integer, keywords."""
EXTREMES = (
    b"",
    i32(-1),
    i32(0x7FFFFFFF),
    i32(-0x80000000),
    i64(-1 << 63),
    i64((1 << 63) - 1),
    f64(-1e300),
    b"\x04" + i32(0x7FFFFFFF) + i64(1 << 62),  # a double beyond all
    text("x" * 3000),
    sizes(*range(70)),
)


def request(draw, kinds):
    """The fields of a valid call."""
    make = {
        "s": lambda: char(draw.randrange(2)),
        "c": lambda: i32(draw.choice([0, 0, 0, 1])),
        "t": lambda: text(draw.choice(["PGA", "PAD", "RX", "RF", "internal", "PPS", "lo_locked", "ref_locked"])),
        "b": lambda: boolean(draw.random() < 0.5),
        "f": lambda: f64(draw.choice([0.0, -20.0, 1e6, 1e6, 5e5, 333_333.3, 2e6])),
        "l": lambda: i64(draw.randrange(1 << 40)),
        "k": lambda: kwargs({"driver": draw.choice(["hil", "other"])}),
    }
    return [make[kind]() for kind in kinds]


def spoil(draw, parts):
    """Mutate one field."""
    at = draw.randrange(len(parts)) if parts else 0
    data = parts[at] if parts else b""
    wrong = [data[:-1], data + data, draw.randbytes(len(data)), data[:1] + draw.randbytes(len(data[1:]))]
    parts[at : at + 1] = [draw.choice([*wrong, *EXTREMES])]


class Fuzz:
    """Clients of one radio; every message is worked off before the next, by a clock of our own: every run is the same."""

    def __init__(self, world, seed):
        self.world, self.draw = world, random.Random(seed)
        self.server, self.radio = world.servers["sdr"], world.radios["sdr"]
        self.wall = 0.0
        world.clock = AirClock(world.sample_rate_hz, "realtime", lambda: self.wall)
        self.radio.set_rate, self.set_rate = self.new_rate, self.radio.set_rate
        self.rates = set()

    def new_rate(self, rate):
        """The rate of an active stream never changes; an exception here counts as the server's."""
        assert rate == self.radio.sample_rate_hz or not self.server._streaming()
        self.rates.add(rate)
        self.set_rate(rate)

    def step(self):
        self.wall += self.draw.choice([0.5, 1, 1, 1.5]) * QUANTUM / self.world.sample_rate_hz
        if self.draw.random() < 0.05:
            kind = self.draw.choice(["drop", "overflow", "underflow", "late", "disconnect", "slow"])
            self.world.arm(FaultConfig(radio="sdr", kind=kind, samples=500, duration_s=0.02))
        self.world.step()
        for stream in self.server._streams():
            assert len(stream._inbox if isinstance(stream, TxStream) else stream._acks) <= 1 << 20
            assert stream._outbox.waiting < 10 << 20 if isinstance(stream, RxStream) else len(stream._pieces) < 20_000
        assert all(len(each._inbox) <= 1 << 17 for each in self.server._connections)

    def turn(self):
        while self.world.sockets.serve(0.0):
            pass

    def soon(self):
        """A time about now, mostly a little ahead."""
        return self.server.device.time_ns(self.radio.tick() + self.draw.randrange(-200, 30_000))

    def push(self, sock, data):
        """Send; whether the connection holds."""
        try:
            return sock.send(data) == len(data)
        except OSError:
            return False
        finally:
            self.turn()

    def ask(self, client, number, parts, worse=0.15):
        """The answer to a call whose fields may be mutated; None where there is none: no message, or no connection any more."""
        parts = list(parts)
        if self.draw.random() < worse:
            spoil(self.draw, parts)
        try:
            return self.answered(client) if self.push(client.rpc, call(number, *parts)) else None
        except ConnectionError:
            return None

    def answered(self, client):
        for _ in range(4):
            with contextlib.suppress(BlockingIOError):
                return client.answer() if client.rpc.recv(1, socket.MSG_PEEK) else None
            self.turn()
        return None

    def chat(self, client):
        """A few calls; whether the connection holds."""
        for _ in range(self.draw.randrange(6)):
            kinds = self.draw.choice(list(SIGNATURES))
            if self.ask(client, self.draw.choice(SIGNATURES[kinds]), request(self.draw, kinds)) is None:
                return False
        return True

    def garbage(self, sock):
        """Nonsense, the end of a message, the beginning of one, or one with a byte wrong; the session ends with it."""
        whole = call(302, i32(0), i32(0), i64(0), i32(0))
        broken = bytearray(whole)
        broken[self.draw.randrange(len(broken))] ^= self.draw.randrange(1, 256)
        self.push(sock, self.draw.choice([self.draw.randbytes(40), whole[5:], whole[:-7], bytes(broken)]))

    def session(self):
        """One client's life; pauses where others may act."""
        client = Client(self.world)
        socks = [client.rpc]
        try:
            yield from self.live(client, socks)
        finally:
            self.draw.shuffle(socks)
            if self.draw.random() < 0.3:
                reset_by_peer(*socks)
            for sock in socks:
                sock.close()
            client.opened.clear()

    def live(self, client, socks):
        draw = self.draw
        side, form = draw.randrange(2), draw.choice(["CS16", "CS16", "CF32"])
        channels = draw.choice([(0,), (1,), (0, 1)]) if side == 0 else (0,)
        shape = Shape(channels=channels, format=form, mtu=draw.choice([200, 1500, 1500, 20_000]), full_scale=2048)
        args = {"remote:prot": "tcp", "remote:mtu": str(shape.mtu)}
        yield
        if not self.chat(client):
            return None
        answer = self.ask(client, 300, [char(side), text(form), sizes(*channels), kwargs(args), text(""), text("")])
        if answer is None or refused(answer):
            return self.garbage(client.rpc)
        port = int(answer.text())
        for _ in range(2):
            socks.append(client.connect(port))
            self.turn()
            if draw.random() < 0.02:
                return None
        answer = self.answered(client)
        if answer is None:  # another shape than meant may have been set up: then packets are nonsense too
            return None
        number = answer.i32()
        for _ in range(draw.randrange(1, 6)):
            length, flags = draw.choice([0, 100, 5000, 20_000]), draw.choice([0, HAS_TIME, HAS_TIME])
            if self.ask(client, 302, [i32(number), i32(flags), i64(self.soon()), i32(length)]) is None:
                return None
            for _ in range(draw.randrange(4)):
                yield
                exchange = self.transmit if side == 0 else self.receive
                if not exchange(socks[1], shape) or not self.chat(client):
                    return None
            self.ask(client, 303, [i32(number), i32(0), i64(0)])
            if draw.random() < 0.1:
                return self.garbage(draw.choice(socks))
        self.ask(client, draw.choice([301, 301, 3]), [i32(number)])
        return None

    def transmit(self, sock, shape):
        for _ in range(self.draw.randrange(1, 10)):
            n = self.draw.randrange(min(300, shape.room) + 1)
            flags = self.draw.choice([0, 0, HAS_TIME, END_BURST, HAS_TIME | END_BURST])
            header = {"size": shape.packet_bytes(n), "elems": n, "flags": flags, "time_ns": self.soon()}
            if not self.push(sock, self.header(header, 0.05) + self.draw.randbytes(header["size"] - PACKET_BYTES)):
                return False
        return True

    def receive(self, sock, _shape):
        with contextlib.suppress(BlockingIOError, ConnectionError):
            self.draw.random() < 0.9 and sock.recv(1 << 18)
        window = self.draw.choice([0, 4, 100, 100, 10_000])
        return all(
            self.push(sock, self.header({"elems": window, "sequence": k}, 0.05)) for k in range(self.draw.randrange(1, 6))
        )

    def header(self, fields, worse):
        if self.draw.random() < worse:
            name = self.draw.choice(["size", "sequence", "elems", "flags", "time_ns"])
            bits = {"size": 32, "sequence": 32, "elems": 31, "flags": 31, "time_ns": 63}[name]
            fields = fields | {name: self.draw.choice([0, 1, (1 << bits) - 1, self.draw.getrandbits(bits)])}
        return PacketHeader(**fields).pack()


@pytest.fixture
def reached(monkeypatch):
    """How often the server has come through its deep places."""
    count = Counter()

    def watch(cls, name):
        method = getattr(cls, name)

        def counted(self, *args, **more):
            result = method(self, *args, **more)
            count[f"{cls.__name__}.{name}"] += 1
            return result

        monkeypatch.setattr(cls, name, counted)

    for name in ("_take", "_hand_over", "activate", "_acknowledge"):
        watch(TxStream, name)
    for name in ("_take", "activate"):
        watch(RxStream, name)
    for name in ("_begin_setup", "_close_stream"):
        watch(Connection, name)
    return count


@pytest.mark.slow
def test_ten_thousand_messages_of_which_many_are_malformed(reached):
    with open_world(source="ramp", ppm=3.3) as world:
        fuzz, radio, server = Fuzz(world, 7), world.radios["sdr"], world.servers["sdr"]
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(SESSIONS // 2):
            alive = [fuzz.session(), fuzz.session()]
            while alive:
                one = fuzz.draw.choice(alive)
                if next(one, "ended") == "ended":
                    alive.remove(one)
                fuzz.step()
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert radio.counters.get("internal", 0) == 0
        assert radio.counters["messages"] >= 10_000
        assert len(reached) == 8
        assert min(reached.values()) > 100, reached
        assert len(fuzz.rates) > 3
        assert grown < 100_000, f"{grown} KiB more memory"
        steps(world, 10)
        Client(world).serve(10)
        assert server._streams() == []
        assert server._taken == set()
        assert_receives(fuzz)


def assert_receives(fuzz):
    """A finite reception at a time holds every sample from that time on."""
    fuzz.radio.faults._armed.clear()
    client, n = Client(fuzz.world), 20_000
    assert not refused(client.ask(call(900, char(1), i32(0), f64(1e6))))
    number, sock, _ = client.stream(1, [0])
    start = fuzz.radio.tick() + 7777
    activate(client, number, HAS_TIME, fuzz.server.device.time_ns(start), n)
    sock.send(acknowledgement(0, 100))
    steps(fuzz.world, 5)
    parts, flags = [], 0
    while not flags & END_BURST:
        header = PacketHeader.unpack(client.read(sock, PACKET_BYTES))
        flags = header.flags
        assert fuzz.server.device.tick(header.time_ns) == start + sum(map(len, parts))
        parts.append(np.frombuffer(client.read(sock, header.size - PACKET_BYTES), "<i2").reshape(-1, 2))
    got = ramp_positions(np.concatenate(parts), 12)
    assert got.tolist() == [k % (1 << 24) for k in range(start, start + n)]
