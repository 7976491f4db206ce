"""A virtual Pluto on the test's own thread, and a client that speaks IIOD by hand."""

import contextlib
import socket
import struct
from pathlib import Path

import numpy as np

from hil.radios.bench import BenchConfig
from hil.radios.virtual.clock import QUANTUM, AirClock
from hil.radios.virtual.process import relocated
from hil.radios.virtual.world import World

RX, TX = "cf-ad9361-lpc", "cf-ad9361-dds-core-lpc"

ODD_VALUES = [
    b"--5", b"+-5", b"nan", b"inf", b"-inf", b"1e999", b"1e3", b"1_0", b"\xb2", "\u0663".encode(), b"\xe9", b"\xa05", b"", b" ",
    b"\0", b"\x005", b"0x", b"0x1_0", b"0xg", b"0b1", b"-", b"+", b".", b"-.", b"dB", b"9" * 30, b"9" * 5000, b"-" * 5000,
    b"1" * 400, b"0x" + b"f" * 5000, b"1 2 3", b"0x80000088 nan", b"1,5", b"5 dB dB",
]  # fmt: skip


def make_bench(source="air", rate=1e6):
    return BenchConfig.model_validate(
        {
            "name": "one-pluto",
            "sample_rate_hz": rate,
            "center_freq_hz": 1e9,
            "clock": "independent",
            "radios": {"pluto": {"driver": "pluto", "uri": "ip:127.0.0.1:1", "virtual": {"source": source}}},
            "transmitters": [{"radio": "pluto", "gain_db": -20}],
            "receiver": {"radio": "pluto", "gain_db": 30},
            "links": [{"transmitter": 0, "path_loss_db": 60}],
            "air": {"control_port": 0},
        }
    )


def memory_kb(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


class Air:
    """The air on the test's own thread and on a clock of its own, so that every run is the same."""

    def __init__(self):
        self.world = World(relocated(make_bench()))
        self.server, self.radio = self.world.servers["pluto"], self.world.radios["pluto"]
        self.port = int(self.world.bench.radios["pluto"].options["uri"].rpartition(":")[2])
        self.wall = 0.0
        self.world.clock = AirClock(1e6, "realtime", lambda: self.wall)
        self.clients = []

    def serve(self):
        busy = True
        while busy:
            busy = self.world.sockets.serve(0.0)
            for client in self.clients:
                client.drain()

    def wait(self, seconds):
        self.wall += seconds
        while self.world.clock.due(False):
            self.world.step()
            self.serve()

    def truth(self, event):
        return [row for row in self.world.truth.recent if row["event"] == event]


class Client:
    """One connection that reads what it is answered; `settle` lets air time pass until the server has no more to say."""

    def __init__(self, air):
        self.air, self.got, self.deaf = air, b"", False
        self.sock = socket.create_connection(("127.0.0.1", air.port))
        self.sock.setblocking(False)
        air.clients.append(self)
        air.serve()
        peer = "{}:{}".format(*self.sock.getsockname())
        self.connection = next(each for each in air.server.connections if each.peer == peer)

    @property
    def alive(self):
        return self.connection in self.air.server.connections

    def drain(self):
        with contextlib.suppress(OSError):
            while not self.deaf and (piece := self.sock.recv(1 << 20)):
                self.got += piece

    def send(self, data):
        view = memoryview(data)
        with contextlib.suppress(ConnectionError):  # it hung up on us
            for _ in range(1000):
                with contextlib.suppress(BlockingIOError):
                    view = view[self.sock.send(view) :]
                if not view:
                    break
                self.air.serve()

    def settle(self, steps=70):
        """False = not within so many steps."""
        for _ in range(steps):
            self.air.serve()
            if not self.alive or (self.connection._waiting is None and not self.connection._out):
                return True
            self.air.wait(QUANTUM / 1e6)
        return False

    def ask(self, line, payload=b"", steps=70):
        """Send a command, and payload as long as it is wanted; the answer, or None where the server waits for more."""
        self.got = b""
        parts = [line.encode("latin-1") if isinstance(line, str) else line]
        if payload and parts[0].startswith(b"WRITE "):
            parts[0] += payload
        for _ in range(8):
            self.send(parts.pop())
            if not self.settle(steps):
                return None
            wanted = self.connection._wanted if self.connection._on_payload is not None and self.alive else 0
            if not wanted:
                return self.got
            if wanted > 1 << 18:
                break
            parts.append((payload * (wanted // len(payload) + 1))[:wanted] if payload else bytes(wanted))
        return None

    def close(self, abruptly=False):
        """Abruptly: with a reset, whatever is unread."""
        if abruptly:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
        self.air.clients.remove(self)
        self.air.serve()


def hears_itself(air):
    """A tone out by a cyclic buffer, over the air, and back in."""
    client = Client(air)
    for path, value in (
        ("INPUT voltage0 filter_fir_en", "1"), ("INPUT voltage0 sampling_frequency", "1000000"), ("DEBUG loopback", "0"),
        ("OUTPUT RX_LO frequency", "1000000000"), ("OUTPUT TX_LO frequency", "1000000000"),
        ("INPUT voltage0 gain_control_mode", "manual"), ("INPUT voltage0 hardwaregain", "30"),
        ("OUTPUT voltage0 hardwaregain", "-10"),
    ):  # fmt: skip
        assert client.ask(f"WRITE ad9361-phy {path} {len(value)}\r\n", value.encode()) == f"{len(value)}\n".encode()
    tone = 16000 * np.exp(2j * np.pi * np.arange(64) * 5 / 64)
    assert client.ask(f"OPEN {TX} 64 00000003 CYCLIC\r\n") == b"0\n"
    assert client.ask(f"WRITEBUF {TX} 256\r\n", np.stack([tone.real, tone.imag], 1).astype("<i2").tobytes()).endswith(b"256\n")
    air.wait(0.1)
    assert client.ask(f"OPEN {RX} 4096 00000003\r\n") == b"0\n"
    codes = np.frombuffer(client.ask(f"READBUF {RX} 16384\r\n")[-16384:], "<i2").reshape(-1, 2)
    spectrum = np.abs(np.fft.fft(codes @ [1, 1j])) ** 2
    return spectrum.argmax() == 5 * 64 and spectrum.max() > 0.5 * spectrum.sum()
