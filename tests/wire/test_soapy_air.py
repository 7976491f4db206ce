"""The Soapy driver on a virtual device through real SoapySDR: timing, losses, faults, and silence after the client's end."""

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from hil.errors import ConfigError, DriverMissingError, RadioError, RadioNotFoundError
from hil.radios.drivers.soapy._device import load_soapy
from hil.radios.drivers.soapy._driver import SoapyRadio
from hil.radios.scaling import from_int16
from hil.radios.session import Bench
from hil.radios.virtual.process import serve
from hil.radios.virtual.ramp import ramp_positions
from tests.conftest import ROOT
from tests.wire.soapy_bench import make_bench

try:
    load_soapy()
except DriverMissingError as error:
    pytest.skip(f"python3-soapysdr: {error}", allow_module_level=True)

AHEAD = 120_000  # samples, of a lead that a busy machine keeps


@pytest.fixture(scope="module")
def air():
    with serve(make_bench()) as served:
        yield served


@pytest.fixture(scope="module")
def counter():
    with serve(make_bench(source="ramp")) as served:
        yield served


@pytest.fixture
def radio(air):
    with Bench(air.bench) as bench:
        yield bench.radios["sdr"]


@pytest.fixture
def ramp(counter):
    with Bench(counter.bench) as bench:
        yield bench.radios["sdr"]


def burst(n=2000, seed=3, rows=2):
    draw = np.random.default_rng(seed)
    out = np.zeros((rows, n), np.complex64)
    out[0] = 0.3 * np.exp(2j * np.pi * draw.random(n))
    return out


def in_order(got, bits=12):
    """Whether every sample says that it belongs where the reception has it."""
    index = np.arange(got.start, got.start + got.samples.shape[1])
    return (ramp_positions(got.samples[0], bits) == index % (1 << 2 * bits)).all()


def told(got):
    """Events but clipping: the counter uses the whole range of its converter."""
    return [event for event in got.events if event.kind != "clip"]


def power(samples):
    return float((samples.astype(np.float64) ** 2).sum(axis=-1).mean())


def truth(served, event):
    return [row for row in served.ask("truth", last=4000)["rows"] if row["event"] == event]


def test_virtual_device_is_recognised(radio, air):
    assert radio.info.virtual
    assert radio.info.serial == "hil-sdr"
    assert (radio.info.tx_channels, radio.info.rx_channels) == (2, 1)
    assert radio.info.timed_transmit
    assert radio.info.tx_full_scale == radio.info.rx_full_scale == 2048


def test_timed_receptions_are_exact_to_the_sample(ramp):
    for n in (1, 1000, 16_366, 40_000):
        at = ramp.now() + 30_000
        got = ramp.receive(n, at=at)
        assert (got.start, got.samples.shape, told(got)) == (at, (1, n, 2), [])
        assert in_order(got)


def test_endless_reception_continues_and_starts_anew_when_stale(ramp):
    first, second = ramp.receive(5000), ramp.receive(70_000)
    assert second.start == first.start + 5000
    time.sleep(0.4)
    third = ramp.receive(1000)
    assert third.start > second.start + 300_000
    assert all(in_order(got) and not told(got) for got in (first, second, third))


def test_late_times_are_events_and_nothing_happens(radio):
    at = radio.now() - 100
    got = radio.receive(500, at=at)
    assert got.samples.shape == (1, 0, 2)
    assert [(e.kind, e.position, e.count) for e in got.events] == [("late", at, 500)]
    assert [e.kind for e in radio.transmit(burst(), at=at)] == ["late", "late"]
    assert radio.receive(1000, at=radio.now() + AHEAD).samples.shape == (1, 1000, 2)


def test_two_runs_receive_the_same_samples():
    hashes = []
    for pace, mtu in (("realtime", "65536"), ("free", "4096")):
        config = make_bench(air={"pace": pace}, options={"stream_args": {"remote:mtu": mtu}})
        with serve(config) as served, Bench(served.bench) as bench:
            radio, parts = bench.radios["sdr"], []
            base = 800_000
            while radio.now() > base:
                base += 200_000
            assert base == 800_000, "this machine is too slow for the times of this test"
            for k in range(3):
                at = base + 300_000 * k
                assert radio.transmit(burst(20_000, k), at=at) == []
                got = radio.receive(30_000, at=at - 500)
                assert got.events == ()
                parts.append(got.samples.tobytes())
            hashes.append(hashlib.sha256(b"".join(parts)).hexdigest())
    assert hashes[0] == hashes[1]


@pytest.mark.parametrize("element", ["PAD", "PGA"])
def test_named_gains(air, element):
    data = air.bench.model_dump()
    other = {"PAD": {"PGA": 20.0}, "PGA": {"PAD": -60.0}}[element]
    data["radios"]["sdr"] |= {"tx_gain_element": element, "tx_gains": other}
    for tx in data["transmitters"]:
        tx["gain_db"] = -50.0 if element == "PAD" else 10.0
    with Bench(type(air.bench).model_validate(data)) as bench:
        radio = bench.radios["sdr"]
        assert radio.info.tx_gain_db.high in (-44.75, 44.75)
        assert bench.tx_gain(0) == (-50.0 if element == "PAD" else 10.0)
        status = air.ask("status")["radios"]["sdr"]["gain_db"]
        assert status["tx0"] == (-30.0 if element == "PAD" else -50.0)


