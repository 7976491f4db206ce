"""`Bench.listen` through the vendors' libraries: nothing from before the last setting, whatever a receiver had kept."""

import contextlib
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from hil.errors import DriverMissingError, RadioError
from hil.radios.bench import BenchConfig
from hil.radios.drivers.pluto._device import load_adi
from hil.radios.drivers.soapy._device import load_soapy
from hil.radios.drivers.soapy._quirks import QUIRKS
from hil.radios.drivers.uhd._module import load_uhd
from hil.radios.session import Bench
from hil.radios.virtual.process import serve
from hil.radios.virtual.ramp import ramp_positions
from tests.wire import n210_bench, pluto_bench, soapy_bench

pytestmark = pytest.mark.filterwarnings("ignore")


def two_soapys():
    """One sends, the other receives: a call into one does not wait for the other."""
    data = soapy_bench.make_bench().model_dump()
    data["radios"]["other"] = {**data["radios"]["sdr"], "virtual": {"tx_channels": 0}}
    data["receivers"][0]["radio"] = "other"
    return BenchConfig.model_validate(data)


BENCHES = {
    "uhd": (load_uhd, n210_bench.make_bench),
    "pluto": (load_adi, pluto_bench.make_bench),
    "soapy": (load_soapy, two_soapys),
}


def need(load):
    try:
        load()
    except DriverMissingError as err:
        pytest.skip(str(err))


@pytest.fixture(scope="module", params=list(BENCHES))
def air(request):
    load, make = BENCHES[request.param]
    need(load)
    with serve(make()) as served:
        yield served


@contextlib.contextmanager
def sending(bench):
    """A tone of 3 s, or until it is stopped; it is on the air."""
    radio = bench.radios[bench.config.transmitters[0].radio]
    tone = np.zeros((len(bench.settings(radio.info.name).tx_channels), 3_000_000), np.complex64)
    tone[0] = 0.5

    def send():
        with contextlib.suppress(RadioError):  # it is stopped under way
            radio.transmit(tone)

    quiet = levels(bench.listen(20_000)).mean()
    thread = threading.Thread(target=send)
    if radio.info.cyclic_transmit:
        radio.transmit(tone[:, :4000], cyclic=True)
    else:
        thread.start()
    try:
        deadline = time.monotonic() + 6
        while (loud := levels(bench.listen(5000))).min() < quiet + 20:
            assert time.monotonic() < deadline, f"never heard: {loud} over {quiet} dB"
        yield quiet, loud.mean()
    finally:
        bench.silence()
        if thread.is_alive():
            thread.join(5)


def levels(got):
    """Power (dB) of every millisecond."""
    blocks = got.samples.astype(np.float64).reshape(-1, 1000, 2)
    return 10 * np.log10((blocks**2).sum(axis=-1).mean(axis=-1) + 1e-3)


@pytest.mark.parametrize("pause", [0.0, 0.9])
def test_nothing_from_before_the_transmitter_was_silenced(air, pause):
    with Bench(air.bench) as bench, sending(bench) as (quiet, _):
        time.sleep(pause)
        bench.silence()
        assert levels(bench.listen(30_000)).max() < quiet + 1.5


@pytest.mark.parametrize("pause", [0.0, 0.15])
def test_nothing_from_before_a_gain_was_set(air, pause):
    with Bench(air.bench) as bench, sending(bench) as (_, loud):
        time.sleep(pause)
        bench.set_rx_gain(bench.rx_gain() - 12)
        assert levels(bench.listen(20_000)) == pytest.approx(loud - 12, abs=0.7)
        if bench.radios["tx" if "tx" in bench.radios else "sdr"].info.cyclic_transmit:  # a burst keeps the gain it began with
            bench.set_tx_gain(0, bench.tx_gain(0) - 6)
            assert levels(bench.listen(20_000)) == pytest.approx(loud - 18, abs=0.7)


@pytest.mark.parametrize("driver", ["uhd", "pluto", "soapy", "soapy without time"])
def test_no_sample_is_older_than_the_call(driver, monkeypatch):
    """A counter in place of the air: every sample says when it was received."""
    load, make = {"uhd": BENCHES["uhd"], "pluto": BENCHES["pluto"]}.get(driver, (load_soapy, soapy_bench.make_bench))
    need(load)
    if driver == "soapy without time":
        monkeypatch.setitem(QUIRKS, "hil", replace(QUIRKS["hil"], rx_time=False, tx_time=False, timed_activation=False))
    with serve(make(source="ramp")) as served, Bench(served.bench) as bench:
        bits = served.bench.radios[served.bench.receiver.radio].virtual.adc_bits
        for pause in (0.0, 0.15, 0.4, 0.0):
            bench.listen(2000)
            time.sleep(pause)
            called_at = round(served.ask("status")["air_s"] * 1e6)
            first = int(ramp_positions(bench.listen(2000).samples[:1], bits)[0])
            late = (first - called_at) % (1 << min(2 * bits, 40))
            assert late < 1_000_000, f"{driver}: {late} samples after the call, after a pause of {pause} s"
