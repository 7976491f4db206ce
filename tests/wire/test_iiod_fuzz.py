"""The virtual Pluto under more than 10,000 commands: sessions that are right but for a word here and there, and garbage."""

import os
import random
import time
from collections import Counter
from types import SimpleNamespace

import pytest

from hil.radios.airconfig import FaultConfig
from hil.radios.virtual.iiod import connection as iiod_connection
from hil.radios.virtual.iiod.context import Attribute
from hil.radios.virtual.iiod.pluto import Pluto
from hil.radios.virtual.iiod.stream import RxStream, TxStream
from tests.wire.iiod_bench import ODD_VALUES, RX, TX, Air, Client, hears_itself, memory_kb


@pytest.fixture
def air(monkeypatch):
    air = Air()
    monkeypatch.setattr(iiod_connection, "time", SimpleNamespace(monotonic=lambda: air.wall))
    yield air
    for client in list(air.clients):
        client.close()
    air.world.close()


ODD_WORDS = [
    "", " ", "READ", "CYCLIC", "INPUT", "OUTPUT", "DEBUG", "BUFFER", "ad9361-phy", RX, TX, "voltage0", "out", "raw",
    "00000001", "00000002", "ffffffff", "3", "-1", "0", "1", "7", "65535", "70000", "67108864", "4294967295", "9999999999",
    "99999999999999999999", "1_0", "\xb2", "\0", "\xe9",
]  # fmt: skip
VALUES = {
    "sampling_frequency": ["1000000"] * 6 + ["600000", "2500000", "4000000"], "frequency": ["1000000000", "2400000000", "1000"],
    "hardwaregain": ["30", "-20", "-10.5"], "gain_control_mode": ["manual"], "scale": ["0.25", "0"], "raw": ["0", "1"],
    "loopback": ["0", "0", "1"], "direct_reg_access": ["0x80000088", "0x80000088 0x7"], "filter_fir_config": ["1,2\n3,4"],
}  # fmt: skip
SMALL = ["VERSION", "PRINT", "HELP", "TIMEOUT 100", f"GETTRIG {RX}", f"SETTRIG {RX} x", "ZPRINT", f"READ {RX}", ""]


def attribute_commands(draw, devices):
    device = draw.choice(devices)
    places = [("", device.attributes), (" DEBUG", device.debug), (" BUFFER", device.buffer)]
    places += [(f" {'OUTPUT' if each.output else 'INPUT'} {each.id}", each.attributes) for each in device.channels]
    where, attributes = draw.choice([place for place in places if place[1]])
    key, attribute = draw.choice(list(attributes.items()))
    value = draw.choice(VALUES.get(key) or [attribute.read()]).encode("latin-1")
    if draw.random() < 0.2:
        value = draw.choice(ODD_VALUES)
    return [(f"READ {device.id}{where} {key}", b""), (f"WRITE {device.name}{where} {key} {len(value)}", value)]


def buffer_commands(draw):
    samples, mask = draw.choice([1, 16, 64, 1000, 5000]), draw.choice(["00000003"] * 3 + ["00000001"])
    size = samples * (4 if mask == "00000003" else 2)
    size = draw.choice([size, size, size, 2 * size, 3])
    device, verb, how = (RX, "READBUF", "") if draw.random() < 0.5 else (TX, "WRITEBUF", draw.choice(["", "", " CYCLIC"]))
    begin = [(f"SET {device} BUFFERS_COUNT {draw.choice([1, 4, 64])}", b"")] if draw.random() < 0.5 else []
    begin += [(f"OPEN {device} {samples} {mask}{how}", b"")]
    begin += [(f"{verb} {device} {size}", draw.randbytes(97))] * draw.randint(1, 4)
    return begin + [(f"CLOSE {device}", b"")] * (draw.random() < 0.7)


