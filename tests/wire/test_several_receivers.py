"""Several receivers over the vendors' libraries: two virtual N210, two channels of a Soapy device; two Plutos are refused."""

import numpy as np
import pytest

from hil.errors import DriverMissingError, RadioError
from hil.radios.bench import BenchConfig
from hil.radios.drivers.pluto._device import load_adi
from hil.radios.drivers.soapy._device import load_soapy
from hil.radios.drivers.uhd._module import load_uhd
from hil.radios.scaling import from_int16
from hil.radios.session import Bench
from hil.radios.virtual.process import serve
from tests.wire import n210_bench, soapy_bench

pytestmark = pytest.mark.filterwarnings("ignore")


def need(load):
    try:
        load()
    except DriverMissingError as err:
        pytest.skip(str(err))


def noise(rows, n, seed=1):
    draw = np.random.default_rng(seed)
    return (0.1 * (draw.normal(size=(rows, n)) + 1j * draw.normal(size=(rows, n)))).astype(np.complex64)


def place(heard, sent, full_scale):
    """Where a burst [n] is in int16 [m, 2], and its peak over the median."""
    match = np.abs(np.correlate(from_int16(heard.samples, full_scale), sent, "valid"))
    return int(match.argmax()), float(match.max() / np.median(match)), float(match.max())


def n210_config(**more):
    """One N210 transmits; "near" and "far" receive, the far one behind 12 dB more and 20 µs later."""
    data = n210_bench.make_bench(clock="external", time="external").model_dump()
    radio = data["radios"]["rx"]
    data |= {
        "radios": {"tx": data["radios"]["tx"], "rx0": radio, "rx1": radio},
        "receivers": [{"name": "near", "radio": "rx0", "gain_db": 25}, {"name": "far", "radio": "rx1", "gain_db": 25}],
        "links": [
            {"transmitter": 0, "receiver": "near", "path_loss_db": 60, "delay_s": 1e-6},
            {"transmitter": 0, "receiver": "far", "path_loss_db": 72, "delay_s": 20e-6},
        ],
    }
    return BenchConfig.model_validate(data | more)


@pytest.fixture(scope="module")
def bench():
    """Open for all tests: setting three devices' times at pulses takes seconds."""
    need(load_uhd)
    with serve(n210_config()) as air, Bench(air.bench) as opened:
        yield opened


def test_two_n210_hear_one_burst_each_at_its_time_and_level(bench):
    assert bench.receivers == ("near", "far")
    sent = noise(1, 4000)
    for number in range(4):
        got = bench.burst(sent, lead=600 + number)
        assert got.whole
        assert got.one_time
        assert [event for event in got.events if event.kind != "clip"] == []
        assert list(got.heard) == ["near", "far"]
        assert got.heard["near"].start == got.heard["far"].start
        near, far = (place(got.heard[name], sent[0], bench.full_scales[name]) for name in bench.receivers)
        assert min(near[1], far[1]) > 10
        assert near[0] == got.begins(0, "near") + 1
        assert far[0] == got.begins(0, "far") + 20
        assert 20 * np.log10(near[2] / far[2]) == pytest.approx(12, abs=0.3)
    assert bench.set_rx_gain(30.0, "far") == 30.0
    assert bench.rx_gain("near") == 25.0
    louder = place(bench.burst(sent).heard["far"], sent[0], bench.full_scales["far"])
    assert 20 * np.log10(louder[2] / far[2]) == pytest.approx(5, abs=0.5)


def test_bursts_longer_than_a_devices_memory_reach_both_n210(bench):
    sent = noise(1, 400_000)
    got = bench.burst(sent)
    assert got.whole
    assert [event for event in got.events if event.kind != "clip"] == []
    for name in bench.receivers:
        assert len(got.heard[name].samples) >= 400_000
        tail = got.heard[name].samples[-4000:]
        match = np.abs(np.correlate(from_int16(tail, bench.full_scales[name]), sent[0, -2000:], "valid"))
        assert match.max() > 10 * np.median(match)


def test_two_n210_with_clocks_of_their_own_hear_the_burst_inside_their_windows():
    need(load_uhd)
    data = n210_config().model_dump() | {"clock": "independent", "clock_source": None, "time_source": None}
    sent = noise(1, 3000)
    with serve(BenchConfig.model_validate(data)) as air, Bench(air.bench) as bench:
        for _ in range(5):
            got = bench.burst(sent, lead=400, tail=64)
            assert not got.one_time
            for name in bench.receivers:
                assert place(got.heard[name], sent[0], bench.full_scales[name])[1] > 10


def test_nothing_is_heard_from_before_the_last_setting(bench):
    """An N210's samples are kept for two seconds; a loud burst of a while ago is not in what is listened to now."""
    bench.listen(1000)
    bench.burst(noise(1, 100_000, seed=2))
    bench.radios["tx"].transmit(noise(1, 300_000), at=bench.radios["tx"].now() + 50_000)
    bench.radios["tx"].settle()
    bench.set_rx_gain(24.0)
    before = bench.radios["rx0"].now()
    quiet = bench.listen(50_000)
    for name in bench.receivers:
        assert quiet.heard[name].start >= before
        level = from_int16(quiet.heard[name].samples, bench.full_scales[name])
        assert np.mean(np.abs(level) ** 2) < 1e-5


def test_two_channels_of_a_soapy_device_hear_one_burst():
    need(load_soapy)
    data = soapy_bench.make_bench(rx_channels=2).model_dump()
    data["receivers"] = [{"name": f"r{k}", "radio": "sdr", "channel": k, "gain_db": 60} for k in range(2)]
    data["links"] = [
        {"transmitter": tx, "receiver": f"r{rx}", "path_loss_db": 60 + 6 * rx, "delay_s": 3e-6}
        for tx in range(2)
        for rx in range(2)
    ]
    sent = noise(2, 4000)
    sent[1] = 0
    with serve(BenchConfig.model_validate(data)) as air, Bench(air.bench) as bench:
        for _ in range(3):
            got = bench.burst(sent)
            assert got.whole
            assert got.heard["r0"].start == got.heard["r1"].start
            first, second = (place(got.heard[name], sent[0], bench.full_scales[name]) for name in bench.receivers)
            assert first[0] == second[0] == got.begins(0) + 3
            assert 20 * np.log10(first[2] / second[2]) == pytest.approx(6, abs=0.3)


def test_two_plutos_cannot_yet_receive_side_by_side():
    need(load_adi)
    ends = ("tx", "rx0", "rx1")
    config = BenchConfig.model_validate(
        {
            "name": "three plutos",
            "sample_rate_hz": 1e6,
            "center_freq_hz": 1e9,
            "clock": "independent",
            "radios": {name: {"driver": "pluto", "uri": "ip:127.0.0.1:1", "virtual": {}} for name in ends},
            "transmitters": [{"radio": "tx", "gain_db": -20}],
            "receivers": [{"name": name, "radio": name} for name in ends[1:]],
            "links": [{"transmitter": 0, "receiver": name, "path_loss_db": 60} for name in ends[1:]],
            "air": {"control_port": 0},
        }
    )
    with serve(config) as air:
        with pytest.raises(RadioError, match=r"receivers on several radios \(rx0, rx1\) need hardware time"):
            Bench(air.bench)
        rows = air.ask("truth", last=4000)["rows"]
        assert [row for row in rows if row["event"] == "buffer" and row["radio"] == "tx"] == []  # a Pluto's DDS is not a burst
