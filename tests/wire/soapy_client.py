"""A client of the virtual Soapy device that speaks its wire format by hand, and an air without a process."""

import contextlib
import socket
import struct
import time
from typing import ClassVar

from hil.radios.bench import BenchConfig
from hil.radios.virtual.soapyremote.wire import (
    HEADER_BYTES,
    PACKET_BYTES,
    PacketHeader,
    Reader,
    i32,
    i64,
    kwargs,
    message,
    message_length,
    text,
)
from hil.radios.virtual.world import World
from tests.wire.soapy_bench import make_bench

CALL = 15
SIZES = 16


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
