"""Faults of a USRP through real libuhd, and its host's end: events, errors and silence; every wait has a deadline."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

from hil.errors import DriverMissingError, RadioError, TransmitRefusedError
from hil.radios.drivers.uhd._module import load_uhd
from hil.radios.session import Bench
from hil.radios.virtual.process import serve
from tests.wire.n210_bench import SLOWEST, heard_at, make_bench, noise, quiet

try:
    load_uhd()
except DriverMissingError as error:
    pytest.skip(f"python3-uhd: {error}", allow_module_level=True)


@pytest.fixture(scope="module")
def air():
    with serve(make_bench()) as served:
        yield served


@pytest.fixture
def bench(air):
    with Bench(air.bench) as opened:
        yield opened


FAULTS = {
    "drop": ("rx", {"count": 4}, "gap"),
    "overflow": ("rx", {"samples": 2000}, "overflow"),
    "underflow": ("tx", {"samples": 500}, "underflow"),
    "late": ("tx", {}, "late"),
    "slow": ("rx", {"duration_s": 0.3}, "overflow"),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_faults_are_events_within_the_deadline(air, kind):
    radio, more, event = FAULTS[kind]
    with Bench(air.bench) as bench:
        for _ in range(3):
            sent = noise(100_000)
            air.fault(radio, kind, **more)
            begin = time.monotonic()
            met = []
            while event not in met and time.monotonic() < begin + 3 * SLOWEST:
                before = time.monotonic()
                try:
                    got = bench.burst(sent)
                    met += [seen.kind for seen in got.events]
                except RadioError as err:
                    met.append(f"error: {err}")
                assert time.monotonic() - before < SLOWEST
            assert event in met
            bench.silence()
            assert quiet(air)
        got = bench.burst(noise(3000))  # and all is well again
        assert heard_at(got.samples, noise(3000)[0])[1] > 8


def test_lost_reference_is_an_error():
    with serve(make_bench(clock="external")) as air, Bench(air.bench) as bench:
        for radio in ("tx", "rx", "tx", "rx", "rx"):
            air.fault(radio, "unlock", duration_s=0.4)
            with pytest.raises(RadioError, match="reference"):
                bench.burst(noise(3000))
            assert quiet(air)
            time.sleep(0.6)
            bench.burst(noise(3000))


@pytest.mark.parametrize("radio", ["tx", "rx"])
def test_lost_connection_is_an_error_and_can_be_opened_again(air, radio):
    begin = time.monotonic()
    with Bench(air.bench) as bench:
        bench.burst(noise(3000))
        air.fault(radio, "disconnect")
        time.sleep(0.1)
        with pytest.raises(RadioError):
            bench.burst(noise(200_000))
        with contextlib.suppress(RadioError):
            bench.close()
    assert time.monotonic() - begin < 2 * SLOWEST
    assert quiet(air)
    with Bench(air.bench) as bench:
        sent = noise(3000)
        got = bench.burst(sent)
        assert got.start + heard_at(got.samples, sent[0])[0] == got.sent_at[0] + 1


TRANSMITTER = """
import sys
import numpy as np
from hil.radios.bench import BenchConfig
from hil.radios.session import Bench, silence_on_signals
silence_on_signals()
with Bench(BenchConfig.model_validate_json(sys.argv[1])) as bench:
    tx = bench.radios["tx"]
    samples = np.full((1, 6_000_000, 2), 9000, np.int16)
    print("sending", flush=True)
    tx.transmit(samples, at=tx.now() + 1_000_000)
    bench.radios["tx"].settle()
"""


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_killed_host_is_silent_within_a_second(air, sign):
    config = air.bench.model_dump_json()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", TRANSMITTER, config], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as process:
        assert process.stdout.readline() == b"sending\n"
        deadline = time.monotonic() + SLOWEST
        while not air.ask("status")["radios"]["tx"]["transmitting"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(sign)
        assert quiet(air, 1.0)
        process.wait(10)
    with Bench(air.bench) as bench:
        sent = noise(3000)
        assert heard_at(bench.burst(sent).samples, sent[0])[1] > 8


def test_dead_air_is_an_error():
    with serve(make_bench()) as air, Bench(air.bench) as bench:
        os.kill(air.pid, signal.SIGKILL)
        time.sleep(0.2)
        with pytest.raises(RadioError, match="nobody listens"):
            bench.burst(noise(1000))


def test_real_transmitter_needs_limits_and_consent(air):
    """A device that the bench does not call virtual counts as real, wherever it is."""
    data = air.bench.model_dump() | {"links": []}
    for radio in data["radios"].values():
        del radio["virtual"]
    with Bench(type(air.bench).model_validate(data)) as bench:
        tx = bench.radios["tx"]
        with pytest.raises(TransmitRefusedError, match="--transmit"):
            bench.burst(noise(1000))
        with pytest.raises(TransmitRefusedError, match="--transmit"):
            tx.transmit(noise(1000))
    assert air.ask("status")["radios"]["tx"]["transmitting"] is False


def test_exception_in_a_session_silences(air):
    def fail():
        with Bench(air.bench) as bench:
            tx = bench.radios["tx"]
            tx.transmit(noise(200_000), at=tx.now() + 20_000)
            raise KeyError("something else")

    with pytest.raises(KeyError, match="something else"):
        fail()
    assert quiet(air)
