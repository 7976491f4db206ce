"""10,000 messages of a fuzz for the virtual N210, deep in every state."""

import random
import struct
import tracemalloc
from collections import Counter

import pytest

from hil.radios.airconfig import FaultConfig
from hil.radios.virtual.clock import AirClock
from hil.radios.virtual.n210.rx import N210Receiver
from hil.radios.virtual.n210.server import N210Server
from hil.radios.virtual.n210.wire import CONTROL_PORT, FIFO_PORT, RX_PORTS, TX_PORT
from hil.radios.virtual.process import relocated
from hil.radios.virtual.radio import VirtualRadio
from hil.radios.virtual.world import World
from tests.wire.n210_bench import make_bench
from tests.wire.n210_host import CHAIN, NOW, RATE, RELOAD, STOP, Host, check_link, register_access, tx_packet


@pytest.fixture
def scene():
    bench = relocated(make_bench())
    world = World(bench)
    hosts = {name: Host(world, bench, name) for name in ("tx", "rx")}
    yield world, hosts
    for host in hosts.values():
        host.close()
    world.close()


class Fuzz:
    """Mostly valid sequences of datagrams, timed near the device's present; one field of some is mutated, some are garbage."""

    def __init__(self, server: N210Server, seed: int) -> None:
        self.server, self.draw = server, random.Random(seed)
        self.accesses = self.packets = 0

    def sequence(self) -> list[tuple[int, bytes]]:
        """Datagrams to be sent in this order, with their ports."""
        draw = self.draw
        kinds = (self.burst, self.reception, self.rate, self.carrier_and_gain, self.time, self.control, self.garbage)
        (kind,) = draw.choices(kinds, (8, 8, 2, 3, 1, 3, 2))
        sent = kind()
        if draw.random() < 0.2:
            index = draw.randrange(len(sent))
            sent[index] = (sent[index][0], self.mutated(sent[index][1]))
        return sent

    def near(self) -> int:
        registers = self.server.registers
        return registers.counter + registers.offset + self.draw.randrange(-200_000, 3_000_000) & (1 << 64) - 1

    def poke(self, register: int, value: int) -> tuple[int, bytes]:
        self.accesses += 1
        time = self.near() if self.draw.random() < 0.05 else None
        return FIFO_PORT, register_access(self.accesses, register, value, time=time)

    def burst(self) -> list[tuple[int, bytes]]:
        draw, sent, n = self.draw, [], self.draw.randrange(1, 8)
        for index in range(n):
            payload = draw.randbytes(4 * draw.choice([0, 1, 100, 360, 360, 1990]))
            first, last = index == 0 and draw.random() < 0.9, index == n - 1 and draw.random() < 0.8
            time = self.near() if first and draw.random() < 0.7 else None
            sent.append((TX_PORT, tx_packet(self.packets, payload, time=time, first=first, last=last)))
            self.packets += 1
        return sent

    def reception(self) -> list[tuple[int, bytes]]:
        draw, base = self.draw, self.draw.choice([32, 32, 80])
        word = draw.choice([0, NOW]) | draw.choice([0, 0, CHAIN, CHAIN, CHAIN | RELOAD, RELOAD, STOP])
        word |= draw.choice([0, 1, 200, 3000, 3000, 40_000])
        time = self.near()
        sent = [self.poke(base + 7, draw.choice([1, 200, 363, 1990]))] if draw.random() < 0.3 else []
        return [*sent, *(self.poke(base + k, value) for k, value in enumerate((word, time >> 32, time & 0xFFFFFFFF)))]

    def rate(self) -> list[tuple[int, bytes]]:
        value = self.draw.choice([*[RATE] * 8, 50 | 3 << 8, 50 | 1 << 8, 255 | 3 << 8, 20, 0, 4])
        return [self.poke(self.draw.choice([50, 98, 162]), value)]

    def carrier_and_gain(self) -> list[tuple[int, bytes]]:
        draw = self.draw
        synthesiser = [self.poke(21, 32 << 24 | draw.choice([16, 128]))]
        synthesiser += [self.poke(22, value) for value in (4 | 1 << 23, 2 | 4 << 14, 1 | 1 << 27 | 2 << 3)]
        adc = [self.poke(21, 16 << 24 | 256), self.poke(22, draw.choice([0x17, 0x1A]) << 24 | draw.getrandbits(8) << 16)]
        one = [self.poke(draw.choice([48, 96, 160, 186, 187, 147, 149]), draw.getrandbits(32))]
        return draw.choice([[*synthesiser, self.poke(22, draw.randrange(30, 60) << 15)], adc, one])

    def time(self) -> list[tuple[int, bytes]]:
        values = ((11, self.draw.getrandbits(32)), (13, self.draw.getrandbits(1)), (10, self.draw.choice([0, 0, 1 << 31])))
        return [self.poke(register, value) for register, value in values]

    def control(self) -> list[tuple[int, bytes]]:
        draw = self.draw
        union = draw.choice(
            [
                struct.pack("BB", draw.choice([0x50, 0x51, 0x54, 0x55, 9]), draw.getrandbits(8)),
                struct.pack(">III", draw.choice([40, 52, 200, 728]), draw.getrandbits(16), draw.choice([1, 3, 5, 6]) << 24),
                struct.pack(">I", draw.choice([100, 8000, 1 << 31])),
            ]
        )
        head = struct.pack(">III", 12, ord(draw.choice("aihrrl?")), draw.getrandbits(32))
        return [(CONTROL_PORT, head + union.ljust(24, b"\0")), (draw.choice([FIFO_PORT, TX_PORT, *RX_PORTS]), bytes(8))]

    def garbage(self) -> list[tuple[int, bytes]]:
        draw = self.draw
        port = draw.choice([CONTROL_PORT, FIFO_PORT, TX_PORT, *RX_PORTS])
        return [(port, draw.randbytes(draw.choice([0, 1, 3, 7, 8, 9, 16, 24, 35, 36, 37, 200, 1472, 8000])))]

    def mutated(self, data: bytes) -> bytes:
        draw = self.draw
        kind, at = draw.randrange(8), 4 * draw.randrange(max(1, min(len(data), 36) // 4))
        if kind == 0:
            return data[: draw.randrange(len(data) + 1)]
        if kind == 1:
            return data + draw.randbytes(draw.randrange(1, 20))
        word = draw.choice([0, 1, 1 << 31, 0xFFFFFFFF, draw.getrandbits(32), 1 << draw.randrange(32)])
        return data[:at] + struct.pack(">I", word) + data[at + 4 :]


def tally(monkeypatch, owner, name, counts, when=lambda self, result: True):
    """Count the calls of a method."""
    method = getattr(owner, name)

    def counted(self, *args, **kwargs):
        result = method(self, *args, **kwargs)
        counts[name] += bool(when(self, result))
        return result

    monkeypatch.setattr(owner, name, counted)


def test_fuzz_never_kills_the_air_nor_fills_its_memory(scene, monkeypatch):
    """No exception, bounded memory, and another client finds a working device."""
    world, hosts = scene
    world.clock = AirClock(1e6, "realtime", wall=lambda: 0.0)  # else the draws would depend on the machine's speed
    server, radio, counts = world.servers["rx"], world.radios["rx"], Counter()
    tally(monkeypatch, N210Server, "_execute", counts)
    tally(monkeypatch, VirtualRadio, "transmit", counts)
    tally(monkeypatch, N210Receiver, "_begin", counts, lambda receiver, _: receiver._now is not None)
    tally(monkeypatch, N210Receiver, "_deliver", counts, lambda _, delivered: delivered)
    fuzz, host, sent, early = Fuzz(server, 20), hosts["rx"], 0, 0
    hosts["before"] = Host(world, world.bench, "rx")
    while radio.counters["messages"] < 10_000:
        assert sent < 12_000
        for port, data in fuzz.sequence():
            source = hosts["before"] if fuzz.draw.random() < 0.02 else host
            source.sockets[port].send(data)
            sent += 1
        while world.sockets.serve(0.0):
            pass
        if fuzz.draw.random() < 0.15:
            world.step()
            assert len(server._pending) <= 1024
            assert len(server.tx._queue) <= 8192
            assert server.tx._bytes <= 5 << 20
            assert all(len(receiver._commands) <= 64 for receiver in server.rx)
        if fuzz.draw.random() < 0.02:
            world.arm(FaultConfig(radio="rx", kind=fuzz.draw.choice(["drop", "overflow", "underflow", "late"]), samples=500))
        if fuzz.draw.random() < 0.03:  # another client; the one before goes on sending a little
            hosts["before"].close()
            hosts["before"], host = host, Host(world, world.bench, "rx")
            hosts["rx"] = host
            host.take_over()
        if sent > 2500 and not early:
            tracemalloc.start()
            early = tracemalloc.get_traced_memory()[0] + 1
    now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert now - early < 32 << 20
    assert peak < 128 << 20
    assert set(counts) == {"_execute", "transmit", "_begin", "_deliver"}
    assert min(counts.values()) > 100
    assert radio.counters["malformed"] > 100
    assert radio.counters.get("internal", 0) == 0
    hosts["rx"].close()
    last = hosts["rx"] = Host(world, world.bench, "rx")
    last.learn(FIFO_PORT)
    assert last.peek(12) >> 16 == 11
    for register, value in ((11, world.clock.now * 100), (13, 1), (10, 0)):
        last.poke(register, value)
    while any(radio.faults.take(kind) for kind in ("drop", "overflow", "underflow", "late")):
        pass
    check_link(world, {"tx": hosts["tx"], "rx": last})
