"""Links brought to an SNR: what is stated against the air's own truth."""

from dataclasses import replace

import numpy as np
import pytest

from hil.calibration.describe import describe_link, linear_range
from hil.calibration.record import CurvePoint
from hil.errors import TooStrongError, TooWeakError
from hil.radios.bench import find_bench
from hil.radios.session import Bench
from tests.unit.calibration.support import loop_on, meet, true_snr_db


@pytest.mark.parametrize(("name", "tx", "target_db"), [("builtin", 0, 15.0), ("builtin", 1, -10.0), ("independent", 0, -6.0)])
def test_a_target_is_met_and_stated_as_the_air_knows_it(name, tx, target_db):
    with Bench(find_bench(name)) as bench:
        loop = loop_on(bench, tx)
        met = meet(loop, target_db)
        truth = true_snr_db(loop, met.level)
    assert met.reached
    assert truth == pytest.approx(target_db, abs=0.3)
    assert met.snr.silence == pytest.approx(truth, abs=0.25)
    assert met.snr.silence_ci[1] - met.snr.silence_ci[0] < 0.5
    assert met.snr.pilots == pytest.approx(met.snr.silence, abs=0.5)
    assert met.snr.data == pytest.approx(met.snr.silence, abs=0.3)
    assert met.snr.disagreement == ""
    assert met.level.back_off_db < 0.25


def test_a_link_that_was_heard_is_searched_near_its_carrier():
    """20 ppm of 50: less than half of the search is left; a link whose frames are lost is searched in all of it again."""
    with Bench(find_bench("independent", overrides={"radios.tx0.ppm": 14.0, "radios.rx.ppm": -6.0})) as bench:
        loop = loop_on(bench, frames=4)
        whole_hz = loop.sounder.config.max_cfo_hz
        loop.listen()
        loop.hear()
        assert 20e-6 * bench.config.center_freq_hz < loop.sounder.config.max_cfo_hz < whole_hz / 1.9
        assert loop.measure().frames == 4
        loop.sounder.expect([])
        assert loop.sounder.config.max_cfo_hz == whole_hz


def test_one_broken_burst_where_nothing_is_heard_yet_ends_no_climb():
    """Its receiver lost samples at the lowest gain; the bursts after it came whole, and silent."""
    with Bench(find_bench("builtin")) as bench:
        loop = loop_on(bench, frames=4)
        sound, broken = loop.sounder.sound, []

        def once_broken(count=1, *, search=False):
            looks = sound(count, search=search)
            if broken:
                return looks
            broken.append(loop.sounder.level)
            return [replace(look, missing=True) for look in looks]

        loop.sounder.sound = once_broken
        loop.listen()
        loop.hear()
        assert loop.measure().frames == 4
    assert [level.total_db for level in broken] == [loop.levels.gains.low]


