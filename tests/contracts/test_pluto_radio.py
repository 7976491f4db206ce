"""The Pluto driver through real libiio, against virtual Plutos in a process of their own."""

import pytest

from hil.errors import DriverMissingError
from hil.radios.drivers.pluto._device import load_adi
from hil.radios.session import Bench
from hil.radios.testing import Loop, RadioContract
from hil.radios.virtual.process import serve
from tests.wire.pluto_bench import make_bench

try:
    load_adi()
except DriverMissingError as error:
    pytest.skip(f"libiio0 or pyadi-iio: {error}", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def air():
    with serve(make_bench()) as served:
        yield served


class TestVirtualPluto(RadioContract):
    @pytest.fixture
    def loop(self, air):
        with Bench(air.bench) as bench:
            yield Loop(
                tx=bench.radios["tx"], rx=bench.radios["rx"], tx_settings=bench.settings("tx"), rx_settings=bench.settings("rx")
            )
