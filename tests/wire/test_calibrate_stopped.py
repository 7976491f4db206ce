"""`hil calibrate` stopped by a signal at any moment: no radio of the air sends on, and no half-written record is left."""

import random
import signal
import time

import pytest

from benchmarks.benches import make_bench
from hil.config import to_toml
from hil.radios.virtual.process import serve
from tests.system.waiting import wait_for

LOWEST_DB = -89.75
"""Transmit gain of a Pluto at its greatest attenuation."""


@pytest.fixture(scope="module")
def served():
    """A Pluto that transmits, fed by the host without end, and one that receives; a gain would go on without that feed."""
    with serve(make_bench("pluto", rate=1e6)) as served:
        yield served


def quiet(served, seconds=10.0):
    """The radios' status once nobody is connected any more, or what it was when time was up."""
    deadline = time.monotonic() + seconds
    while True:
        radios = served.ask("status")["radios"]
        if not any(one["clients"] or one["transmitting"] for one in radios.values()) or time.monotonic() > deadline:
            return radios
        time.sleep(0.05)


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_no_transmitter_and_no_half_record_is_left(served, hil, tmp_path, number, seed):
    bench = tmp_path / "loop.toml"
    bench.write_text(to_toml(served.bench), encoding="utf-8")
    process = hil.start("calibrate", bench, "--snr", "5", cwd=tmp_path)
    capture = tmp_path / "calibration"
    wait_for(capture, process)
    time.sleep(random.Random(f"{number} {seed}").uniform(0, 4))
    running = process.poll() is None
    process.send_signal(number)
    told = process.communicate(timeout=60)[1]
    assert "Traceback" not in told
    if running:
        assert process.returncode == 128 + number, told
        assert not [path for path in tmp_path.rglob("*") if path.is_file() and path != bench]
    radios = quiet(served)
    assert not any(one["transmitting"] for one in radios.values())
    assert radios["tx0"]["gain_db"]["tx0"] == LOWEST_DB
