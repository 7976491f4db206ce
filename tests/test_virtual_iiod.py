"""The virtual Pluto as its vendor's own programs see it: iio_info, iio_readdev, Debian's iiod as an oracle; malformed input."""

import os
import random
import shutil
import socket
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from hil.radios.bench import BenchConfig
from hil.radios.virtual.process import serve
from hil.radios.virtual.ramp import ramp_positions

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
]  # fmt: skip
BUFFERS = [
    f"OPEN {TX} 4 00000003\r\nWRITEBUF {TX} {n}\r\n".encode() + bytes(n) + f"CLOSE {TX}\r\n".encode() for n in (16, 8, 32)
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


WORDS = [
    "READ", "WRITE", "OPEN", "CLOSE", "READBUF", "WRITEBUF", "SET", "PRINT", "TIMEOUT", "GETTRIG", "VERSION", "INPUT",
    "DEBUG", "OUTPUT",
    "ad9361-phy", RX, TX, "voltage0", "frequency", "raw", "scale", "BUFFERS_COUNT", "CYCLIC", "00000003", "00000001",
    "-1", "0", "1",
    "16", "4096", "99999999999999999999", "4294967295", "67108864", "ffffffff", "\0", "é", " ", "direct_reg_access",
]  # fmt: skip


def garbage(draw):
    kind = draw.random()
    if kind < 0.6:
        line = " ".join(draw.choice(WORDS) for _ in range(draw.randint(0, 7)))
        return line.encode("latin-1", "replace") + draw.choice([b"\r\n", b"\n", b"\r\r\n"])
    if kind < 0.8:
        return draw.randbytes(draw.randint(1, 200)) + b"\n"
    if kind < 0.9:
        return f"WRITE ad9361-phy DEBUG loopback {draw.choice([0, 3, 70000, 10**9])}\r\n".encode() + b"x" * draw.randint(0, 50)
    device, samples, mask = draw.choice([RX, TX]), draw.choice([1, 64, 2**26, 10**6]), draw.choice(["00000003", "00000002"])
    return f"OPEN {device} {samples} {mask}\r\n".encode()


def test_malformed_input_never_ends_the_air_nor_fills_memory(pluto):
    """10,000 messages over 400 connections; afterwards a well-behaved client is served as before."""
    draw = random.Random(7)
    talk(port_of(pluto), b"")
    before = memory_kb(pluto.pid)
    sent = 0
    started = time.monotonic()
    for _ in range(400):
        with socket.create_connection(("127.0.0.1", port_of(pluto))) as sock:
            sock.setblocking(False)
            for _ in range(25):
                sent += 1
                try:
                    sock.send(garbage(draw))
                    sock.recv(1 << 16)
                except BlockingIOError:
                    pass
                except OSError:
                    break  # it hung up on us
    assert sent > 8000
    assert time.monotonic() - started < 60
    time.sleep(0.3)
    assert talk(port_of(pluto), b"") == VERSION
    assert pluto.ask("status")["radios"]["pluto"]["clients"] == []
    assert memory_kb(pluto.pid) - before < 300_000


def test_an_endless_line_is_refused(pluto):
    with socket.create_connection(("127.0.0.1", port_of(pluto))) as sock:
        sock.settimeout(5)
        with pytest.raises(OSError, match=r"reset|Broken pipe"):
            sock.sendall(b"x" * (1 << 26))
    assert talk(port_of(pluto), b"") == VERSION
