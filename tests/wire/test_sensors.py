"""What the vendors' libraries say of locks and temperature, against virtual devices of which it is known."""

import json
import time

import pytest

from hil.errors import DriverMissingError
from hil.radios.bench import BenchConfig
from hil.radios.drivers.pluto._device import load_adi
from hil.radios.drivers.soapy._device import load_soapy
from hil.radios.drivers.uhd._module import load_uhd
from hil.radios.session import Bench
from hil.radios.virtual.process import serve
from tests.wire import n210_bench, pluto_bench, soapy_bench

pytestmark = pytest.mark.filterwarnings("ignore")


def need(load):
    try:
        load()
    except DriverMissingError as err:
        pytest.skip(str(err))


def test_a_usrp_tells_its_locks():
    need(load_uhd)
    with serve(n210_bench.make_bench()) as air, Bench(air.bench) as bench:
        assert bench.radios["rx"].sensors() == {"ref_locked": True, "mimo_locked": False, "rx0.lo_locked": True}
        air.fault("tx", "unlock", duration_s=0.5)
        time.sleep(0.1)
        assert bench.describe()["tx"]["sensors"]["ref_locked"] is False
        assert bench.describe()["rx"]["sensors"]["ref_locked"] is True


def test_a_pluto_tells_its_temperature():
    need(load_adi)
    data = pluto_bench.make_bench().model_dump()
    data["radios"]["tx"]["virtual"]["temperature_c"] = 41.25
    with serve(BenchConfig.model_validate(data)) as air, Bench(air.bench) as bench:
        assert bench.radios["tx"].sensors() == {"temp0": 41.25}
        assert json.loads(json.dumps(bench.describe()))["rx"]["sensors"] == {"temp0": 36.5}


def test_a_soapy_device_tells_what_it_has():
    need(load_soapy)
    with serve(soapy_bench.make_bench(temperature_c=-3.5)) as air, Bench(air.bench) as bench:
        assert bench.radios["sdr"].sensors() == {
            "ref_locked": True, "board_temp": -3.5, "tx0.lo_locked": True, "tx1.lo_locked": True, "rx0.lo_locked": True,
        }  # fmt: skip
