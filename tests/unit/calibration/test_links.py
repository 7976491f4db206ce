"""Links measured against the air's own truth."""

import math
from types import SimpleNamespace

import pytest
import torch

from hil.calibration.links import LinkCalibration, Sounder, calibrate_links
from hil.errors import CalibrationError
from hil.phy.frame import FrameConfig
from hil.phy.receive import ReceiverConfig
from hil.points.clips import to_complex
from hil.radios.bench import find_bench
from hil.radios.session import Bench

CARRIERS = torch.tensor([*range(-26, 0), *range(1, 27)])
CARRIER_POWER = 10 ** (-12 / 10) * 64 / 52
"""Power of an active carrier at the digital scale of −12 dBFS rms."""
FREQS_HZ = CARRIERS.numpy() * 1e6 / 64


def sounder_on(bench: Bench) -> Sounder:
    def exchange(waveforms, number, receive):
        heard = bench.burst(waveforms.numpy(), lead=300, tail=64).heard
        return {name: receive(name, to_complex(one.samples, bench.full_scales[name])) for name, one in heard.items()}

    receiver = ReceiverConfig(sample_rate_hz=1e6, center_freq_hz=2.45e9)
    receivers = dict.fromkeys(bench.receivers, receiver)
    return Sounder(bench.transmitters, FrameConfig(preamble_samples=480), receivers, exchange, symbols=16)


def limits(bench: Bench):
    return lambda tx: (bench.tx_gain_range(tx).low, bench.tx_gain_range(tx).high)


def test_links_are_measured_as_the_air_knows_them():
    with Bench(find_bench("builtin")) as bench:
        links = calibrate_links(sounder_on(bench), bench.set_tx_gain, limits(bench), frames=40)
        truth = [bench.truth().snr_db(link.tx, CARRIER_POWER, FREQS_HZ) for link in links]
        noise = bench.truth().noise_dbfs()
        gains = [bench.tx_gain(link.tx) for link in links]
    assert [(link.tx, link.receiver, link.frames) for link in links] == [(0, "rx", 40), (1, "rx", 40)]
    assert [link.gain_db for link in links] == gains
    for link, value in zip(links, truth, strict=True):
        assert link.snr_db == pytest.approx(value, abs=0.35)  # 40 silent symbols: 0.10 dB standard deviation
        assert link.noise_dbfs == pytest.approx(noise, abs=0.35)
        assert link.snr_db_std < 0.3
        assert link.cfo_hz == pytest.approx(0, abs=3)  # measured, though the clock is shared: 0.9 Hz standard deviation
        assert link.gain_for(link.snr_db + 3) == pytest.approx(link.gain_db + 3)


def test_every_receiver_has_its_links_and_the_first_one_decides_the_gains():
    """The bench's far receiver is 12 dB weaker; its air says so, and so must the record."""
    with Bench(find_bench("two-receivers")) as bench:
        links = calibrate_links(sounder_on(bench), bench.set_tx_gain, limits(bench), frames=40)
        truth = {name: bench.truth(name).snr_db(0, CARRIER_POWER, FREQS_HZ) for name in bench.receivers}
    of = {(link.receiver, link.tx): link for link in links}
    assert next(iter(of)) == ("near", 0)
    assert {receiver for receiver, _ in of} == {"near", "far"}
    assert of["near", 0].snr_db == pytest.approx(15.0, abs=2.5)  # it aims by one frame: 52 looks at the noise, 0.6 dB
    for name in ("near", "far"):
        assert of[name, 0].snr_db == pytest.approx(truth[name], abs=0.5)
        assert of[name, 0].gain_db == of["near", 0].gain_db
    assert of["near", 0].snr_db - of["far", 0].snr_db == pytest.approx(12.0, abs=0.6)


