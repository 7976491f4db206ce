"""Gain steps and back-off: every total is met exactly, by the least gain that reaches it."""

import math

import pytest

from hil.calibration.levels import MOST_BACK_OFF_DB, Level, Levels
from hil.radios.contract import Range


@pytest.mark.parametrize("total", [-89.5, -53.3, -0.01, 0.0, -100.0])
def test_a_total_is_met_by_the_least_step_that_reaches_it(total):
    levels = Levels(gains=Range(low=-89.75, high=0.0, step=0.25), radio_high_db=0.0)
    level = levels.at(total)
    assert level.total_db == pytest.approx(total, abs=1e-9)
    assert level.back_off_db >= 0
    assert level.back_off_db < 0.25 or level.gain_db == -89.75


def test_beyond_either_end_is_the_end():
    levels = Levels(gains=Range(low=0.0, high=31.3, step=0.5), radio_high_db=60.0)
    assert levels.at(40.0) == Level(gain_db=31.0, back_off_db=0.0)  # the last step on the grid below the limit
    assert levels.at(-90.0) == Level(gain_db=0.0, back_off_db=MOST_BACK_OFF_DB)
    assert levels.limited


def test_a_continuous_gain_needs_no_back_off():
    levels = Levels(gains=Range(low=-10.0, high=10.0), radio_high_db=10.0)
    assert levels.at(1.2345) == Level(gain_db=1.2345, back_off_db=0.0)
    assert not levels.limited


def test_a_bit_is_six_decibels():
    assert Level(gain_db=0.0, back_off_db=20 * math.log10(2)).converter_bits == pytest.approx(1.0)