def mutated(draw, line, payload):
    kind = draw.random()
    if kind < 0.04:
        return draw.randbytes(draw.randint(1, 200)) + b"\n", payload
    if kind < 0.08:
        return (" ".join(draw.choice(ODD_WORDS) for _ in range(draw.randint(1, 7))) + "\n").encode("latin-1"), payload
    words = line.split(" ")
    if kind < 0.2:
        words[draw.randrange(len(words))] = draw.choice(ODD_WORDS)
    return (" ".join(words) + draw.choice(["\r\n", "\r\n", "\n"])).encode("latin-1"), payload


def assert_bounded(air):
    server = air.server
    for each in server.connections:
        assert len(each._in) <= 1 << 20
        assert each._out_bytes <= (1 << 20) + (1 << 19)
        assert len(each._out) <= 4100
    assert len(server.pluto.tx.queued if server.pluto.tx else ()) <= 64
    assert len(server.pluto.rx.filled if server.pluto.rx else ()) <= 64
    assert len(server.pluto.loop._pieces) <= 1024
    assert sum(len(pieces) for pieces in air.radio._pieces.values()) <= 200


def counted(monkeypatch, owner, name, counts, good):
    """Count what `owner.name` returns where it is `good`."""
    inner = getattr(owner, name)

    def outer(*args):
        result = inner(*args)
        counts[name] += good(result)
        return result

    monkeypatch.setattr(owner, name, outer)


def test_malformed_input_never_ends_the_air_nor_fills_memory(air, monkeypatch):
    """Over 10,000 commands executed: sessions that are right but for a word here and there, and garbage."""
    counts, draw = Counter(), random.Random(7)
    counted(monkeypatch, Attribute, "store", counts, lambda result: True)  # it raises where it refuses
    counted(monkeypatch, Pluto, "open_stream", counts, lambda result: result == 0)
    counted(monkeypatch, TxStream, "put", counts, lambda result: True)
    counted(monkeypatch, RxStream, "take", counts, lambda result: result is not None)
    started, before, most = time.monotonic(), memory_kb(os.getpid()), 0
    while min(counts["sent"], air.radio.counters["messages"]) < 10_000:
        programs = {Client(air): [] for _ in range(draw.randint(1, 4))}
        for client in programs:
            client.deaf = draw.random() < 0.03
        for _ in range(40):
            client = draw.choice(list(programs))
            if not client.alive:
                client.close()
                del programs[client]
                client = Client(air)
                programs[client] = []
            if not programs[client]:
                kind = draw.random()
                programs[client] = (
                    attribute_commands(draw, air.server.pluto.state.devices) if kind < 0.4
                    else buffer_commands(draw) if kind < 0.9 else [(draw.choice(SMALL), b"")]
                )  # fmt: skip
            counts["sent"] += 1
            answer = client.ask(*mutated(draw, *programs[client].pop(0)), steps=1 if client.deaf else 12)
            if (answer is None and not client.deaf) or draw.random() < 0.01:
                client.close(abruptly=draw.random() < 0.5)
                counts["closed in between"] += 1
                del programs[client]
                client = Client(air)
                programs[client] = []
            if draw.random() < 0.005:
                kind = draw.choice(["drop", "overflow", "underflow", "disconnect", "slow"])
                air.world.arm(FaultConfig(radio="pluto", kind=kind, samples=10_000, duration_s=0.02))
            air.wait(draw.random() * 2e-3)
            assert_bounded(air)
        for client in programs:
            client.close(abruptly=draw.random() < 0.5)
        most = max(most, memory_kb(os.getpid()) - before)
    assert air.radio.counters.get("internal", 0) == 0
    assert min(counts[name] for name in ("store", "open_stream", "put", "take")) > 100, counts
    assert most < 200_000
    air.radio.faults._armed.clear()  # else the last one acts on who comes now
    air.wait(0.1)
    assert air.radio.clients == []
    assert hears_itself(air)
    print(dict(counts), air.radio.counters, f"{time.monotonic() - started:.1f} s, {most} kB")
