"""What vendors' libraries read back from virtual devices whose clock trees and synthesisers do not come to what was asked."""

import time

import numpy as np
import pytest

from hil.errors import DriverMissingError, RadioError
from hil.radios.bench import BenchConfig
from hil.radios.drivers.pluto._device import load_adi
from hil.radios.drivers.soapy._device import load_soapy
from hil.radios.scaling import from_int16
from hil.radios.session import Bench
from hil.radios.virtual.process import serve
from tests.wire import pluto_bench, soapy_bench

try:
    load_adi()
    load_soapy()
except DriverMissingError as error:
    pytest.skip(f"libiio0, pyadi-iio or python3-soapysdr: {error}", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("ignore")


def plutos(tx=None, rx=None):
    """Two Plutos with oscillators that agree, and what is amiss with each."""
    data = pluto_bench.make_bench(ppm=(0.0, 0.0)).model_dump()
    for name, faults in (("tx", tx), ("rx", rx)):
        data["radios"][name]["virtual"] |= faults or {}
    return BenchConfig.model_validate(data)


def place(got, sent, full_scale):
    """Where a burst [n] begins in a reception, and the correlation's peak over its median."""
    match = np.abs(np.correlate(from_int16(got.samples, full_scale), sent, "valid"))
    return int(match.argmax()), match.max() / np.median(match)


def test_a_rate_and_a_carrier_within_the_devices_steps_are_used_as_they_are():
    """Read back 999,999 S/s and 2 Hz beside the carrier; the air serves that rate to a radio that is set to 1,000,000."""
    faults = {"rate_error_hz": -1.0, "carrier_error_hz": -2.0}
    with serve(plutos(faults, faults)) as air, Bench(air.bench) as bench:
        assert bench.sample_rate_hz == 999_999.0
        assert bench.settings("tx").sample_rate_hz == 999_999.0
        assert bench.settings("tx").center_freq_hz == bench.settings("rx").center_freq_hz == 999_999_998.0
        assert bench.true_config.sample_rate_hz == 999_999.0
        assert bench.true_config.center_freq_hz == 999_999_998.0
        assert air.ask("status")["radios"]["rx"]["rate_hz"] == 999_999.0
        sent = np.random.default_rng(1).normal(size=(1, 4000)).astype(np.complex64) * 0.15
        got = bench.burst(sent, lead=400, tail=64)
        assert place(got, sent[0], bench.full_scale)[1] > 10


def test_streams_of_different_true_rates_stay_tied():
    """999,999 against 1,000,000 S/s on oscillators that agree: in 9 s they part by 9 samples, which the tie foresees."""
    with serve(plutos(tx={"rate_error_hz": -1.0})) as air, Bench(air.bench) as bench:
        assert bench.settings("tx").sample_rate_hz == 999_999.0
        sent = np.random.default_rng(1).normal(size=(1, 4000)).astype(np.complex64) * 0.15
        assert place(bench.burst(sent, lead=400, tail=64), sent[0], bench.full_scale)[1] > 10
        exchange = bench._exchange
        clock = exchange._ties["tx"].clock
        assert clock.ratio == pytest.approx(1e6 / 999_999, abs=2e-8)
        time.sleep(9)
        assert bench.burst(sent, lead=400, tail=64).whole
        renewed = exchange._ties["tx"].clock
        assert clock.to_receiver(renewed.anchor) == pytest.approx(renewed.offset, abs=1.0)


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ({"rate_error_hz": -20.0}, r"radio 'rx': 'sample_rate_hz' 1000000 comes to 999980 there.* resolution of 1 Hz"),
        (
            {"carrier_error_hz": 600.0},
            r"radio 'rx': 'center_freq_hz' 1000000000 comes to 1000000600 there.* resolution of 5 Hz",
        ),
    ],
)
def test_what_is_beyond_a_plutos_resolution_is_refused_with_both_values(faults, message):
    with serve(plutos(rx=faults)) as air, pytest.raises(RadioError, match=message):
        Bench(air.bench)


def test_a_carrier_that_differs_between_radios_on_one_clock_is_refused_by_name():
    """7 Hz: within what a Soapy device may read back, but an offset where no modem looks for one."""
    data = soapy_bench.make_bench().model_dump()
    data["radios"]["other"] = {**data["radios"]["sdr"], "virtual": {"tx_channels": 0, "carrier_error_hz": 7.0}}
    data["receivers"][0]["radio"] = "other"
    wanted = r"radio 'sdr'.* 1000000000 there and to 1000000007 on 'other', though they share"
    with serve(BenchConfig.model_validate(data)) as air, pytest.raises(RadioError, match=wanted):
        Bench(air.bench)
