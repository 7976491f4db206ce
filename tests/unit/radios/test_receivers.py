"""Several receivers: their description, and bursts that all of them hear, each through links of its own."""

import math
from typing import Any

import numpy as np
import pytest

from hil.errors import ConfigError, RadioError
from hil.radios.bench import BenchConfig, find_bench, load_bench
from hil.radios.burst import Heard
from hil.radios.scaling import from_int16
from hil.radios.session import Bench
from hil.radios.testing import find_burst
from tests.conftest import ROOT

RATE = 1e6


def make_config(*, receivers: Any, radios: dict[str, Any], **more: Any) -> BenchConfig:
    """One transmitter 60 dB from every receiver, 1.3 µs away."""
    names = [end["name"] for end in receivers]
    data = {
        "name": "several",
        "sample_rate_hz": RATE,
        "center_freq_hz": 1e9,
        "clock": "shared",
        "radios": {"tx": {"driver": "sim", "rx_channels": 0}, **radios},
        "transmitters": [{"radio": "tx", "gain_db": -20}],
        "receivers": receivers,
        "links": [{"transmitter": 0, "receiver": name, "path_loss_db": 60, "delay_s": 1.3e-6} for name in names],
    }
    return BenchConfig.model_validate(data | more)


def two_channels(**options: Any) -> BenchConfig:
    """Both receivers on one radio."""
    return make_config(
        receivers=[{"name": "left", "radio": "rx", "channel": 1}, {"name": "right", "radio": "rx", "channel": 0}],
        radios={
            "tx": {"driver": "sim", "rx_channels": 0} | options,
            "rx": {"driver": "sim", "tx_channels": 0, "rx_channels": 2} | options,
        },
    )


def two_radios(ppm: tuple[float, float, float] = (0, 0, 0), **more: Any) -> BenchConfig:
    """Each receiver a radio; oscillators of transmitter and receivers in ppm."""
    names = ("tx", "rx0", "rx1")
    radios = {
        name: {"driver": "sim", "ppm": off, f"{'rx' if name == 'tx' else 'tx'}_channels": 0}
        for name, off in zip(names, ppm, strict=True)
    }
    ends = [{"name": "a", "radio": "rx0"}, {"name": "b", "radio": "rx1"}]
    return make_config(receivers=ends, radios=radios, clock="independent" if any(ppm) else "shared", **more)


def noise(rows: int, n: int, seed: int = 1) -> np.ndarray:
    """Complex Gaussian, −17 dBFS rms."""
    draw = np.random.default_rng(seed)
    return (0.1 * (draw.normal(size=(rows, n)) + 1j * draw.normal(size=(rows, n)))).astype(np.complex64)


def in_band(rows: int, n: int, seed: int = 1) -> np.ndarray:
    """The same over ±0.4 of the sample rate only, where `Truth.link_gain` looks and filters are flat."""
    spectrum = np.fft.fft(noise(rows, n, seed))
    spectrum[:, np.abs(np.fft.fftfreq(n)) > 0.4] = 0
    return np.fft.ifft(spectrum).astype(np.complex64)


def power(heard: Heard, full_scale: float) -> float:
    return float(np.mean(np.abs(from_int16(heard.samples, full_scale)) ** 2))


# --- the description


