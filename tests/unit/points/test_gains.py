"""From the calibration record to transmit gains, and what of the record a point is told; the bench here is arithmetic."""

import pytest

from hil.calibration.levels import Level
from hil.calibration.links import LinkCalibration
from hil.errors import CalibrationError
from hil.phy.receive import ReceiverConfig
from hil.points.needs import capture_needs, sounding_frames
from hil.points.on_air import AirRun
from hil.radios.contract import Range
from tests.unit.points.synthetic import spec_of, turns

RECEIVER = ReceiverConfig()


class Bench:
    """Transmitters whose gains move in steps within a range, as a radio's do."""

    def __init__(self, *ranges):
        self.ranges, self.transmitters, self.gains = ranges, len(ranges), {}

    def tx_gain_range(self, tx):
        return self.ranges[tx]

    def tx_gain(self, tx):
        return self.gains.get(tx, 0.0)

    def set_tx_gain(self, tx, gain_db):
        assert gain_db in self.ranges[tx]
        self.gains[tx] = self.ranges[tx].nearest(gain_db)
        return self.gains[tx]


def link(tx, *, gain_db, snr_db, receiver="near", noise_dbfs=-60.0):
    return LinkCalibration(
        tx=tx, receiver=receiver, gain_db=gain_db, snr_db=snr_db, snr_db_std=0.1, cfo_hz=0.0, noise_dbfs=noise_dbfs, frames=40
    )


@pytest.fixture
def air():
    """Two transmitters, two receivers; the far one is weaker and noisier."""
    bench = Bench(Range(low=-40.0, high=0.0, step=0.25), Range(low=-30.0, high=10.0, step=1.0))
    made = AirRun(bench, None, {"near": RECEIVER, "far": RECEIVER})
    made.links = [
        link(0, gain_db=-20.0, snr_db=15.1),
        link(1, gain_db=-10.0, snr_db=14.7),
        link(0, gain_db=-20.0, snr_db=5.0, receiver="far", noise_dbfs=-50.0),
        link(1, gain_db=-10.0, snr_db=8.0, receiver="far", noise_dbfs=-50.0),
    ]
    return made


def total(levels):
    return [level.total_db for level in levels]


def test_the_first_receivers_links_are_brought_to_the_target(air):
    """A dB of gain is a dB of SNR: −20 + 10 − 15.1 = −25.1, −10 + 10 − 14.7 = −14.7: the step above, and back-off inside it."""
    levels = air.levels_for(10.0)
    assert [level.gain_db for level in levels] == [-25.0, -14.0]
    assert [level.back_off_db for level in levels] == pytest.approx([0.1, 0.7])
    assert [link.tx for link in air.first_links()] == [0, 1]
    assert total(air.levels_for(15.1)) == pytest.approx([-20.0, -9.6])


def test_levels_are_set_as_the_radio_takes_them(air):
    assert air.set_levels([Level(gain_db=-25.1, back_off_db=0.2), Level(gain_db=-14.7)]) == [
        Level(gain_db=-25.0, back_off_db=0.2), Level(gain_db=-15.0),
    ]  # fmt: skip
    assert air.bench.gains == {0: -25.0, 1: -15.0}


def test_the_top_of_a_range_is_forgiven_half_a_db_and_30_db_of_back_off_lie_below_it(air):
    assert total(air.levels_for(35.15)) == [0.0, 10.0]  # 0.05 and 0.45 dB more than there is
    with pytest.raises(CalibrationError) as info:
        air.levels_for(36.0)
    # what would go on link 0: 15.1 + (−70 … 0) + 20
    for words in ("36 dB on link 0 needs a transmit gain of 0.9 dB", "-40…0 dB", "30 dB less", "SNRs in -35…35 dB"):
        assert words in str(info.value)
    low = air.levels_for(-20.0)
    assert [level.gain_db for level in low] == [-40.0, -30.0]
    assert [level.back_off_db for level in low] == pytest.approx([15.1, 14.7])
    with pytest.raises(CalibrationError, match=r"-36 dB on link 0 needs a transmit gain of -71.1 dB"):
        air.levels_for(-36.0)


def test_an_encoder_is_told_the_snr_of_the_level_that_is_set(air):
    spec = spec_of(turns(8, 2))
    levels = air.levels_for(10.0)
    told = air.known(spec, levels, tell_snr=True)
    assert told.tx_snr_db == pytest.approx((10.0, 10.0))
    one = air.known(spec_of(turns(8, 1)), [Level(gain_db=-25.0, back_off_db=0.5)], tell_snr=True)
    assert one.tx_snr_db == pytest.approx((9.6,))  # 15.1 − 5.5
    assert air.known(spec, levels, tell_snr=False) == spec


def test_where_links_fade_each_receiver_is_told_the_amplitude_before_the_fade(air):
    """Root of the mean of SNR · noise over the point's transmitters, at the gains in force; nothing is told elsewhere."""
    spec = spec_of(turns(8, 2), full_scales=(32768.0, 32768.0), fading="air")
    named = [one.model_copy(update={"name": name}) for one, name in zip(spec.receptions, ("near", "far"), strict=True)]
    spec = spec.model_copy(update={"receptions": tuple(named)})
    levels = [Level(gain_db=-25.0), Level(gain_db=-14.0, back_off_db=1.0)]
    near, far = (one.receiver.reference for one in air.known(spec, levels, tell_snr=False).receptions)
    assert near**2 == pytest.approx((10**1.01 + 10**0.97) / 2 * 1e-6)
    assert far**2 == pytest.approx((10**0.0 + 10**0.3) / 2 * 1e-5)
    alone = spec.model_copy(update={"occupied": spec.occupied[:1], "power": (1.0,)})
    assert air.known(alone, levels, tell_snr=False).receptions[0].receiver.reference ** 2 == pytest.approx(10**1.01 * 1e-6)
    still = spec.model_copy(update={"fading": "none"})
    assert air.known(still, levels, tell_snr=False) == still


def test_frame_numbers_of_the_calibration_suffice():
    assert sounding_frames(fading=False) == 64
    assert sounding_frames(fading=True) > 400 + 5 * 16  # frames averaged, and sixteen looks at each step of the climb


def test_what_a_run_needs_grows_with_what_it_sends():
    spec = spec_of(turns(24, 2), tasks=240)
    form = spec.format()
    base = capture_needs([spec], 1e6, transmitters=2)
    twice = capture_needs([spec, spec], 1e6, transmitters=2)
    assert twice.samples - base.samples == spec.frames * (form.samples + 464)  # and the window around each
    assert twice.bytes - base.bytes > 4 * (twice.samples - base.samples)  # int16 I and Q, and what is written about them
    assert capture_needs([spec], 1e6, transmitters=2, receivers=2).samples == 2 * base.samples
    assert base.duration_s == pytest.approx(base.samples / 1e6)
    superposed = spec_of(turns(24, 2) | True, tasks=240)
    aligned = capture_needs([superposed], 1e6, transmitters=2)
    payload = superposed.frames * (superposed.format().samples + 464)
    assert aligned.samples - 64 * 8000 - payload > 2 * 64 * form.numerology.symbol_samples  # the sounding that aligns
