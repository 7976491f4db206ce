"""Estimates of one SNR that disagree: how much distortion there is, and what it is put down to."""

import math

import pytest

from hil.calibration.describe import describe_link
from hil.calibration.distortion import disagreement, distortion_db
from hil.calibration.estimates import Snr
from hil.calibration.mixers import Mixers
from hil.radios.bench import find_bench
from hil.radios.session import Bench
from tests.unit.calibration.support import loop_on

IMAGE_DB = 20 * math.log10((10 ** (1.0 / 20) - 1) / 2)
"""Of a mixer whose branches differ by 1 dB, against the signal."""
CLEAN = Mixers(tx_dc_db=-60.0, tx_image=0j, rx_image=0j, apart=False)


def described(target_db: float, **changes):
    with Bench(find_bench("builtin", overrides=changes)) as bench:
        loop = loop_on(bench, frames=12)
        loop.listen()
        loop.hear()
        at_aim = loop.measure()
        curve = loop.curve(at_aim.silence, points=3)
        met = loop.meet(at_aim.silence, target_db)
        return describe_link(loop, at_aim, curve, met, target_db, []), met


def test_a_clean_link_at_15_db_warns_of_nothing():
    record, _ = described(15.0)
    assert not record.warnings
    assert record.clock_ppm is None  # on one clock it is not looked for
    assert record.snr_data_db == pytest.approx(record.snr_db, abs=0.2)


def test_images_are_named_where_they_are_what_silence_does_not_have():
    record, met = described(18.0, **{"radios.tx.tx_iq_gain_db": 1.0})
    assert distortion_db(met.snr) == pytest.approx(IMAGE_DB, abs=1.0)
    (warning,) = (one for one in record.warnings if one.startswith("SNR by silence"))
    assert "the mixers' images of" in warning


@pytest.mark.parametrize(("change", "least_db", "most_db"), [
    ({"radios.tx.phase_noise_deg": 4.0}, -30.0, 20 * math.log10(math.radians(4.0)) + 1),  # less what pilots take off
    ({"radios.tx.pa_saturation_dbfs": -12.0}, -16.0, -12.0),
])  # fmt: skip
def test_what_is_no_image_is_not_called_one(change, least_db, most_db):
    record, met = described(18.0, **change)
    assert least_db < distortion_db(met.snr) < most_db
    (warning,) = (one for one in record.warnings if one.startswith("SNR by silence"))
    assert "neither images nor clipping" in warning
    assert "phase noise, an amplifier" in warning


def three(silence: float, pilots: float, data: float) -> Snr:
    def around(value):
        return value - 0.1, value + 0.1

    return Snr(
        silence=silence, silence_ci=around(silence), pilots=pilots, pilots_ci=around(pilots), data=data, data_ci=around(data),
        eff=data, frames=24,
    )  # fmt: skip


def test_what_agrees_has_no_words_and_a_louder_silence_is_no_distortion():
    assert disagreement(three(15.0, 14.8, 14.9), CLEAN, []) == ""
    assert disagreement(three(15.0, 16.0, 16.1), CLEAN, []).endswith("more noise in silence than in the frames")
