"""The virtual Pluto as its vendor's own programs see it: iio_info, iio_readdev, Debian's iiod as an oracle; malformed input."""

import contextlib
import os
import random
import shutil
import socket
import struct
import subprocess
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hil.radios.airconfig import FaultConfig
from hil.radios.bench import BenchConfig
from hil.radios.virtual import iiod_connection
from hil.radios.virtual.clock import QUANTUM, AirClock
from hil.radios.virtual.iiod import IiodServer
from hil.radios.virtual.iiod_context import Attribute, AttributeFailure
from hil.radios.virtual.iiod_stream import RxStream, TxStream
from hil.radios.virtual.process import relocated, serve
from hil.radios.virtual.ramp import ramp_positions
from hil.radios.virtual.world import World

IIOD = shutil.which("iiod", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
RX, TX = "cf-ad9361-lpc", "cf-ad9361-dds-core-lpc"


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


@pytest.fixture(scope="module")
def pluto():
    with serve(make_bench()) as served:
        yield served


def uri_of(served):
    return served.bench.radios["pluto"].options["uri"]


def port_of(served):
    return int(uri_of(served).rpartition(":")[2])


def need(program):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is missing: apt install libiio-utils")


VERSION = b"0.24.v0.24  \n"


def talk(port, data, quiet_s=0.3):
    """Everything that is answered to `data` and a VERSION after it; after `quiet_s` of silence no more is expected."""
    out, ambiguous = b"", b"version" in data.lower()
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.settimeout(quiet_s)
        sock.sendall(data + b"VERSION\r\n")
        try:
            while (ambiguous or not out.endswith(VERSION)) and (piece := sock.recv(65536)):
                out += piece
        except (TimeoutError, ConnectionResetError):
            pass
    return out


def test_iio_info_lists_devices_and_attributes(pluto):
    need("iio_info")
    got = subprocess.run(["iio_info", "-u", uri_of(pluto)], capture_output=True, text=True, timeout=30, check=True).stdout
    for line in ("ad9361-phy", f"{RX} (buffer capable)", "RX_LO (output)", "hw_serial: hil-pluto", "format: le:S12/16>>0"):
        assert line in got
    attribute = ["iio_attr", "-u", uri_of(pluto), "-c", "ad9361-phy", "RX_LO", "frequency"]
    subprocess.run([*attribute, "915000000"], capture_output=True, timeout=30, check=True)
    assert "915000000" in subprocess.run(attribute, capture_output=True, text=True, timeout=30, check=True).stdout


def test_iio_readdev_gets_every_sample_of_the_ramp():
    need("iio_readdev")
    with serve(make_bench("ramp")) as served:
        command = ["iio_readdev", "-u", uri_of(served), "-b", "16384", "-s", "262144", RX]
        raw = subprocess.run(command, capture_output=True, timeout=30, check=True).stdout
    positions = ramp_positions(np.frombuffer(raw, "<i2").reshape(-1, 2), 12)
    assert len(positions) == 262144
    assert (np.diff(positions) == 1).all()


def test_iio_writedev_is_played(pluto, tmp_path):
    need("iio_writedev")
    before = pluto.ask("status")["radios"]["pluto"]["counters"].get("buffer", 0)
    data = tmp_path / "tone"
    data.write_bytes(np.tile(np.array([16000, 0], "<i2"), 131072).tobytes())
    with data.open("rb") as stream:
        command = ["iio_writedev", "-u", uri_of(pluto), "-b", "16384", TX]
        subprocess.run(command, stdin=stream, capture_output=True, timeout=30, check=False)
    assert pluto.ask("status")["radios"]["pluto"]["counters"]["buffer"] - before >= 3 * 16384


READS = [
    "iio:device0 INPUT voltage0 hardwaregain", "ad9361-phy OUTPUT altvoltage0 frequency", "ad9361-phy OUTPUT RX_LO frequency",
    "ad9361-phy OUTPUT RX_LO nothing", "ad9361-phy INPUT nothing frequency", "nothing frequency", "ad9361-phy xo_correction",
    "ad9361-phy nothing", "ad9361-phy DEBUG loopback", "ad9361-phy DEBUG nothing", f"{RX} BUFFER length_align_bytes",
    f"{RX} BUFFER nothing", "ad9361-phy ", "ad9361-phy", "ad9361-phy OUTPUT altvoltage0 ", "ad9361-phy OUTPUT altvoltage0",
    "ad9361-phy DEBUG ",
]  # fmt: skip
WRITES = [
    ("ad9361-phy OUTPUT altvoltage0 frequency", b"2400000000"), ("ad9361-phy OUTPUT altvoltage0 frequency", b"2400000000\0"),
    ("ad9361-phy OUTPUT altvoltage0 frequency", b"--5"), ("ad9361-phy xo_correction", b"\xe9"),
    ("ad9361-phy OUTPUT altvoltage0 frequency", b"abc"), ("ad9361-phy OUTPUT altvoltage0 frequency", b""),
    ("ad9361-phy OUTPUT altvoltage0 nothing", b"abc"), ("ad9361-phy OUTPUT nothing frequency", b"abc"),
    ("nothing frequency", b"abc"), ("ad9361-phy INPUT voltage0 rssi", b"abc"), ("ad9361-phy DEBUG loopback", b"1\0"),
    ("ad9361-phy DEBUG loopback", b"9\0"),
]  # fmt: skip
OPENS = [
    f"OPEN {RX} 1024 00000003\r\nCLOSE {RX}", f"OPEN {RX} 0 00000003", f"OPEN {RX} 1024 00000000", f"OPEN {RX} 1024 3",
    f"OPEN {RX} 1024 00000007", "OPEN nothing 1024 00000003", "OPEN ad9361-phy 1024 00000003", f"OPEN {RX} 1024",
    f"OPEN {RX} 1024 00000003 CYCLIC", f"OPEN {RX} 1024 0000000000000003", f"CLOSE {RX}", "CLOSE nothing",
    f"READBUF {RX} 1024", "READBUF nothing 1024", f"WRITEBUF {TX} 8",
    f"OPEN {RX} 16 00000003\r\nREADBUF {RX} 64", f"OPEN {RX} 16 00000003\r\nREADBUF {RX} 32",
    f"OPEN {RX} 16 00000003\r\nREADBUF {RX} 0", f"OPEN {RX} 16 00000003\r\nREADBUF {RX} 7",
    f"OPEN {RX} 16 00000003\r\nREADBUF {RX} 3", f"OPEN {RX} 16 00000003\r\nREADBUF {RX} 65",
    f"OPEN {RX} 16 00000001\r\nREADBUF {RX} 32", f"OPEN {RX} 16 00000001\r\nREADBUF {RX} 1",
]  # fmt: skip
BUFFERS = [
    f"OPEN {TX} 4 00000003{how}\r\nWRITEBUF {TX} {n}\r\n".encode() + b"x" * n + f"\r\nCLOSE {TX}\r\n".encode()
    for how, sizes in (("", (0, 3, 5, 8, 16, 17, 19, 32, 35, 37)), (" CYCLIC", (0, 3, 7, 16, 17, 32, 35)))
    for n in sizes
] + [
    f"OPEN {TX} 4 00000003 CYCLIC\r\n".encode()
    + 2 * (f"WRITEBUF {TX} 16\r\n".encode() + bytes(16))
    + f"CLOSE {TX}\r\n".encode()
]
OTHERS = [
    "VERSION", "PRINT", "ZPRINT", "TIMEOUT 1000", "TIMEOUT", "TIMEOUT x", "", "NONSENSE", "version", "READ",
    f"SET {RX} BUFFERS_COUNT 8", f"SET {RX} BUFFERS_COUNT 0", "SET nothing BUFFERS_COUNT 8", "SET ad9361-phy BUFFERS_COUNT 8",
    f"SET {RX} 8", f"SET {RX} BUFFERS_COUNT x", f"GETTRIG {RX}", f"SETTRIG {RX}", f"SETTRIG {RX} x", "GETTRIG nothing",
    "GETTRIG",
    "EXIT", "EXIT now\r\nVERSION", "VERSION now", " VERSION", "PRINT x",
]  # fmt: skip
SEQUENCES = (
    # the loop-back inside the chip, and no tones: what is received is zeros, the same for both
    [b"WRITE ad9361-phy DEBUG loopback 1\r\n1"]
    + [f"WRITE {TX} OUTPUT altvoltage{k} scale 1\r\n0".encode() for k in range(4)]
    + [f"{line}\r\n".encode() for line in OTHERS]
    + [f"READ {line}\r\n".encode() for line in READS]
    + [f"WRITE {line} {len(data)}\r\n".encode() + data for line, data in WRITES]
    + [f"{line}\r\n".encode() for line in OPENS]
    + BUFFERS
    + [b"READ ad9361-phy xo_correction\r\n"]
)


def test_answers_are_those_of_iiod():
    """Byte by byte, from the virtual Pluto and from Debian's iiod in front of it; exceptions: docs/virtual-pluto.md."""
    if IIOD is None:
        pytest.skip("iiod is missing: apt install iiod (or unpack its package)")
    with serve(make_bench()) as served, socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
        probe.close()
        oracle = subprocess.Popen(
            [IIOD, "-u", uri_of(served), "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            for _ in range(50):
                time.sleep(0.1)
                if oracle.poll() is not None:
                    pytest.skip(f"iiod does not start (exit code {oracle.returncode}): apt install libaio1")
                with socket.socket() as sock:
                    if not sock.connect_ex(("127.0.0.1", port)):
                        break
            differing = []
            for sequence in SEQUENCES:
                ours = talk(port_of(served), sequence)
                theirs = talk(port, sequence)
                if b"OPEN" in sequence:
                    time.sleep(0.15)  # iiod closes a lost client's buffer a while later
                if ours != theirs:
                    differing.append((sequence, ours[:200], theirs[:200]))
            assert differing == []
        finally:
            oracle.kill()
            oracle.wait(5)


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


@pytest.fixture
def air(monkeypatch):
    air = Air()
    monkeypatch.setattr(iiod_connection, "time", SimpleNamespace(monotonic=lambda: air.wall))
    yield air
    for client in list(air.clients):
        client.close()
    air.world.close()


ODD_VALUES = [
    b"--5", b"+-5", b"nan", b"inf", b"-inf", b"1e999", b"1e3", b"1_0", b"\xb2", "\u0663".encode(), b"\xe9", b"\xa05", b"", b" ",
    b"\0", b"\x005", b"0x", b"0x1_0", b"0xg", b"0b1", b"-", b"+", b".", b"-.", b"dB", b"9" * 30, b"9" * 5000, b"-" * 5000,
    b"1" * 400, b"0x" + b"f" * 5000, b"1 2 3", b"0x80000088 nan", b"1,5", b"5 dB dB",
]  # fmt: skip


@pytest.mark.parametrize("value", ODD_VALUES)
def test_odd_values_are_invalid_arguments(air, value):
    text = value.split(b"\0", 1)[0].decode("latin-1")
    state = air.server.state
    numeric = [
        channel.attributes[key]
        for device in state.devices
        for channel in device.channels
        for key in ("frequency", "phase", "raw", "scale", "sampling_frequency", "rf_bandwidth", "hardwaregain", "filter_fir_en")
        if key in channel.attributes
    ]
    phy, dds, adc = state.devices
    phy.channel("voltage0", output=False).attributes["gain_control_mode"].store("manual")
    extra = [device.debug["direct_reg_access"] for device in (dds, adc)] + [phy.debug["loopback"]]
    assert len(numeric + extra) > 25
    for attribute in numeric + extra:
        before = attribute.read()
        with pytest.raises(AttributeFailure) as failure:
            attribute.store(text)
        assert failure.value.code == 22
        assert attribute.read() == before


@pytest.mark.parametrize("samples", [5000, QUANTUM])
def test_every_sample_without_a_buffer_is_counted(air, samples):
    """Also where the buffer ends with a step, and up to the next buffer in the middle of one; not before the first buffer."""
    client = Client(air)
    client.ask(f"OPEN {TX} {samples} 00000003\r\n")
    air.wait(0.1)
    assert air.radio.counters["underflow"] == 0
    begin = air.radio.tick()
    for pause in (20.3 * QUANTUM / 1e6, 0.1):
        client.ask(f"WRITEBUF {TX} {4 * samples}\r\n", bytes(4 * samples))
        again = air.radio.tick()
        air.wait(pause)
    first, second = (row["tick"] for row in air.truth("buffer"))
    assert (first, second) == (begin, again)
    dry = [(row["tick"], row["tick"] + row["n"]) for row in air.truth("underflow")]
    assert dry[0][0] == first + samples
    assert sum(end - start for start, end in dry if end <= second) == second - first - samples
    assert next(start for start, _ in dry if start > second) == second + samples
    assert air.radio.counters["underflow"] == sum(end - start for start, end in dry)
    assert client.ask(f"READ {TX} DEBUG direct_reg_access\r\n")
    assert air.server.state.flags[TX] == 1


@pytest.mark.parametrize("samples", [1, 3, 5000, 40_000])
def test_a_cyclic_buffer_of_any_length_is_repeated_in_few_pieces(air, samples):
    client = Client(air)
    client.ask(f"OPEN {TX} {samples} 00000003 CYCLIC\r\n")
    words = np.arange(2 * samples).astype("<i2") << 4
    begin = air.radio.tick()
    client.ask(f"WRITEBUF {TX} {4 * samples}\r\n", words.tobytes())
    air.wait(0.3)
    n = air.radio.played - begin
    expected = np.resize(words.reshape(-1, 2) >> 4, (n, 2))
    assert (air.server.loop.read(begin, n) == expected).all()
    assert len(air.server.loop._pieces) <= 2 * (n // QUANTUM + 1)
    assert [(row["tick"], row["n"]) for row in air.truth("buffer")] == [(begin, samples)]
    assert air.radio.counters["buffer"] == samples


@pytest.mark.parametrize("how", ["", " CYCLIC"])
def test_less_than_a_sample_is_no_buffer(air, how):
    """Played cyclically it would never end."""
    client = Client(air)
    client.ask(f"OPEN {TX} 4 00000003{how}\r\n")
    assert client.ask(f"WRITEBUF {TX} 3\r\nabc\r\n") == b"0\n-22\n"
    air.wait(0.1)
    assert not air.server.tx.queued
    assert air.radio.counters["underflow"] == 0


def test_a_bug_restarts_the_radio(air, monkeypatch, capsys):
    other, client = Client(air), Client(air)
    other.ask(f"OPEN {RX} 64 00000003\r\n")
    other.ask("WRITE ad9361-phy DEBUG loopback 1\r\n", b"1")
    client.ask(f"OPEN {TX} 64 00000003\r\n")
    client.ask(f"WRITEBUF {TX} 256\r\n", bytes(256))
    with monkeypatch.context() as patch:
        patch.setattr(TxStream, "play", lambda self: 1 / 0)
        air.wait(0.1)
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert air.radio.counters["internal"] == 1
    assert not air.server.connections
    assert not air.radio.clients
    assert air.server.rx is air.server.tx is None
    assert air.server.state.loopback == 0
    assert hears_itself(air)


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
    assert len(server.tx.queued if server.tx else ()) <= 64
    assert len(server.rx.filled if server.rx else ()) <= 64
    assert len(server.loop._pieces) <= 1024
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
    counted(monkeypatch, IiodServer, "open_stream", counts, lambda result: result == 0)
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
                    attribute_commands(draw, air.server.state.devices) if kind < 0.4
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


def test_an_endless_line_is_refused(pluto):
    with socket.create_connection(("127.0.0.1", port_of(pluto))) as sock:
        sock.settimeout(5)
        with pytest.raises(OSError, match=r"reset|Broken pipe"):
            sock.sendall(b"x" * (1 << 26))
    assert talk(port_of(pluto), b"") == VERSION