def test_read_back(air):
    with Bench(air.bench) as bench:
        settings = bench.settings("sdr")
        assert (settings.tx_antenna, settings.rx_antenna, settings.clock_source) == ("TX/RX", "RX", "internal")
        assert settings.bandwidth_hz == 1e6
        radio = bench.radios["sdr"]
        changed = radio.configure(settings.replace(tx_antenna="BAND2", bandwidth_hz=5e5, clock_source="external"))
        assert (changed.tx_antenna, changed.bandwidth_hz, changed.clock_source) == ("BAND2", 5e5, "external")
        with pytest.raises(RadioError, match="rx_antenna"):
            radio.configure(settings.replace(rx_antenna="nowhere"))


def test_wrong_benches_say_what_is_wrong(air):
    data = make_bench().model_dump()
    data["radios"]["sdr"]["args"] = {"serial": "5"}
    with pytest.raises(ConfigError, match="driver"):
        Bench(type(air.bench).model_validate(data))
    missing = make_bench()
    with pytest.raises(RadioNotFoundError, match="SoapySDRUtil"):
        SoapyRadio.open("sdr", missing, {})


@pytest.mark.parametrize("turn", range(3))
def test_overflow_is_told_where_it_was(counter, ramp, turn):
    counter.fault("sdr", "overflow", samples=3000 + turn)
    got = ramp.receive(60_000, at=ramp.now() + 50_000)
    assert in_order(got)
    assert [(e.kind, e.count) for e in told(got)] == [("overflow", 3000 + turn)]
    lost = truth(counter, "lost")[-1]
    assert (lost["tick"], lost["n"]) == (told(got)[0].position, 3000 + turn)
    assert told(ramp.receive(1000, at=ramp.now() + 50_000)) == []


@pytest.mark.parametrize("turn", range(3))
def test_dropped_packets_are_gaps(counter, ramp, turn):
    got = ramp.receive(5000)
    counter.fault("sdr", "drop")
    pieces, events = [got], []
    deadline = time.monotonic() + 5
    while not events and time.monotonic() < deadline:
        pieces.append(ramp.receive(5000))
        events = told(pieces[-1])
    pieces.append(ramp.receive(5000))
    assert [e.kind for e in events] == ["gap"]
    lost = truth(counter, "lost")[-1]
    assert (events[0].position, events[0].count) == (lost["tick"], lost["n"])
    assert all(in_order(piece) for piece in pieces)
    delivered = sum(piece.samples.shape[1] for piece in pieces)
    assert delivered + events[0].count == pieces[-1].start + 5000 - got.start


def test_a_slow_host_overflows_and_every_sample_is_accounted_for(counter, ramp):
    first = ramp.receive(1000)
    counter.fault("sdr", "slow", duration_s=2.0)
    pieces, lost = [first], 0
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and (not lost or len(pieces) < 3):
        pieces.append(ramp.receive(200_000, timeout_s=5.0))
        lost += sum(event.count for event in told(pieces[-1]))
    assert lost
    assert all(in_order(piece) for piece in pieces)
    end = pieces[-1].start + pieces[-1].samples.shape[1]
    if told(pieces[-1]) and told(pieces[-1])[-1].position == end:
        end += told(pieces[-1])[-1].count
    assert sum(piece.samples.shape[1] for piece in pieces) + lost == end - first.start


def test_a_slow_host_loses_nothing_of_a_finite_reception(counter, ramp):
    at = ramp.now() + 50_000
    counter.fault("sdr", "slow", duration_s=0.7, at_s=(at + 5000) / 1e6)
    got = ramp.receive(20_000, at=at)
    assert told(got) == []
    assert in_order(got)


@pytest.mark.parametrize("turn", range(3))
def test_underflow_is_reported(air, radio, turn):
    air.fault("sdr", "underflow", samples=700)
    at = radio.now() + AHEAD
    sent = burst(20_000, turn)
    assert radio.transmit(sent, at=at) == []
    got = radio.receive(21_000, at=at)
    events = [*got.events, *radio.settle()]
    assert [(e.kind, e.position, e.channel) for e in events] == [("underflow", at, 0), ("underflow", at, 1)]
    heard = from_int16(got.samples[0], 2048)
    assert power(got.samples[0][100:600]) < power(got.samples[0][1000:1500]) / 20
    assert abs(np.vdot(sent[0, 5000:9000], heard[5001:9001])) > 0.5 * np.linalg.norm(sent[0, 5000:9000]) * np.linalg.norm(
        heard[5001:9001]
    )


