"""The virtual Soapy device without SoapySDR: its wire format, and clients that misbehave."""

import math
import struct

import numpy as np
import pytest

from hil.radios.airconfig import FaultConfig
from hil.radios.virtual.soapyremote.device import ns_of, ticks_of
from hil.radios.virtual.soapyremote.stream import END_BURST, HAS_TIME, Shape, from_wire
from hil.radios.virtual.soapyremote.wire import (
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
from tests.wire.soapy_client import Client, activate, bugs, call, char, open_world, packet, refused, reset_by_peer, sizes, steps


@pytest.fixture
def world():
    with open_world() as made:
        yield made


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
