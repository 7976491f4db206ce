"""Three of each fault a protocol through the vendors' libraries; `scripts/bench faults` does a hundred."""

import pytest

from benchmarks.benches import make_bench
from benchmarks.faults import FAULTS, trial
from hil.errors import DriverMissingError
from hil.radios.virtual.process import serve
from hil.registry import RADIOS

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize(("protocol", "kind"), [(protocol, kind) for protocol, kinds in FAULTS.items() for kind in kinds])
def test_a_fault_ends_with_a_result_or_a_clear_error(protocol, kind):
    try:
        RADIOS.load(protocol)
        with serve(make_bench(protocol, rate=1e6)) as served:
            results = [trial(served, protocol, kind, number) for number in range(3)]
    except DriverMissingError as err:
        pytest.skip(str(err))
    assert [result for result in results if not result["ok"]] == []
