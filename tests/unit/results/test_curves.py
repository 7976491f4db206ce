"""Curves between their points: closed forms, and errors of both axes against the scatter of experiments."""

import math

import numpy as np
import pytest

from hil.results.curves import REACH_DB, STEEPEST, Curve, Point, Reading, SnrErrors
from hil.results.estimate import Estimate


def estimated(value, unit="share"):
    return Estimate(value=value, unit=unit, clusters=np.ones(1), tasks=np.ones(1), distinct=1000, effective=100.0)


def curve(*places, unit="share"):
    points = [
        Point(number=number, estimate=estimated(value, unit), reading=Reading(snr_db=snr_db))
        for number, (snr_db, value) in enumerate(places)
    ]
    return Curve(points, unit)


def expit(value):
    return 1 / (1 + math.exp(-value))


def test_at_its_points_it_is_what_was_measured():
    read = curve((6.0, 0.9), (-6.0, 0.2), (0.0, 0.6))  # in any order
    for snr_db, value, number in ((-6.0, 0.2, 1), (0.0, 0.6, 2), (6.0, 0.9, 0)):
        spot = read.at(snr_db)
        assert spot.value == pytest.approx(value)
        assert {key: weight for key, weight in spot.weights.items() if abs(weight) > 1e-12} == pytest.approx({number: 1.0})


def test_shares_are_read_on_the_logit():
    spot = curve((0.0, expit(-1.0)), (4.0, expit(3.0))).at(1.0)  # log odds rise by 1 a dB
    assert spot.value == pytest.approx(0.5)
    assert spot.slope == pytest.approx({0: -0.75 * 0.25, 1: -0.25 * 0.25})  # p(1 − p) = ¼
    low = expit(-1.0) * (1 - expit(-1.0))
    assert spot.weights[0] == pytest.approx(0.75 * 0.25 / low)


def test_decibels_are_read_as_they_are():
    spot = curve((0.0, 10.0), (4.0, 18.0), unit="dB").at(1.0)
    assert (spot.value, spot.weights, spot.slope) == (12.0, {0: 0.75, 1: 0.25}, {0: -1.5, 1: -0.5})


def test_beyond_its_ends_it_is_read_a_little_further_only():
    read = curve((0.0, 10.0), (4.0, 18.0), unit="dB")
    assert read.at(4.0 + REACH_DB).value == 20.0
    assert read.at(-REACH_DB).value == 8.0
    assert (read.at(4.01 + REACH_DB), read.at(-0.01 - REACH_DB)) == (None, None)


def test_of_one_point_the_slope_is_doubt():
    spot = curve((3.0, 0.5)).at(3.4)
    assert spot.value == 0.5
    assert spot.doubt == pytest.approx(0.4 * STEEPEST["share"] * 0.25)
    assert curve((3.0, 0.5)).at(3.0).doubt == 0.0
    assert curve((3.0, 12.0), (3.0, 12.0), unit="dB").at(2.5).doubt == pytest.approx(0.5 * STEEPEST["dB"])


def test_points_at_one_snr_are_stepped_over():
    read = curve((0.0, 10.0), (4.0, 18.0), (4.0, 18.4), unit="dB")
    assert math.isfinite(read.at(4.0).value)
    assert read.at(4.5).value == pytest.approx(19.0)


def test_nothing_right_and_all_right_can_be_read():
    read = curve((0.0, 0.0), (3.0, 1.0))
    assert read.at(1.5).value == pytest.approx(0.5)
    assert 0 < read.at(0.0).value < 1e-3


def test_errors_of_both_axes_are_the_scatter():
    """Points of a known curve, measured with errors of value and SNR, one shared by all: read at a fixed SNR."""
    rng, found = np.random.default_rng(1), []
    truth = [(0.0, -1.0), (3.0, 0.5), (6.0, 1.4)]
    own_db, shared_db, error = 0.1, 0.15, 0.01
    for _ in range(4000):
        shared = shared_db * rng.normal()
        measured = [(snr + own_db * rng.normal() + shared, expit(odds) + error * rng.normal()) for snr, odds in truth]
        found.append(curve(*measured).at(2.0).value)
    spot = curve(*((snr, expit(odds)) for snr, odds in truth)).at(2.0)
    readings = {
        number: Reading(snr_db=snr, own_db=own_db, shared_db=shared_db, pool="rx") for number, (snr, _) in enumerate(truth)
    }
    load = SnrErrors(readings).load(spot.slope)
    assert len(load) == 4  # three of their own, one pool
    variance = load @ load + error**2 * sum(weight**2 for weight in spot.weights.values())
    assert np.mean(found) == pytest.approx(spot.value, abs=1e-3)
    assert np.std(found) == pytest.approx(variance**0.5, rel=0.04)


def test_pools_are_kept_apart():
    readings = {
        0: Reading(snr_db=0.0, shared_db=0.2, pool="near"),
        1: Reading(snr_db=1.0, shared_db=0.3, pool="far"),
        2: Reading(snr_db=2.0, shared_db=0.2, pool="near"),
    }
    assert SnrErrors(readings).load({0: 1.0, 1: 2.0, 2: -0.5}).tolist() == pytest.approx([0, 0, 0, 0.1, 0.6])
    assert SnrErrors({}).load({}).tolist() == []
