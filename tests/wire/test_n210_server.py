"""The virtual N210 without any vendor library: words on the wire, registers, and hosts that misbehave."""

import socket
import struct

import numpy as np
import pytest

from hil.radios.airconfig import FaultConfig
from hil.radios.virtual.clock import QUANTUM
from hil.radios.virtual.n210.registers import synthesiser_hz
from hil.radios.virtual.n210.wire import (
    CONTROL_PORT,
    FIFO_PORT,
    RX_PORTS,
    TX_PORT,
    FifoCommand,
    fifo_ack,
    parse_fifo,
    parse_tx,
    rx_packets,
)
from hil.radios.virtual.process import relocated
from hil.radios.virtual.world import World
from tests.wire.n210_bench import make_bench
from tests.wire.n210_host import CHAIN, NOW, RATE, RELOAD, Host, check_link, tx_packet


@pytest.fixture
def scene():
    bench = relocated(make_bench())
    world = World(bench)
    hosts = {name: Host(world, bench, name) for name in ("tx", "rx")}
    yield world, hosts
    for host in hosts.values():
        host.close()
    world.close()


def test_synthesiser_divides_and_multiplies():
    """N = 98, 2450 MHz from 25 MHz: fundamental feedback, divider 1; then halved."""
    registers = [98 << 15, 1 << 27 | 2 << 3, 4 << 14, 0, 1 << 23, 0]
    assert synthesiser_hz(registers) == 2.45e9
    registers[4] |= 1 << 20
    assert synthesiser_hz(registers) == 1.225e9
    registers[0] |= 1 << 3
    assert synthesiser_hz(registers) == 1.23125e9
    assert synthesiser_hz([0] * 6) == 0.0


def test_receive_packets_are_numbered_and_timed():
    codes = np.arange(20, dtype=np.int16).reshape(10, 2)
    full, rest = rx_packets(codes, 4, 14, 3, (1 << 32) - 100, 100, last=True)
    words = np.concatenate([full.view(">u4").ravel(), rest.view(">u4").ravel()])
    assert full.shape == (2, 36)
    assert [int(word) >> 16 & 15 for word in (words[0], words[9], words[18])] == [14, 15, 0]
    assert [int(word) & 0xFFFF for word in (words[0], words[9], words[18])] == [9, 9, 7]
    assert words[2:4].tolist() == [0, (1 << 32) - 100]
    assert words[11:13].tolist() == [1, 300]
    assert words[4:8].tolist() == [0x00000001, 0x00020003, 0x00040005, 0x00060007]
    assert [int(words[index]) for index in (8, 17, -1)] == [0x00100000, 0x00100000, 0x00100100]


def test_transmit_packets_are_read():
    body = struct.pack(">IIQ", 7, 0x06100000 | 6, 123456789012) + struct.pack(">4h", 1, -2, 3, -4) + bytes(4)
    packet = parse_tx(body)
    assert (packet.sequence, packet.first, packet.last, packet.time) == (7, True, False, 123456789012)
    assert packet.codes.tolist() == [[1, -2], [3, -4]]
    for broken in (b"", bytes(7), body[:-1], body[:12], struct.pack(">II", 1, 0x00100001)):
        assert parse_tx(broken) is None
    command = FifoCommand(control=0x00070114, data=5, time=None)
    assert parse_fifo(struct.pack(">4I", 1, 0x40000003, command.control, 5)) == command
    assert (command.register, command.write) == (20, True)
    assert fifo_ack(command, 0, 5) == struct.pack(">4I", 0x50070004, 0, command.control, 5)


def test_control_port_says_who_it_is(scene):
    _, hosts = scene
    host = hosts["rx"]
    hello = host.ask(CONTROL_PORT, struct.pack(">III24x", 12, ord("a"), 99))
    assert struct.unpack(">III", hello[:12]) == (12, ord("A"), 99)
    assert socket.inet_ntoa(hello[12:16]) == host.address
    host.ask(CONTROL_PORT, struct.pack(">IIIBBB21x", 12, ord("h"), 1, 0x50, 1, 24))  # the serial number lies at 24
    serial = b""
    for _ in range(9):
        serial += host.ask(CONTROL_PORT, struct.pack(">IIIBB22x", 12, ord("i"), 1, 0x50, 1))[14:15]
    assert serial.rstrip(b"\0") == b"hil-rx"
    assert len(host.ask(CONTROL_PORT, struct.pack(">IIII", 12, ord("l"), 1, 5000).ljust(3000, b"\0"))) == 5000
    assert host.peek(12) >> 16 == 11


def test_burst_goes_from_one_device_to_the_other(scene):
    world, hosts = scene
    check_link(world, hosts)
    assert world.radios["tx"].status()["tx_freq_hz"] == [1e9]
    assert world.radios["tx"].status()["gain_db"]["tx0"] == 20.0


def test_timed_command_waits_and_holds_back_what_follows(scene):
    world, hosts = scene
    host = hosts["rx"]
    host.poke(186, 10 << 24)
    host.poke(186, 20 << 24, time=3 * 1_536_000 + 50)
    host.poke(187, 30 << 8)
    registers = world.servers["rx"].registers
    assert (registers.gain_db("tx"), registers.gain_db("rx")) == (5.0, 0.0)
    for _ in range(5):
        world.step()
    assert (registers.gain_db("tx"), registers.gain_db("rx")) == (10.0, 15.0)


