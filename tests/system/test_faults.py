"""Three of each fault a protocol through the vendors' libraries; `scripts/bench faults` does a hundred."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.faults import FAULTS, fault_bench, trial
from hil.errors import DriverMissingError
from hil.radios.virtual.process import serve
from hil.registry import DRIVERS

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize(("protocol", "kind"), [(protocol, kind) for protocol, kinds in FAULTS.items() for kind in kinds])
def test_a_run_ends_with_a_result_or_a_clear_error_and_its_capture_shows_the_fault(protocol, kind, tmp_path):
    try:
        DRIVERS.load(protocol)
        with serve(fault_bench(protocol)) as served:
            results = [trial(served, protocol, kind, number, tmp_path) for number in range(3)]
    except DriverMissingError as err:
        pytest.skip(str(err))
    assert [result for result in results if result["wrong"]] == []


@pytest.mark.parametrize("kind", ["drop", "slow"])
def test_a_driver_that_delivers_noise_is_noticed(kind, tmp_path):
    """The campaign's own check: after the first reception nothing of what was sent is delivered any more."""

    def spoil(bench):
        radio, receive, draw = bench.radios["rx"], bench.radios["rx"].receive, np.random.default_rng(1)
        calls = []

        def noise(n, **more):
            got = receive(n, **more)
            calls.append(n)
            if len(calls) == 1:
                return got
            return replace(got, samples=draw.integers(-300, 300, got.samples.shape).astype(np.int16))

        radio.receive = noise

    try:
        DRIVERS.load("soapy")
        with serve(fault_bench("soapy")) as served:
            result = trial(served, "soapy", kind, 0, tmp_path, spoil)
    except DriverMissingError as err:
        pytest.skip(str(err))
    assert any("received" in text for text in result["wrong"])