def test_one_receiver_is_a_list_of_one_named_rx() -> None:
    config = load_bench(ROOT / "radios" / "builtin.toml", {"receiver.gain_db": 55.0})
    assert [end.name for end in config.receivers] == ["rx"]
    assert config.receiver == config.receivers[0] == config.receiver_named("rx") == config.receiver_named(None)
    assert config.receiver.gain_db == 55.0
    assert BenchConfig.model_validate(config.model_dump(mode="json")) == config
    with pytest.raises(ConfigError, match=r"no receiver named 'rxx'; did you mean 'rx'"):
        config.receiver_named("rxx")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"receiver": {"radio": "rx0"}}, "either 'receiver' or 'receivers'"),
        ({"receivers": []}, "receivers"),
        ({"receivers": [{"name": "a", "radio": "rx0"}, {"name": "a", "radio": "rx1"}]}, "different names"),
        ({"receivers": [{"name": "a", "radio": "rx0"}, {"name": "b", "radio": "rx0"}]}, "same channel"),
        ({"receivers": [{"name": "a", "radio": "rx0"}, {"name": "b", "radio": "nobody"}]}, "no radio named 'nobody'"),
        ({"receivers": [{"name": "a/b", "radio": "rx0"}]}, "pattern"),
        (
            {"receivers": [{"name": "a", "radio": "rx0", "antenna": "RX2"},
                           {"name": "b", "radio": "rx0", "channel": 1, "antenna": "TX/RX"}]},
            "same antenna",
        ),
        ({"links": [{"transmitter": 0, "path_loss_db": 60}]}, "must say whose they are"),
        ({"links": [{"transmitter": 0, "receiver": "a", "path_loss_db": 60}]}, "missing: 0 to 'b'"),
        ({"links": [{"transmitter": 0, "receiver": "c", "path_loss_db": 60}]}, "must join"),
        ({"links": [{"transmitter": 0, "receiver": name, "path_loss_db": 60} for name in "aab"]}, "at most once"),
    ],
)  # fmt: skip
def test_wrong_receivers_and_links_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BenchConfig.model_validate(two_radios().model_dump() | change)


def test_a_link_may_leave_out_the_only_receiver() -> None:
    links = find_bench(ROOT / "radios" / "builtin.toml").links
    assert [link.receiver for link in links] == [None, None]
    data = find_bench(ROOT / "radios" / "builtin.toml").model_dump()
    data["links"][1]["receiver"] = "rx"
    assert BenchConfig.model_validate(data).links[1].receiver == "rx"


# --- bursts


def test_the_far_receiver_hears_the_same_burst_12_db_weaker() -> None:
    with Bench(find_bench(ROOT / "radios" / "two-receivers.toml")) as bench:
        assert bench.receivers == ("near", "far")
        assert bench.full_scales == {"near": 2048.0, "far": 2048.0}
        wave = in_band(2, 60_000)
        wave[1] = 0
        got = bench.burst(wave)
        assert list(got.heard) == ["near", "far"]
        assert got.whole
        assert got.events == ()
        assert got.samples is got.heard["near"].samples
        assert got.heard["near"].start == got.heard["far"].start == got.start
        quiet = bench.listen(60_000)
        signal = {
            name: power(got.heard[name], bench.full_scales[name]) - power(quiet.heard[name], bench.full_scales[name])
            for name in bench.receivers
        }
        gains = {name: bench.truth(name).link_gain(0) for name in bench.receivers}
        true_db = 10 * math.log10(gains["near"] / gains["far"])
        assert true_db == pytest.approx(12, abs=0.5)  # the direct paths' 12 dB, and echoes
        assert 10 * math.log10(signal["near"] / signal["far"]) == pytest.approx(true_db, abs=0.15)
        difference = bench.truth("near").snr_db(0, 1.0) - bench.truth("far").snr_db(0, 1.0)
        assert difference == pytest.approx(true_db, abs=1e-9)
        assert bench.truth().describe() == bench.truth("near").describe()


def test_where_a_burst_begins_is_known_up_to_the_links_delay() -> None:
    with Bench(find_bench(ROOT / "radios" / "two-receivers.toml")) as bench:
        for tx in range(2):
            bench.set_tx_gain(tx, -5.0)
            wave = in_band(2, 4000, seed=tx)
            wave[1 - tx] = 0
            got = bench.burst(wave, lead=700)
            assert got.one_time
            for name, delay_s in (("near", (0.33e-6, 0.41e-6)), ("far", (1.21e-6, 1.08e-6))):
                heard, _ = find_burst(got.heard[name].samples, wave[tx], bench.full_scales[name])
                begins = got.begins(tx, name)
                assert begins is not None
                assert heard - begins == pytest.approx(delay_s[tx] * RATE, abs=0.25)