def test_a_link_that_is_too_weak_is_named():
    bench_config = find_bench("builtin", overrides={"links": [
        {"transmitter": 0, "path_loss_db": 60.0}, {"transmitter": 1, "path_loss_db": 190.0},
    ]})  # fmt: skip
    with Bench(bench_config) as bench, pytest.raises(CalibrationError, match="too weak"):
        calibrate_links(sounder_on(bench), bench.set_tx_gain, limits(bench))


@pytest.mark.parametrize(("search_hz", "words"), [(0.0, "the reference"), (122.5e3, "carriers more than 122.5 kHz apart")])
def test_where_every_frame_is_lost_the_gain_climbs_to_its_limit_and_no_further(search_hz, words):
    class Deaf:
        form, receivers = SimpleNamespace(transmitters=1), ("rx",)

        def sound(self, number):
            return {"rx": None}

    deaf, gains = Deaf(), []
    deaf.search_hz = search_hz
    with pytest.raises(CalibrationError, match=rf"no sounding frame is heard at any transmit gain up to 45\.0 dB.*{words}"):
        calibrate_links(deaf, lambda tx, gain: gains.append(gain) or gain, lambda tx: (0.0, 45.0))
    assert gains == [0.0, 10.0, 20.0, 30.0, 40.0, 45.0]


def test_frames_that_are_lost_after_the_climb_are_named():
    """A first receiver that hears every other frame is too few: the message says how many of how many."""
    with Bench(find_bench("builtin")) as bench:
        whole = sounder_on(bench)
        sound, asked = whole.sound, []

        def half_deaf(number):
            asked.append(number)
            heard = sound(number)
            return heard if len(asked) % 3 == 0 or len(asked) < 12 else dict.fromkeys(heard)

        whole.sound = half_deaf
        with pytest.raises(CalibrationError, match=r"only \d+ of 24 sounding frames were received at transmit gains"):
            calibrate_links(whole, bench.set_tx_gain, limits(bench), frames=24)
    assert asked == list(range(len(asked)))  # no frame number twice


def test_a_further_receiver_that_hears_nothing_has_no_figures():
    with Bench(find_bench("two-receivers")) as bench:
        whole = sounder_on(bench)
        sound = whole.sound
        whole.sound = lambda number: sound(number) | {"far": None}
        links = calibrate_links(whole, bench.set_tx_gain, limits(bench), frames=4)
    far = [link for link in links if link.receiver == "far"]
    assert [link.frames for link in far] == [0] * len(far)
    assert all(math.isnan(value) for link in far for value in (link.snr_db, link.snr_db_std, link.cfo_hz, link.noise_dbfs))


def test_a_record_is_a_line_of_slope_one():
    """SNR in dB goes with the gain in dB; |H|² = SNR · noise."""
    link = LinkCalibration(tx=1, gain_db=20.0, snr_db=15.0, snr_db_std=0.1, cfo_hz=0.0, noise_dbfs=-60.0, frames=40)
    assert link.gain_for(5.0) == 10.0
    assert link.snr_at(10.0) == 5.0
    assert link.amplitude_at(20.0) ** 2 == pytest.approx(10**1.5 * 1e-6)
    assert link.amplitude_at(30.0) / link.amplitude_at(10.0) == pytest.approx(10.0)  # 20 dB


def test_a_link_that_does_not_reach_the_comfortable_snr_is_measured_where_it_can_be():
    config = find_bench("builtin", overrides={"links": [
        {"transmitter": 0, "path_loss_db": 60.0}, {"transmitter": 1, "path_loss_db": 92.0},
    ]})  # fmt: skip
    with Bench(config) as bench:
        links = calibrate_links(sounder_on(bench), bench.set_tx_gain, limits(bench), frames=20)
        truth = bench.truth().snr_db(1, CARRIER_POWER, FREQS_HZ)
    assert links[0].snr_db == pytest.approx(15.0, abs=2.5)
    assert links[1].gain_db == 0.0
    assert links[1].snr_db == pytest.approx(truth, abs=0.5)
    assert 10.0 < truth < 12.0
