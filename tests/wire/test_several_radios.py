"""Benches of several vendors' radios: long bursts side by side, and the device's word where there is no common time."""

import numpy as np
import pytest

from hil.errors import DriverMissingError, RadioError
from hil.radios.bench import BenchConfig, find_bench
from hil.radios.scaling import from_int16
from hil.radios.session import Bench
from hil.radios.virtual.process import serve
from hil.registry import DRIVERS
from tests.conftest import ROOT

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def _drivers():
    try:
        for name in ("uhd", "pluto", "soapy"):
            DRIVERS.load(name)
        from hil.radios.drivers.pluto._device import load_adi
        from hil.radios.drivers.soapy._device import load_soapy
        from hil.radios.drivers.uhd._module import load_uhd

        for load in (load_uhd, load_adi, load_soapy):
            load()
    except DriverMissingError as err:
        pytest.skip(str(err))


def heard(got, sent, full_scale):
    """Whether a burst [n] is in int16 [m, 2]."""
    match = np.abs(np.correlate(from_int16(got.samples, full_scale), sent, "valid"))
    return match.max() > 10 * np.median(match)


def noise(rows, n, seed=1):
    draw = np.random.default_rng(seed)
    return (0.1 * (draw.normal(size=(rows, n)) + 1j * draw.normal(size=(rows, n)))).astype(np.complex64)


def test_bursts_longer_than_a_devices_memory_start_together():
    """An N210 holds 262,144 samples and takes the rest while it plays: neither may wait for the other."""
    with serve(find_bench(ROOT / "radios" / "virtual-n210-pair.toml")) as air, Bench(air.bench) as bench:
        got = bench.burst(noise(2, 400_000))
        assert [event for event in got.events if event.kind != "clip"] == []
        assert got.whole
        assert len(got.samples) >= 400_000


def test_rates_that_not_every_radio_has_are_refused():
    config = find_bench(ROOT / "radios" / "virtual-mixed.toml", None, {"sample_rate_hz": 3e6})
    with serve(config) as air, pytest.raises(RadioError, match="every radio of the bench"), Bench(air.bench):
        pass


def test_bursts_by_clocks_that_only_the_host_compares_are_inside_the_reception():
    data = find_bench(ROOT / "radios" / "virtual-n210-pair.toml").model_dump()
    data |= {"clock": "independent", "clock_source": None, "time_source": None}
    sent = noise(2, 3000)
    sent[1] = 0
    with serve(BenchConfig.model_validate(data)) as air, Bench(air.bench) as bench:
        for _ in range(10):
            got = bench.burst(sent, lead=400, tail=64)
            assert heard(got, sent[0], bench.full_scale)


def mixed_bench():
    """A USRP with time transmits, a Pluto without receives."""
    return BenchConfig.model_validate(
        {
            "name": "usrp-to-pluto",
            "sample_rate_hz": 1e6,
            "center_freq_hz": 1e9,
            "clock": "shared",
            "radios": {
                "tx": {
                    "driver": "uhd",
                    "args": "type=usrp2,addr=127.0.0.1",
                    "virtual": {"tx_gain_range_db": (0, 31.5), "gain_step_db": 0.5, "tx_full_scale_dbm": -11.5, "dac_bits": 16},
                },
                "rx": {"driver": "pluto", "uri": "ip:127.0.0.1:1", "virtual": {}},
            },
            "transmitters": [{"radio": "tx", "gain_db": 20}],
            "receiver": {"radio": "rx", "gain_db": 60},
            "links": [{"transmitter": 0, "path_loss_db": 70}],
            "air": {"control_port": 0},
        }
    )


def test_a_usrp_that_ran_dry_is_told_of_though_the_receiver_has_no_time():
    """The burst is sent again, and both its underflow and the second try are in one reception."""
    sent = noise(1, 6000)
    with serve(mixed_bench()) as air, Bench(air.bench) as bench:
        assert bench.burst(sent).whole
        air.fault("tx", "underflow", samples=700)
        got = bench.burst(sent)
        assert "underflow" in {event.kind for event in got.events}
        assert got.whole
        assert heard(got, sent[0], bench.full_scale)
        assert bench.burst(sent).events == ()