def test_a_receiver_hears_the_same_whether_or_not_another_one_listens() -> None:
    both = find_bench(ROOT / "radios" / "two-receivers.toml").model_dump()
    alone = both | {"receivers": both["receivers"][:1], "links": both["links"][:2]}
    wave = noise(2, 5000)
    results = []
    for data in (both, alone):
        with Bench(BenchConfig.model_validate(data)) as bench:
            results.append([bench.burst(wave * (k + 1) / 3) for k in range(3)])
    for one, other in zip(*results, strict=True):
        assert one.start == other.start
        assert one.sent_at == other.sent_at
        assert (one.heard["near"].samples == other.heard["near"].samples).all()


def test_two_channels_of_one_radio_have_one_oscillator_and_noise_of_their_own() -> None:
    with Bench(two_channels()) as bench:
        assert bench.receivers == ("left", "right")
        got = bench.burst(noise(1, 50_000), lead=0, tail=0)
        left, right = (from_int16(got.heard[name].samples, 2048) for name in ("left", "right"))
        match = np.vdot(left, right) / np.linalg.norm(left) / np.linalg.norm(right)
        assert abs(match) > 0.95  # 0.5° of phase noise that each had for itself would not show, another burst would
        quiet = bench.listen(100_000)
        a, b = (from_int16(quiet.heard[name].samples, 2048) for name in ("left", "right"))
        assert abs(np.vdot(a, b)) / np.linalg.norm(a) / np.linalg.norm(b) < 5 / math.sqrt(100_000)
        rows = bench.settings("rx").rx_channels
        assert rows == (1, 0)


def test_gains_are_set_by_receiver() -> None:
    with Bench(two_radios()) as bench:
        assert bench.set_rx_gain(50.1, "b") == 50.0
        assert (bench.rx_gain(), bench.rx_gain("a"), bench.rx_gain("b")) == (60.0, 60.0, 50.0)
        assert bench.set_rx_gain(55.0) == bench.rx_gain("a") == 55.0
        quiet = bench.listen(100_000)
        levels = {name: 10 * math.log10(power(quiet.heard[name], 2048)) for name in bench.receivers}
        for name in bench.receivers:
            assert levels[name] == pytest.approx(bench.truth(name).noise_dbfs(), abs=0.1)
        with pytest.raises(RadioError, match="'receiver' must be one of a, b, not 'c'"):
            bench.set_rx_gain(50.0, "c")
        with pytest.raises(RadioError, match="receiver 'b': 'gain_db'"):
            bench.set_rx_gain(99.0, "b")


def test_a_burst_longer_than_the_airs_memory_reaches_every_receiver_whole() -> None:
    """Simulated receivers take turns, and an air forgets what is older than a second."""
    config = two_radios(sample_rate_hz=1e5)
    with Bench(config) as bench:
        wave = noise(1, 140_000)
        got = bench.burst(wave, lead=100, tail=100)
        assert got.events == ()
        for heard in got.heard.values():
            assert len(heard.samples) == 140_200
            tail, _ = find_burst(heard.samples[-3200:], wave[0, -3000:], 2048)
            begins = got.begins(0)
            assert begins is not None
            assert tail == pytest.approx(begins + 137_000 - (140_200 - 3200), abs=0.3)


