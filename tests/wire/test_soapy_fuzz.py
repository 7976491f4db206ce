"""The virtual Soapy device under more than 10,000 messages, mostly valid sequences with one thing wrong."""

import contextlib
import random
import resource
import socket
from collections import Counter

import numpy as np
import pytest

from hil.radios.airconfig import FaultConfig
from hil.radios.virtual.clock import QUANTUM, AirClock
from hil.radios.virtual.ramp import ramp_positions
from hil.radios.virtual.soapyremote.connection import Connection
from hil.radios.virtual.soapyremote.rx import RxStream
from hil.radios.virtual.soapyremote.stream import END_BURST, HAS_TIME, Shape, acknowledgement
from hil.radios.virtual.soapyremote.tx import TxStream
from hil.radios.virtual.soapyremote.wire import (
    PACKET_BYTES,
    PacketHeader,
    boolean,
    f64,
    i32,
    i64,
    kwargs,
    text,
)
from tests.wire.soapy_client import (
    Client,
    activate,
    call,
    char,
    open_world,
    refused,
    reset_by_peer,
    sizes,
    steps,
)

SESSIONS = 800  # of fuzzed clients

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