def test_a_link_is_described_as_the_air_has_it():
    """5 ppm of carrier, 1,234.5 samples of delay, a path of −12 dB two samples later, and faults of both mixers."""
    far = {"transmitter": 0, "path_loss_db": 60.0, "delay_s": 1234.5e-6, "taps": [{"delay_s": 2e-6, "gain_db": -12.0}]}
    near = {"transmitter": 1, "path_loss_db": 60.0}
    changes = {
        "links": [far, near], "radios.tx0.ppm": 2.0, "radios.rx.ppm": -3.0, "radios.rx.dc_offset": [0.01, -0.02],
        "radios.rx.iq_gain_db": 0.5, "radios.tx0.tx_iq_phase_deg": 3.0, "radios.tx0.tx_dc_offset": [0.005, 0.0],
    }  # fmt: skip
    with Bench(find_bench("independent", overrides=changes)) as bench:
        loop = loop_on(bench)
        loop.listen()
        loop.hear()
        at_aim = loop.measure()
        curve = loop.curve(at_aim.silence)
        record = describe_link(loop, at_aim, curve, loop.meet(at_aim.silence, 10.0), 10.0, [])
    assert record.cfo_hz_ci[0] - 0.5 <= 5e-6 * 2.45e9 <= record.cfo_hz_ci[1] + 0.5
    assert record.cfo_ppm == pytest.approx(5.0, abs=0.001)
    assert record.clock_ppm == pytest.approx(5.0, abs=0.3)
    strength = 10**-1.2
    mean = 1234.5 + 2 * strength / (1 + strength)
    assert record.delay_samples == pytest.approx(mean, abs=1.5)  # clocks that only the host compares: a sample
    assert record.delay_spread_samples == pytest.approx(2 * strength**0.5 / (1 + strength), abs=0.1)
    freqs = np.array(loop.sounder.form.numerology.carriers) / 64
    response = 20 * np.log10(np.abs(1 + strength**0.5 * np.exp(-2j * np.pi * freqs * 2)))
    response -= 10 * np.log10(np.mean(10 ** (response / 10)))
    assert np.abs(np.array(record.response_db) - response).max() < 0.5
    assert record.rx_dc_dbfs == pytest.approx(10 * np.log10(5e-4), abs=0.3)
    assert record.images_apart
    assert record.rx_image_db == pytest.approx(-30.8, abs=1.5)  # |1 − g| / |1 + g| of 0.5 dB
    assert record.tx_image_db == pytest.approx(-31.6, abs=1.5)  # tan(1.5°)
    there = 20 * np.log10(1 + strength**0.5) - 10 * np.log10(1 + strength)  # both paths add up on the carrier itself
    assert record.tx_dc_dbc == pytest.approx(20 * np.log10(0.005) + 12 + there, abs=0.7)  # beside −12 dBFS
    assert record.linear_range_db is not None


def test_a_link_that_reaches_a_little_more_serves_less():
    """At most 11.5 dB by the limit: 10 is served, 15 is not, and the message says what stopped it and what the radio has."""
    with Bench(find_bench("builtin")) as bench:
        loop = loop_on(bench)
        whole = true_snr_db(loop, loop.levels.at(0.0))
    limited = {"limits.max_tx_gain_db": round(4 * (11.5 - whole)) / 4, "transmitters": [
        {"radio": "tx", "channel": 0, "gain_db": -60.0}, {"radio": "tx", "channel": 1, "gain_db": -60.0},
    ]}  # fmt: skip
    with Bench(find_bench("builtin", overrides=limited)) as bench:
        loop = loop_on(bench)
        met = meet(loop, 10.0)
        assert true_snr_db(loop, met.level) == pytest.approx(10.0, abs=0.3)
        with pytest.raises(
            TooWeakError, match=r"reaches 11\.\d dB .*limits.max_tx_gain_db; the radio itself has 0 dB.*needs 3"
        ):
            loop.meet(loop.measure().silence, 15.0)


def test_back_off_reaches_below_the_lowest_gain_and_no_further():
    few = {"radios.tx.tx_gain_range_db": [-20.0, 0.0], "transmitters": [
        {"radio": "tx", "channel": 0, "gain_db": -20.0}, {"radio": "tx", "channel": 1, "gain_db": -20.0},
    ]}  # fmt: skip
    with Bench(find_bench("builtin", overrides=few)) as bench:
        loop = loop_on(bench)
        met = meet(loop, 0.0)
        assert met.level.gain_db == -20.0
        assert 20 < met.level.back_off_db < 30
        assert true_snr_db(loop, met.level) == pytest.approx(0.0, abs=0.3)
        with pytest.raises(TooStrongError, match="30 dB of digital back-off"):
            loop.meet(loop.measure().silence, -10.0)


def test_the_range_in_which_snr_follows_the_gain():
    rows = [(-50, -5.0), (-40, 5.0), (-30, 15.0), (-20, 24.8), (-10, 30.0), (0, 28.0)]
    points = [CurvePoint(gain_db=gain, snr_db=gain + 45.0, snr_data_db=data) for gain, data in rows]
    assert linear_range(points) == (-50, -20)
    assert linear_range(points[:1]) is None
