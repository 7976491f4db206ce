"""The Pluto driver through real libiio, against virtual Plutos that `hil air` serves in a process of its own."""

import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from hil.errors import ConfigError, DriverMissingError, RadioError, RadioNotFoundError
from hil.radios.bench import BenchConfig
from hil.radios.pluto_device import load_adi
from hil.radios.scaling import from_int16
from hil.radios.session import Bench
from hil.radios.testing import Loop, RadioContract
from hil.radios.virtual.process import Served, serve

try:
    load_adi()
except DriverMissingError as error:
    pytest.skip(f"libiio0 or pyadi-iio: {error}", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("ignore")


def make_bench(*, air=None, source="air", rate=1e6, ppm=(0.05, -0.03)):
    radio = {"driver": "pluto", "uri": "ip:127.0.0.1:1"}
    return BenchConfig.model_validate(
        {
            "name": "pluto-loop",
            "sample_rate_hz": rate,
            "center_freq_hz": 1e9,
            "clock": "independent",
            "radios": {
                "tx": radio | {"virtual": {"ppm": ppm[0], "source": source}},
                "rx": radio | {"virtual": {"ppm": ppm[1], "source": source}},
            },
            "transmitters": [{"radio": "tx", "gain_db": -20}],
            "receiver": {"radio": "rx", "gain_db": 60},
            "links": [{"transmitter": 0, "path_loss_db": 60, "delay_s": 1.3e-6}],
            "air": {"control_port": 0} | (air or {}),
        }
    )


@pytest.fixture(scope="module")
def air():
    with serve(make_bench()) as served:
        yield served


class TestVirtualPluto(RadioContract):
    @pytest.fixture
    def loop(self, air: Served):
        with Bench(air.bench) as bench:
            yield Loop(
                tx=bench.radios["tx"], rx=bench.radios["rx"], tx_settings=bench.settings("tx"), rx_settings=bench.settings("rx")
            )
