"""The USRP driver through real libuhd, against virtual N210s in a process of their own: the conformance suite."""

import pytest

from hil.errors import DriverMissingError
from hil.radios.drivers.uhd._module import load_uhd
from hil.radios.session import Bench
from hil.radios.testing import Loop, RadioContract
from hil.radios.virtual.process import serve
from tests.wire.n210_bench import make_bench

try:
    load_uhd()
except DriverMissingError as error:
    pytest.skip(f"python3-uhd: {error}", allow_module_level=True)


@pytest.fixture(scope="module")
def air():
    with serve(make_bench()) as served:
        yield served


class TestVirtualN210(RadioContract):
    @pytest.fixture
    def loop(self, air):
        with Bench(air.bench) as bench:
            yield Loop(
                tx=bench.radios["tx"],
                rx=bench.radios["rx"],
                tx_settings=bench.settings("tx"),
                rx_settings=bench.settings("rx"),
                delay=1.3,
            )
