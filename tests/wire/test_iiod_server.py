"""The virtual Pluto as its vendor's own programs see it: iio_info, iio_readdev, Debian's iiod as an oracle; malformed input."""

import os
import shutil
import socket
import subprocess
import time
from types import SimpleNamespace

import numpy as np
import pytest

from hil.radios.virtual.clock import QUANTUM
from hil.radios.virtual.iiod import connection as iiod_connection
from hil.radios.virtual.iiod.context import AttributeFailure
from hil.radios.virtual.iiod.stream import TxStream
from hil.radios.virtual.process import serve
from hil.radios.virtual.ramp import ramp_positions
from tests.wire.iiod_bench import ODD_VALUES, RX, TX, Air, Client, hears_itself, make_bench

IIOD = shutil.which("iiod", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


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


@pytest.fixture
def air(monkeypatch):
    air = Air()
    monkeypatch.setattr(iiod_connection, "time", SimpleNamespace(monotonic=lambda: air.wall))
    yield air
    for client in list(air.clients):
        client.close()
    air.world.close()


@pytest.mark.parametrize("value", ODD_VALUES)
def test_odd_values_are_invalid_arguments(air, value):
    text = value.split(b"\0", 1)[0].decode("latin-1")
    state = air.server.pluto.state
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
    assert air.server.pluto.state.flags[TX] == 1


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
    assert (air.server.pluto.loop.read(begin, n) == expected).all()
    assert len(air.server.pluto.loop._pieces) <= 2 * (n // QUANTUM + 1)
    assert [(row["tick"], row["n"]) for row in air.truth("buffer")] == [(begin, samples)]
    assert air.radio.counters["buffer"] == samples


@pytest.mark.parametrize("how", ["", " CYCLIC"])
def test_less_than_a_sample_is_no_buffer(air, how):
    """Played cyclically it would never end."""
    client = Client(air)
    client.ask(f"OPEN {TX} 4 00000003{how}\r\n")
    assert client.ask(f"WRITEBUF {TX} 3\r\nabc\r\n") == b"0\n-22\n"
    air.wait(0.1)
    assert not air.server.pluto.tx.queued
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
    assert air.server.pluto.rx is air.server.pluto.tx is None
    assert air.server.pluto.state.loopback == 0
    assert hears_itself(air)


def test_an_endless_line_is_refused(pluto):
    with socket.create_connection(("127.0.0.1", port_of(pluto))) as sock:
        sock.settimeout(5)
        with pytest.raises(OSError, match=r"reset|Broken pipe"):
            sock.sendall(b"x" * (1 << 26))
    assert talk(port_of(pluto), b"") == VERSION
