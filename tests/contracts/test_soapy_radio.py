"""The Soapy driver through real SoapySDR and Debian's `remote` module, against a virtual device in a process of its own."""

import pytest

from hil.errors import DriverMissingError
from hil.radios.drivers.soapy._device import load_soapy
from hil.radios.session import Bench
from hil.radios.testing import Loop, RadioContract
from hil.radios.virtual.process import serve
from tests.wire.soapy_bench import make_bench

try:
    load_soapy()
except DriverMissingError as error:
    pytest.skip(f"python3-soapysdr: {error}", allow_module_level=True)


@pytest.fixture(scope="module")
def air():
    with serve(make_bench()) as served:
        yield served


class TestVirtualSoapy(RadioContract):
    @pytest.fixture
    def loop(self, air):
        with Bench(air.bench) as bench:
            radio, settings = bench.radios["sdr"], bench.settings("sdr")
            yield Loop(tx=radio, rx=radio, tx_settings=settings, rx_settings=settings, delay=1.3)