def test_rate_changed_within_a_burst_ends_it(scene):
    world, hosts = scene
    host, server, counters = hosts["rx"], world.servers["rx"], world.radios["rx"].counters
    host.take_over()
    host.poke(162, RATE)
    for index in range(200):
        host.send(TX_PORT, tx_packet(index, bytes(4 * 350), first=index == 0))
    world.step()
    world.step()
    assert not server.tx.idle
    host.poke(162, 50 | 3 << 8)
    assert server.tx.idle
    played = counters["tx_samples"]
    assert played + counters["unheard"] == 200 * 350
    for index in range(200, 203):  # its rest is dropped, and the next burst is played
        host.send(TX_PORT, tx_packet(index, bytes(4 * 350), first=index == 202, last=index > 200))
    for _ in range(4):
        world.step()
    assert server.tx.idle
    assert counters["tx_samples"] == played + 350
    assert counters["internal"] == 0


@pytest.mark.parametrize("dead", [False, True])
def test_far_command_of_one_client_does_not_hold_back_the_next(scene, dead):
    world, hosts = scene
    host, server = hosts["rx"], world.servers["rx"]
    host.take_over()
    soon = server.registers.counter + server.registers.offset + 2 * QUANTUM * 100  # clock ticks: not before the second step
    host.poke(186, 10 << 24, time=soon)
    host.poke(186, 20 << 24, time=1 << 60)
    if dead:
        host.close()
        for _ in range(3):  # the acknowledgement of the first finds nobody there
            world.step()
            world.sockets.serve(0.0)
    else:
        assert len(server._pending) == 2
        other = Host(world, world.bench, "rx")
        other.learn(FIFO_PORT)
        assert other.peek(12) >> 16 == 11
        other.close()
    assert not server._pending


def test_packets_behind_a_far_burst_are_bounded(scene):
    world, hosts = scene
    host, tx = hosts["rx"], world.servers["rx"].tx
    host.take_over()
    host.send(TX_PORT, tx_packet(0, b"", time=1 << 60, first=True))
    for index in range(1, 50):
        host.send(TX_PORT, tx_packet(index, b""))
    assert len(tx._queue) == 1
    for index in range(50, 8300):
        host.send(TX_PORT, tx_packet(index, bytes(4)))
    assert len(tx._queue) == 8192
    assert world.radios["rx"].counters["refused"] == 8250 - 8191


def test_rate_changed_within_a_chain_breaks_it(scene):
    """The next command of a chain goes on at the position before, which is one of the old rate."""
    world, hosts = scene
    host, radio = hosts["rx"], world.radios["rx"]
    host.take_over()
    for _ in range(130):
        world.step()
    host.poke(50, 255 | 3 << 8)
    host.receive(NOW | CHAIN)
    host.receive(NOW | CHAIN | RELOAD)
    host.poke(50, 1)
    world.step()
    assert radio.counters["rx_samples"] == 0
    assert struct.unpack(">IIQI", host.sockets[RX_PORTS[0]].recv(64))[3] == 4
    assert world.servers["rx"].rx[0]._now is None


@pytest.mark.parametrize(("listening", "drops"), [(True, 4), (False, 1)])
def test_truth_log_says_which_samples_never_came(scene, listening, drops):
    world, hosts = scene
    host = hosts["rx"]
    if listening:
        host.learn(RX_PORTS[0])
    host.poke(39, 300)
    host.poke(50, RATE)
    world.arm(FaultConfig(radio="rx", kind="drop", count=drops))
    host.receive(1000, 40_000 * 100)
    for _ in range(5):
        world.step()
    seen = [(note["event"], note["tick"], note["n"]) for note in world.truth.recent if note["event"] in ("dropped", "lost")]
    dropped = [("dropped", 40_000 + 300 * k, min(300, 1000 - 300 * k)) for k in range(drops)]
    assert seen == dropped + ([] if listening else [("lost", 40_300, 600), ("lost", 40_900, 100)])


def test_only_a_reception_waits_for_air_time(scene):
    """A burst's host may still have other radios to prepare for the same moment."""
    world, hosts = scene
    host, server = hosts["rx"], world.servers["rx"]
    host.take_over()
    host.poke(50, RATE)
    host.send(TX_PORT, tx_packet(0, bytes(400), time=10**8, first=True, last=True))
    host.poke(186, 0, time=10**8)
    assert not server.tx.idle
    assert not server.waiting()
    hosts["tx"].poke(50, RATE)
    hosts["tx"].receive(1000, 10**8)
    assert world.servers["tx"].waiting()


def test_reset_is_a_power_cycle(scene):
    world, hosts = scene
    host, server = hosts["rx"], world.servers["rx"]
    host.take_over()
    host.ask(CONTROL_PORT, struct.pack(">IIIBB22x", 12, ord("i"), 1, 0x50, 1))
    host.poke(50, RATE)
    host.receive(NOW | CHAIN | RELOAD)
    host.send(TX_PORT, tx_packet(0, bytes(400), time=10**8, first=True, last=True))
    host.poke(186, 0, time=10**8)
    assert world.radios["rx"].clients
    server.reset()
    assert not world.radios["rx"].clients
    assert server.tx.idle
    assert not server._pending
    assert not server.rx[0].endless
    handled = world.radios["rx"].counters["messages"]
    host.poke(50, RATE)
    assert world.radios["rx"].counters["messages"] == handled
    host.close()
    hosts["rx"] = Host(world, world.bench, "rx")
    check_link(world, hosts)
