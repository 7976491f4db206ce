"""Three of each fault a protocol through the vendors' libraries; `scripts/bench faults` does a hundred."""

import pytest

from benchmarks.faults import FAULTS, fault_bench, trial
from hil.errors import DriverMissingError
from hil.radios.virtual.process import serve
from hil.registry import RADIOS

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize(("protocol", "kind"), [(protocol, kind) for protocol, kinds in FAULTS.items() for kind in kinds])
def test_a_run_ends_with_a_result_or_a_clear_error_and_its_capture_shows_the_fault(protocol, kind, tmp_path):
    try:
        RADIOS.load(protocol)
        with serve(fault_bench(protocol)) as served:
            results = [trial(served, protocol, kind, number, tmp_path) for number in range(3)]
    except DriverMissingError as err:
        pytest.skip(str(err))
    assert [result for result in results if result["wrong"]] == []
