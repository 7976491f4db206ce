"""Constant delays of a chain through the vendors' libraries: found, measured, and windows moved to them."""

import numpy as np
import pytest

from hil.errors import DriverMissingError
from hil.radios.bench import BenchConfig
from hil.radios.delays import measure_delay
from hil.radios.drivers.pluto._device import load_adi
from hil.radios.drivers.soapy._device import load_soapy
from hil.radios.drivers.uhd._module import load_uhd
from hil.radios.scaling import from_int16
from hil.radios.session import Bench
from hil.radios.virtual.process import serve
from tests.wire import n210_bench, pluto_bench, soapy_bench

pytestmark = pytest.mark.filterwarnings("ignore")

TIMED = {"uhd": (load_uhd, n210_bench.make_bench), "soapy": (load_soapy, soapy_bench.make_bench)}


def late_bench(make, delay, **more):
    """Every link `delay` samples late."""
    data = make(**more).model_dump()
    data["links"] = [link | {"delay_s": delay * 1e-6} for link in data["links"]]
    return BenchConfig.model_validate(data)


def need(load):
    try:
        load()
    except DriverMissingError as err:
        pytest.skip(str(err))


def place(got, sent, full_scale):
    """Where a burst [n] is in a reception; None where it is not whole there."""
    heard = from_int16(got.samples, full_scale)
    match = np.abs(np.correlate(heard, sent, "valid"))
    peak = int(match.argmax())
    whole = match[peak] > 0.9 * np.linalg.norm(sent) * np.linalg.norm(heard[peak : peak + len(sent)])
    return peak if whole else None


@pytest.mark.parametrize("driver", list(TIMED))
@pytest.mark.parametrize("delay", [165, 20_000])
def test_a_timed_radios_delay_is_measured_and_its_window_follows(driver, delay):
    load, make = TIMED[driver]
    need(load)
    with serve(late_bench(make, delay)) as air, Bench(air.bench) as bench:
        sent = np.zeros((bench.transmitters, 4000), np.complex64)
        draw = np.random.default_rng(1)
        sent[0] = 0.15 * (draw.normal(size=4000) + 1j * draw.normal(size=4000))
        assert place(bench.burst(sent, lead=400, tail=64), sent[0], bench.full_scale) is None
        found = measure_delay(bench, 0)["rx"]
        assert found.samples == pytest.approx(delay, abs=0.05)
        assert found.spread < 0.05
        assert found.heard == found.tries
        bench.set_delay(0, round(found.samples))
        for _ in range(3):
            got = bench.burst(sent, lead=400, tail=64)
            assert 200 <= place(got, sent[0], bench.full_scale) <= 400
            assert len(got.samples) == 4464


def test_streams_that_are_aligned_by_measurement_have_the_delay_in_their_alignment():
    need(load_adi)
    with serve(late_bench(pluto_bench.make_bench, 20_000, ppm=(0.0, 0.0))) as air, Bench(air.bench) as bench:
        sent = np.random.default_rng(1).normal(size=(1, 4000)).astype(np.complex64) * 0.15
        for _ in range(3):
            assert 190 <= place(bench.burst(sent, lead=400, tail=64), sent[0], bench.full_scale) <= 410
        found = measure_delay(bench, 0)["rx"]
        assert abs(found.samples) < 2