def test_receivers_with_clocks_of_their_own_hear_the_burst_inside_their_windows() -> None:
    with Bench(two_radios(ppm=(3.0, -15.0, 20.0))) as bench:
        wave = noise(1, 3000)
        bench.listen(2_000_000)  # by now the clocks are 70 samples apart
        for _ in range(3):
            got = bench.burst(wave, lead=300, tail=100)
            assert not got.one_time
            assert got.begins(0) is None
            assert got.heard["a"].start != got.heard["b"].start
            for name, off in (("a", 18.0), ("b", -17.0)):
                samples = from_int16(got.heard[name].samples, 2048) * np.exp(
                    -2j * np.pi * off * 1e-6 * 1e9 / RATE * np.arange(len(got.heard[name].samples))
                )
                match = np.abs(np.correlate(samples, wave[0], "valid"))
                assert match.max() > 10 * np.median(match)
                assert 140 <= match.argmax() <= 310


def test_every_link_fades_for_itself() -> None:
    links = [
        {"transmitter": 0, "receiver": name, "path_loss_db": 50, "fading": "rayleigh", "fading_block_s": 0.002} for name in "ab"
    ]
    gains: dict[str, list[complex]] = {"a": [], "b": []}
    wave = noise(1, 500)
    with Bench(two_radios(links=links)) as bench:
        for _ in range(200):
            got = bench.burst(wave, lead=64, tail=64)
            begins = got.begins(0)
            assert begins is not None
            for name in bench.receivers:
                samples = from_int16(got.heard[name].samples, 2048)[begins : begins + 500]
                static = bench.truth(name).response(0, np.zeros(1))[0]
                measured = complex(np.vdot(wave[0], samples) / np.vdot(wave[0], wave[0]) / static)
                true = bench.truth(name).fade(0, got.start + begins)
                assert abs(measured - true) < 0.1
                gains[name].append(true)
    a, b = np.array(list(dict.fromkeys(gains["a"]))), np.array(list(dict.fromkeys(gains["b"])))
    assert len(a) == len(b) > 150  # most bursts fall into a block of their own
    assert abs(np.vdot(a, b)) / np.linalg.norm(a) / np.linalg.norm(b) < 0.3
    assert np.mean(np.abs(a) ** 2) == pytest.approx(1, abs=0.3)


def test_receivers_on_several_radios_need_time_and_are_refused_before_anything_is_sent() -> None:
    data = two_radios().model_dump()
    data["radios"]["rx1"]["timed"] = False
    with pytest.raises(RadioError, match=r"receivers on several radios \(rx0, rx1\) need hardware time.*'rx1' has none"):
        Bench(BenchConfig.model_validate(data))
    data = two_radios().model_dump()
    data["radios"]["tx"]["timed"] = False
    with pytest.raises(RadioError, match="'tx' has none"):
        Bench(BenchConfig.model_validate(data))


@pytest.mark.parametrize("cyclic", [True, False])
def test_receivers_on_one_radio_need_no_time(cyclic: bool) -> None:
    with Bench(two_channels(timed=False, cyclic=cyclic)) as bench:
        wave = noise(1, 3000)
        got = bench.burst(wave)
        assert list(got.heard) == ["left", "right"]
        for heard in got.heard.values():
            position, quality = find_burst(heard.samples, wave[0], 2048)
            assert quality > 8
            assert position + 3000 < len(heard.samples)
        assert got.begins(0) is None


def test_three_transmitters_are_heard_alone_and_together() -> None:
    with Bench(find_bench(ROOT / "radios" / "three.toml")) as bench:
        assert bench.transmitters == 3
        waves = noise(3, 20_000)
        rms = []
        for tx in range(3):
            alone = np.zeros_like(waves)
            alone[tx] = waves[tx]
            got = bench.burst(alone)
            rms.append(power(got.heard["rx"], bench.full_scale))
            assert find_burst(got.samples, waves[tx], bench.full_scale)[1] > 8
        assert np.ptp(10 * np.log10(rms)) < 1.0  # comparable links at the gains that the bench starts with
        together = bench.burst(waves)
        assert all(sent is not None for sent in together.sent_at)
        for tx in range(3):
            assert find_burst(together.samples, waves[tx], bench.full_scale)[1] > 8
        assert power(together.heard["rx"], bench.full_scale) == pytest.approx(sum(rms), rel=0.1)
