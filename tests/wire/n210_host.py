"""A host that speaks to a virtual N210 by hand, without any vendor library."""

import socket
import struct

import numpy as np

from hil.radios.bench import BenchConfig
from hil.radios.virtual.n210.wire import CONTROL_PORT, FIFO_PORT, RX_PORTS, TX_PORT
from hil.radios.virtual.world import World

NOW, CHAIN, RELOAD, STOP = 1 << 31, 1 << 30, 1 << 29, 1 << 28
RATE = 25 | 3 << 8  # decimation 100: 1 MS/s


def register_access(sequence, register, value, *, time=None, write=True):
    """A datagram for the queued control port."""
    words = [] if time is None else [time >> 32, time & 0xFFFFFFFF]
    words += [register | write << 8 | (sequence & 0xFFFF) << 16, value]
    header = (0x40000000 if time is None else 0x40100000) | len(words) + 1
    return struct.pack(f">{len(words) + 2}I", sequence, header, *words)


def tx_packet(sequence, payload, *, time=None, first=False, last=False):
    """A datagram of samples for the transmitter; the payload is whole samples."""
    stamp = b"" if time is None else struct.pack(">Q", time)
    header = first << 25 | last << 24 | (time is not None) << 20 | 1 + (len(stamp) + len(payload)) // 4
    return struct.pack(">II", sequence, header) + stamp + payload


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
        self.send(FIFO_PORT, register_access(self.sequence, register, value, time=time))

    def peek(self, register):
        self.sequence += 1
        reply = self.ask(FIFO_PORT, register_access(self.sequence, register, 0, write=False))
        while struct.unpack_from(">I", reply, 8)[0] >> 16 != self.sequence & 0xFFFF:  # of pokes before
            reply = self.sockets[FIFO_PORT].recv(9000)
        return struct.unpack(">4I", reply)[3]

    def take_over(self):
        """As libuhd opens a device: every port learns where to send, and every chain is cleared."""
        for port in (FIFO_PORT, TX_PORT, *RX_PORTS):
            self.learn(port)
        for register in (35, 83, 144):
            self.poke(register, 0)

    def receive(self, word, time=0):
        """A stream command for the first receive chain."""
        for register, value in ((32, word), (33, time >> 32), (34, time & 0xFFFFFFFF)):
            self.poke(register, value)

    def learn(self, port):
        self.send(port, bytes(8))

    def close(self):
        for sock in self.sockets.values():
            sock.close()


def check_link(world, hosts):
    """Rate, carrier and gain by registers; one timed packet; one timed reception; the acknowledgement."""
    tx, rx = hosts["tx"], hosts["rx"]
    for host in hosts.values():
        host.take_over()
        for device in (16, 128):
            host.poke(21, 32 << 24 | device)
            for value in (4 | 1 << 23, 2 | 4 << 14, 1 | 1 << 27 | 2 << 3, 40 << 15):
                host.poke(22, value)
        for register, value in ((48, 0), (50, RATE), (160, 0), (162, RATE), (186, 40 << 24), (187, 50 << 8), (39, 200)):
            host.poke(register, value)
    start = world.clock.now + 40_000
    codes = (np.random.default_rng(1).integers(0, 2, (300, 2)) * 2 - 1).astype(np.int16) * 9000
    tx.send(TX_PORT, tx_packet(0, codes.astype(">i2").tobytes(), time=start * 100, first=True, last=True))
    rx.receive(1000, (start - 100) * 100)
    for _ in range(6):
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
