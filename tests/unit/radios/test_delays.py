"""A chain's constant delay: windows that follow it, searches that find it, and its measurement against the air's truth."""

import math

import numpy as np
import pytest

from hil.errors import RadioError
from hil.radios.bench import BenchConfig
from hil.radios.delays import measure_delay
from hil.radios.scaling import from_int16
from hil.radios.session import Bench
from hil.radios.windows import plan_windows

LEAD, TAIL, N = 400, 64, 5000


def make_config(delays, *, timed=True, clock="shared", ppm=0.0, radios=1):
    """One transmitting radio of two channels and a receiver a link; `delays` in samples at 1 MS/s, [tx][receiver]."""
    names = [f"r{index}" for index in range(len(delays[0]))]
    receiving = {"driver": "sim", "tx_channels": 0, "rx_channels": len(names), "ppm": ppm, "timed": timed}
    return BenchConfig.model_validate(
        {
            "name": "late",
            "sample_rate_hz": 1e6,
            "center_freq_hz": 1e9,
            "clock": clock,
            "radios": {
                "tx": {"driver": "sim", "tx_channels": 2, "rx_channels": 0, "timed": timed},
                **{f"rx{index}": receiving for index in range(radios)},
            },
            "transmitters": [{"radio": "tx", "channel": channel, "gain_db": -20} for channel in range(len(delays))],
            "receivers": [
                {"name": name, "radio": f"rx{index % radios}", "channel": index // radios, "gain_db": 60}
                for index, name in enumerate(names)
            ],
            "links": [
                {"transmitter": tx, "receiver": name, "path_loss_db": 60, "delay_s": delays[tx][index] * 1e-6}
                for tx in range(len(delays))
                for index, name in enumerate(names)
            ],
        }
    )


def wave(rows, n=N):
    """Noise on row 0 (and on 1, where there are two that send)."""
    draw = np.random.default_rng(3)
    return (0.2 * (draw.normal(size=(rows, n)) + 1j * draw.normal(size=(rows, n)))).astype(np.complex64)


def place(heard, sent, full_scale=2048.0):
    """Where a whole burst [n] is in a receiver's samples; None where it is not whole there."""
    samples = from_int16(heard.samples, full_scale)
    if len(samples) < len(sent):
        return None
    match = np.abs(np.correlate(samples, sent, "valid"))
    peak = int(match.argmax())
    whole = match[peak] > 0.9 * np.linalg.norm(sent) * np.linalg.norm(samples[peak : peak + len(sent)])
    return peak if whole else None


def strongest(heard, sent, full_scale=2048.0):
    """Where a burst [n] is in a receiver's samples, whatever else is in them."""
    return int(np.abs(np.correlate(from_int16(heard.samples, full_scale), sent, "valid")).argmax())


def test_windows_follow_the_delays_of_those_that_send():
    config = make_config([[0, 0, 0], [0, 0, 0]], radios=2)
    delays = {(0, "r0"): 100, (1, "r0"): 160, (0, "r1"): 1000, (0, "r2"): 40}
    alone = plan_windows(config, delays, [0], 500)
    assert alone.shifts == {"r0": 100, "r1": 1000, "r2": 40}
    assert set(alone.lengths.values()) == {500}
    assert alone.first == {"rx0": 40, "rx1": 1000}  # r0 and r2 are on one radio
    assert alone.length == 560
    both = plan_windows(config, delays, [0, 1], 500)  # transmitter 0 starts 60 samples later
    assert both.shifts == {"r0": 160, "r1": 0, "r2": 0}
    assert both.lengths == {"r0": 500, "r1": 1560, "r2": 600}
    assert both.first == {"rx0": 0, "rx1": 0}
    assert both.length == 1560
    search = plan_windows(config, delays, [0, 1], 500, late=20_000)
    assert set(search.shifts.values()) == {0}
    assert set(search.lengths.values()) == {20_500}
    assert plan_windows(config, {}, [], 500).length == 500


@pytest.mark.parametrize("delay", [0, 165, 2000, 20_000])
def test_a_late_burst_is_whole_once_its_delay_is_set_or_searched_for(delay):
    with Bench(make_config([[delay]])) as bench:
        sent = wave(1)
        plain = bench.burst(sent, lead=LEAD, tail=TAIL)
        assert (place(plain.heard["r0"], sent[0]) is not None) == (delay <= TAIL)
        assert len(plain.samples) == LEAD + N + TAIL
        found = bench.burst(sent, lead=LEAD, tail=TAIL, search=True).heard["r0"]
        assert place(found, sent[0]) - found.due == delay
        assert len(found.samples) == LEAD + N + TAIL + 20_000
        bench.set_delay(0, delay)
        assert bench.delay(0) == delay
        for _ in range(5):
            got = bench.burst(sent, lead=LEAD, tail=TAIL)
            at = place(got.heard["r0"], sent[0])
            assert LEAD // 2 <= at <= LEAD
            assert at - got.heard["r0"].due == delay
            assert got.begins(0) == got.heard["r0"].due
            assert len(got.samples) == LEAD + N + TAIL


def test_every_receiver_has_its_own_window_and_superposed_bursts_fit_it():
    """Two transmitters 165 and 2,000 samples late at a receiver, where they arrive together; 30 and 0 at another."""
    delays = [[165, 30], [2000, 0]]
    with Bench(make_config(delays)) as bench:
        for tx, row in enumerate(delays):
            for receiver, delay in zip(bench.receivers, row, strict=True):
                bench.set_delay(tx, delay, receiver)
        sent = wave(2)
        for used in ((0,), (1,), (0, 1)):
            burst = np.zeros_like(sent)
            burst[list(used)] = sent[list(used)]
            got = bench.burst(burst, lead=LEAD, tail=TAIL)
            late = max(delays[tx][0] for tx in used)
            for index, name in enumerate(bench.receivers):
                heard = got.heard[name]
                arrival = {tx: late - delays[tx][0] + delays[tx][index] for tx in used}
                assert len(heard.samples) == LEAD + N + TAIL + max(arrival.values()) - min(arrival.values())
                for tx in used:
                    assert strongest(heard, sent[tx]) - heard.due == arrival[tx]
                    assert got.begins(tx, name) == heard.due + late - delays[tx][0]
                assert heard.due + max(arrival.values()) + N + TAIL <= len(heard.samples)
                assert heard.due + min(arrival.values()) >= LEAD // 2


def test_windows_of_receivers_on_radios_of_their_own():
    with Bench(make_config([[165, 7000]], radios=2)) as bench:
        bench.set_delay(0, 165, "r0")
        bench.set_delay(0, 7000, "r1")
        sent = wave(1)
        got = bench.burst(sent, lead=LEAD, tail=TAIL)
        for name, delay in (("r0", 165), ("r1", 7000)):
            assert place(got.heard[name], sent[0]) - got.heard[name].due == delay
            assert len(got.heard[name].samples) >= LEAD + N + TAIL


def test_an_untimed_burst_is_received_for_as_much_longer():
    with Bench(make_config([[20_000]], timed=False)) as bench:
        sent = wave(1)
        found = bench.burst(sent, lead=LEAD, tail=TAIL, search=True).heard["r0"]
        assert place(found, sent[0]) is not None
        assert found.due is None
        bench.set_delay(0, 20_000)
        assert place(bench.burst(sent, lead=LEAD, tail=TAIL).heard["r0"], sent[0]) is not None


@pytest.mark.parametrize("delay", [0.33, 165.0, 1999.6, 19_999.25])
def test_the_delay_is_measured_to_a_fraction_of_a_sample(delay):
    with Bench(make_config([[0.0, delay]])) as bench:
        found = measure_delay(bench, 0)
        assert found["r1"].samples == pytest.approx(delay, abs=0.05)
        assert found["r0"].samples == pytest.approx(0.0, abs=0.05)
        assert found["r1"].spread < 0.05
        assert (found["r1"].heard, found["r1"].tries, found["r1"].receiver) == (3, 3, "r1")
        assert abs(found["r1"].cfo_hz) < 20


def test_on_clocks_of_their_own_the_delay_holds_for_the_moment_and_the_offset_is_found():
    with Bench(make_config([[300.0]], clock="independent", ppm=-12.0)) as bench:
        found = measure_delay(bench, 0)["r0"]
        assert found.samples == pytest.approx(300, abs=1.0)
        assert found.cfo_hz == pytest.approx(12e-6 * 1e9, abs=50)


def test_a_link_that_is_not_heard_has_no_delay():
    config = make_config([[10.0]])
    deaf = config.model_copy(update={"links": (config.links[0].model_copy(update={"path_loss_db": 190.0}),)})
    with Bench(deaf) as bench:
        found = measure_delay(bench, 0, tries=2)["r0"]
        assert math.isnan(found.samples)
        assert (found.heard, found.tries) == (0, 2)


@pytest.mark.parametrize(("tx", "samples", "receiver"), [(1, 0, None), (0, 0, "nobody"), (0, 50_001, None), (0, -257, None)])
def test_a_delay_that_cannot_be_is_refused(tx, samples, receiver):
    with Bench(make_config([[0.0]])) as bench:
        with pytest.raises(RadioError, match=r"tx|receiver|samples"):
            bench.set_delay(tx, samples, receiver)
        bench.set_delay(0, -20)
        sent = wave(1)
        assert place(bench.burst(sent, lead=LEAD, tail=TAIL).heard["r0"], sent[0]) is not None
