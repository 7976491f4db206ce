"""How numbers are written."""

import pytest

from hil.report.measure import Measure, mean_snr_db, number, sentence, snr_list, target_text
from hil.results.document import MetricValue

SHARE = Measure(name="hit", title="hit rate", unit="share", better="higher")
DECIBEL = Measure(name="psnr", title="PSNR", unit="dB", better="higher")
PLAIN = Measure(name="nmse", title="NMSE", unit="1", better="lower")


@pytest.mark.parametrize(
    ("measure", "heading", "value", "ends", "difference", "bound"),
    [
        (SHARE, "hit rate (%)", "81.2", "[78.0, 84.1]", "−1.23", "±3 points"),
        (DECIBEL, "PSNR (dB)", "0.81", "[0.78, 0.84]", "−0.01", "±0.03 dB"),
        (PLAIN, "NMSE", "0.812", "[0.780, 0.841]", "−0.012", "±0.03"),
    ],
)
def test_each_unit(measure, heading, value, ends, difference, bound):
    assert measure.heading == heading
    assert measure.text(0.8121) == value
    assert measure.interval((0.78, 0.8412)) == ends
    assert measure.difference(-0.0123) == difference
    assert measure.within(0.03) == bound


def test_a_share_below_one_percent_has_a_digit_more():
    assert SHARE.text(0.0012) == "0.12"
    assert SHARE.text(0.0) == "0.0"
    assert SHARE.text(0.0112) == "1.1"


def test_one_point_is_singular():
    assert SHARE.within(0.01) == "±1 point"
    assert SHARE.within(0.03 / 3) == "±1 point"


def test_what_is_not_known_is_a_dash():
    assert SHARE.text(None) == number(None) == number(float("nan")) == SHARE.difference(None) == "–"
    assert SHARE.interval(None) == SHARE.interval((None, 0.3)) == ""


def test_minus_signs_and_zero():
    assert number(-0.04, 1) == "0.0"
    assert number(-6.0, 1) == "−6.0"
    assert number(0.5, 1, sign=True) == "+0.5"
    assert target_text(-2.5) == "−2.5"
    assert snr_list([-6, -3, 0.5]) == "−6, −3 and 0.5 dB"
    assert snr_list([15.0]) == "15 dB"


def test_sentence_leaves_mixed_case_alone():
    assert [sentence(text) for text in ("top-1", "mAP", "PSNR")] == ["Top-1", "mAP", "PSNR"]


def test_mean_snr_is_linear():
    assert mean_snr_db([0.0, 10.0]) == pytest.approx(7.4036, abs=1e-4)  # 10 log10(5.5)
    assert mean_snr_db([None, 3.0]) == pytest.approx(3.0)
    assert mean_snr_db([None]) is mean_snr_db(None) is None


def test_gain_knows_which_way_is_better():
    assert SHARE.gain(0.5, 0.4) == pytest.approx(0.1)
    assert PLAIN.gain(0.5, 0.4) == pytest.approx(-0.1)


def test_title_falls_back_to_the_name():
    value = MetricValue(value=1.0, n=1, unit="1", better="lower")
    assert Measure.of("nmse", value).title == "nmse"
