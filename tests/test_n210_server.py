"""The virtual N210 without any vendor library: words on the wire, registers, and 10,000 messages of nonsense."""

import random
import socket
import struct

import numpy as np
import pytest

from hil.radios.bench import BenchConfig
from hil.radios.virtual.n210_registers import synthesiser_hz
from hil.radios.virtual.n210_wire import (
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
from tests.n210_bench import make_bench

NOW, CONTINUOUS, STOP = 1 << 31, 1 << 30 | 1 << 29, 1 << 28


class Host:
    """A client that speaks the protocol by hand."""

    def __init__(self, world: World, bench: BenchConfig, name: str) -> None:
        self.world, self.address = world, bench.radios[name].virtual.host
        self.sockets = {}
        for port in (CONTROL_PORT, FIFO_PORT, TX_PORT, *RX_PORTS):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.connect((self.address, port))
            sock.settimeout(2)
            self.sockets[port] = sock
        self.sequence = 0

    def send(self, port, data):
        self.sockets[port].send(data)
        while self.world.sockets.serve(0.0):
            pass

    def ask(self, port, data):
        self.send(port, data)
        return self.sockets[port].recv(9000)

    def poke(self, register, value, time=None):
        self.sequence += 1
        words = [0x40000004 if time is None else 0x40100006]
        words += [] if time is None else [time >> 32, time & 0xFFFFFFFF]
        words += [register | 0x100 | (self.sequence & 0xFFFF) << 16, value]
        words[0] = words[0] & ~0xFFFF | len(words)
        self.send(FIFO_PORT, struct.pack(f">{len(words) + 1}I", self.sequence, *words))

    def peek(self, register):
        self.sequence += 1
        words = [0x40000003, register | (self.sequence & 0xFFFF) << 16, 0]
        reply = self.ask(FIFO_PORT, struct.pack(">4I", self.sequence, *words))
        return struct.unpack(">4I", reply)[3]

    def learn(self, port):
        self.send(port, bytes(8))

    def close(self):
        for sock in self.sockets.values():
            sock.close()


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
    """Time, rate, carrier and gain by registers; one timed packet; one timed reception; the acknowledgement."""
    world, hosts = scene
    tx, rx = hosts["tx"], hosts["rx"]
    for host in hosts.values():
        for port in (TX_PORT, *RX_PORTS):
            host.learn(port)
        for device in (16, 128):
            host.poke(21, 32 << 24 | device)
            for value in (4 | 1 << 23, 2 | 4 << 14, 1 | 1 << 27 | 2 << 3, 40 << 15):
                host.poke(22, value)
        host.poke(50, 25 | 3 << 8)
        host.poke(162, 25 | 3 << 8)
        host.poke(186, 40 << 24)
        host.poke(187, 50 << 8)
    start = 40_000
    codes = (np.random.default_rng(1).integers(0, 2, (300, 2)) * 2 - 1).astype(np.int16) * 9000
    tx.send(TX_PORT, struct.pack(">IIQ", 0, 0x03100000 | 303, start * 100) + codes.astype(">i2").tobytes())
    rx.poke(39, 200)
    rx.poke(32, 1000)
    rx.poke(33, 0)
    rx.poke(34, (start - 100) * 100)
    for _ in range(5):
        world.step()
    got, times = [], []
    for _ in range(5):
        packet = rx.sockets[RX_PORTS[0]].recv(9000)
        times.append(struct.unpack_from(">Q", packet, 8)[0])
        got.append(np.frombuffer(packet[16:-4], ">i2").reshape(-1, 2))
    assert times == [(start - 100 + 200 * k) * 100 for k in range(5)]
    heard = np.concatenate(got).astype(float) @ [1, 1j]
    profile = np.abs(np.correlate(heard, codes.astype(float) @ [1, 1j], "valid"))
    assert profile.argmax() == 101
    message = struct.unpack(">IIQII", tx.sockets[TX_PORT].recv(64))
    while message[3] == 0:
        message = struct.unpack(">IIQII", tx.sockets[TX_PORT].recv(64))
    assert (message[1], message[2], message[3]) == (2, (start + 300) * 100, 1)
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


def nonsense(draw: random.Random) -> tuple[int, bytes]:
    """A random, mangled or plausible datagram for a port."""
    port = draw.choice([CONTROL_PORT, FIFO_PORT, TX_PORT, *RX_PORTS])
    kind = draw.randrange(6)
    if kind == 0:
        return port, draw.randbytes(draw.choice([0, 1, 3, 7, 8, 9, 35, 36, 37, 200, 1472, 8000]))
    if port == CONTROL_PORT:
        head = struct.pack(">III", 12, ord(draw.choice("ahilrsuAR?")), draw.getrandbits(32))
        return port, (head + draw.randbytes(24))[: draw.choice([36, 36, 36, 20])]
    if port == FIFO_PORT:
        time = draw.choice([b"", struct.pack(">Q", draw.choice([0, 1, 10**9, 2**63, 2**64 - 1]))])
        header = (0x40100000 if time else 0x40000000) | draw.choice([3, 5, 0, 0xFFFF])
        body = struct.pack(">II", draw.randrange(256) | draw.choice([0, 0x100]), draw.choice([0, 1, draw.getrandbits(32)]))
        return port, struct.pack(">II", draw.getrandbits(32), header) + time + body
    if port == TX_PORT:
        n = draw.randrange(0, 360)
        time = draw.choice([b"", struct.pack(">Q", draw.choice([0, 10**8, 10**9, 2**62, 2**64 - 1]))])
        header = (
            draw.getrandbits(2) << 24 | (1 << 20 if time else 0) | draw.choice([1 + n + len(time) // 4, draw.getrandbits(16)])
        )
        return port, struct.pack(">II", draw.choice([0, draw.getrandbits(32)]), header) + time + draw.randbytes(4 * n)
    return port, bytes(8)


def test_nonsense_never_kills_the_air_nor_fills_its_memory(scene):
    """10,000 datagrams: no exception, bounded queues, and the device still answers and still receives."""
    world, hosts = scene
    draw = random.Random(20)
    host, server = hosts["rx"], world.servers["rx"]
    for index in range(10_000):
        port, data = nonsense(draw)
        host.sockets[port].send(data)
        if index % 20 == 19:
            while world.sockets.serve(0.0):
                pass
        if index % 400 == 399:
            world.step()
            for sock in host.sockets.values():
                sock.setblocking(False)
                try:
                    while True:
                        sock.recv(9000)
                except BlockingIOError:
                    pass
                sock.settimeout(2)
    assert len(server._pending) <= 1024
    assert server.tx._bytes <= 5 << 20
    assert all(len(receiver._commands) <= 64 for receiver in server.rx)
    hello = host.ask(CONTROL_PORT, struct.pack(">III24x", 12, ord("a"), 7))
    assert hello[:12] == struct.pack(">III", 12, ord("A"), 7)
    assert world.radios["rx"].counters["malformed"] > 100
    world.step()