@pytest.mark.parametrize("turn", range(3))
def test_a_late_burst_is_reported_and_silent(air, radio, turn):
    at = radio.now() + AHEAD
    air.fault("sdr", "late")
    events = radio.transmit(burst(5000), at=at)
    got = radio.receive(5000, at=at)
    events += [*got.events, *radio.settle()]
    assert [(e.kind, e.position, e.count) for e in events] == [("late", at, 5000)] * 2
    quiet = radio.receive(5000, at=radio.now() + AHEAD)
    assert power(got.samples[0]) < 2 * power(quiet.samples[0])


def test_a_lost_reference_is_an_error(air):
    with Bench(air.bench) as bench:
        radio = bench.radios["sdr"]
        air.fault("sdr", "unlock", duration_s=0.5)
        with pytest.raises(RadioError, match="ref_locked"):
            radio.receive(1000, at=radio.now() + AHEAD)
        with Bench(air.bench):  # waits for the lock
            pass


@pytest.mark.parametrize("turn", range(3))
def test_a_lost_connection_is_an_error_and_not_a_hang(air, turn):
    began = time.monotonic()
    bench = Bench(air.bench)
    try:
        radio = bench.radios["sdr"]
        radio.receive(1000)
        air.fault("sdr", "disconnect")
        time.sleep(0.1)
        with pytest.raises(RadioError):
            radio.receive(200_000)
    finally:
        with contextlib.suppress(RadioError):
            bench.close()
    assert time.monotonic() - began < 15
    with Bench(air.bench) as again:
        assert again.radios["sdr"].receive(100).samples.shape == (1, 100, 2)


def test_an_air_that_dies_is_an_error_by_the_deadline():
    with serve(make_bench()) as served:
        with contextlib.suppress(RadioError), Bench(served.bench) as bench:
            radio = bench.radios["sdr"]
            radio.receive(100_000)
            os.kill(served.pid, signal.SIGKILL)
            began = time.monotonic()
            with pytest.raises(RadioError):
                radio.receive(1_000_000)
            assert time.monotonic() - began < 1 + 2 + 0.6
        assert time.monotonic() - began < 5


def test_two_devices_set_their_time_at_one_pulse():
    data = make_bench().model_dump()
    data |= {"clock_source": "external", "time_source": "external"}
    data["radios"]["other"] = {**data["radios"]["sdr"], "virtual": {"tx_channels": 0}}
    data["receivers"][0]["radio"] = "other"
    with serve(type(make_bench()).model_validate(data)) as served, Bench(served.bench) as bench:
        first, second = bench.radios["sdr"], bench.radios["other"]
        assert abs(first.now() - second.now()) < 50_000
        at = first.now() + AHEAD
        sent = burst()
        assert first.transmit(sent, at=at) == []
        heard = from_int16(second.receive(3000, at=at - 500).samples[0], 2048)
        peak = np.abs(np.correlate(heard, sent[0], "valid")).argmax()
        assert peak in (501, 502)  # 1.3 µs


CHILD = """
import sys, time, numpy as np
from hil.radios.bench import BenchConfig
from hil.radios.session import Bench, silence_on_signals
silence_on_signals()
bench = Bench(BenchConfig.model_validate_json(sys.stdin.readline()))
radio = bench.radios["sdr"]
tone = np.full((2, 400_000), 0.3, np.complex64)
radio.transmit(tone)
print("sent", flush=True)
while True:
    radio.transmit(tone)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_client_leaves_no_transmitter_on(air, number):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
    )
    try:
        child.stdin.write(air.bench.model_dump_json() + "\n")
        child.stdin.flush()
        assert child.stdout.readline() == "sent\n"
        deadline = time.monotonic() + 10
        while not air.ask("status")["radios"]["sdr"]["transmitting"]:
            assert time.monotonic() < deadline
        child.send_signal(number)
        time.sleep(1.0)
        assert not air.ask("status")["radios"]["sdr"]["transmitting"]
        assert air.ask("status")["radios"]["sdr"]["clients"] == []
        assert child.wait(10) == (-signal.SIGKILL if number == signal.SIGKILL else 128 + number)
    finally:
        child.kill()
        child.wait()
        child.stdin.close()
        child.stdout.close()
    with Bench(air.bench) as bench:
        radio = bench.radios["sdr"]
        quiet = [power(radio.receive(5000, at=radio.now() + AHEAD).samples[0]) for _ in range(2)]
        assert max(quiet) < 200


@pytest.mark.skipif(shutil.which("SoapySDRUtil") is None, reason="soapysdr-tools: no SoapySDRUtil")
def test_debians_own_client_probes_it(air):
    url = air.bench.radios["sdr"].options["args"]["remote"]
    done = subprocess.run(
        ["SoapySDRUtil", f"--probe=driver=remote,remote={url},remote:timeout=2000000"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for line in (
        "serial=hil-sdr",
        "Full gain range: [-89.75, 0, 0.25] dB",
        "Native format: CS16 [full-scale=2048]",
        "ref_locked",
    ):
        assert line in done.stdout
