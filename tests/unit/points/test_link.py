"""SNR, effective SNR and receiver loss of a point with their intervals: closed forms, and coverage of a known truth."""

import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.coverage import coverage_row
from benchmarks.snr_truth import simulated_links
from hil.points.link import PRIOR, LinkRecord
from hil.points.noise import NoiseLevel, Silence
from hil.units import DB_OF_E

SILENCES = tuple(Silence(at=frame, symbol=0.1, lead=0.1, windows=4) for frame in range(4))


def record(signal, error, *, blocks=None, **more):
    """Frames of one transmitter (or more), heard in order."""
    signal = np.asarray(signal, float).reshape(len(signal), -1)
    known = {
        "signal": signal, "error": np.asarray(error, float), "whole_error": float(np.mean(error)), "silences": SILENCES,
        "blocks": np.arange(len(signal)) if blocks is None else np.asarray(blocks), "active": 52, "sounding": 8, "uses": 4000,
        "fading": False,
    }  # fmt: skip
    return LinkRecord(**(known | more))


def test_snr_is_signal_over_noise_and_loss_what_the_symbols_lack():
    found = record([0.9, 1.1, 1.0, 1.0], [0.11, 0.13, 0.12, 0.12]).snr()
    looks = 52 * 4 * 5
    assert found.noise.looks == looks
    snr = 1.0 / 0.1 * (looks - 1) / looks  # 1/noise has a mean a little above 1/its mean
    assert found.mean_db == pytest.approx(10 * math.log10(snr))
    assert found.eff_db == pytest.approx(-10 * math.log10(0.12))
    assert found.loss_db == pytest.approx(found.mean_db - found.eff_db)
    usual = 2 / (snr * 52 * 8 * 4) + 1 / (snr**2 * 52 * 8 * 4 * 7)  # of a steady link: 8 soundings, 52 carriers, 4 frames
    spread = (3 * 0.02 / 12 + PRIOR * usual) / (3 + PRIOR)  # variance of the mean of .9, 1.1, 1, 1, drawn towards it
    assert found.signal_db == pytest.approx(DB_OF_E * math.sqrt(spread))
    assert found.noise_db == pytest.approx(DB_OF_E / math.sqrt(looks))
    assert found.snr_db_error == pytest.approx([DB_OF_E * math.sqrt(spread + 1 / looks)])


def test_frames_in_which_signal_and_error_rise_together_are_taken_together():
    """A frame half as strong has twice the error: the loss is what they have in common, and that does not spread."""
    power = np.array([0.8, 1.25, 1.0, 1.0])
    together = record(power, 0.12 / power).snr()
    against = record(power, 0.12 * power).snr()
    width = [found.loss_db_ci[1] - found.loss_db_ci[0] for found in (together, against)]
    assert width[0] < 0.5 * width[1]


def test_links_have_snrs_of_their_own_and_one_mean():
    found = record([[1.0, 4.0], [1.2, 4.4], [0.8, 3.6]], [0.1] * 3).snr(NoiseLevel(power=0.1, looks=10**9))
    assert found.snr_db == pytest.approx([10.0, 10 * math.log10(40)])
    assert found.mean_db == pytest.approx(10 * math.log10(25))
    assert len(found.snr_db_ci) == 2
    assert found.snr_db_ci[0][0] < 10.0 < found.snr_db_ci[0][1]


def test_the_runs_noise_stands_in_the_place_of_the_points():
    one = record([1.0, 1.1, 0.9], [0.1] * 3)
    pooled = NoiseLevel(power=0.2, looks=100_000, pool="run")
    found = one.snr(pooled)
    assert found.noise == pooled
    assert found.mean_db == pytest.approx(10 * math.log10(5), abs=1e-3)
    assert found.noise_db == pytest.approx(DB_OF_E / math.sqrt(100_000))
    assert found.eff_db == one.snr().eff_db  # the symbols' error knows of no noise measured elsewhere


def test_frames_of_one_fade_count_as_one():
    signal = np.repeat([0.5, 1.5, 1.0], 8)
    apart = record(signal, np.full(24, 0.1)).snr()
    faded = record(signal, np.full(24, 0.1), blocks=np.repeat([0, 1, 2], 8), fading=True).snr()
    assert faded.mean_db == apart.mean_db
    assert faded.signal_db > 2 * apart.signal_db


def test_a_single_fade_says_nothing_of_the_mean():
    found = record([1.0], [0.1], fading=True).snr()
    assert not math.isnan(found.mean_db)
    assert all(math.isnan(end) for end in (*found.mean_db_ci, *found.loss_db_ci))


def test_of_nothing_there_is_nothing():
    nothing = replace(
        record([1.0], [0.1]), signal=np.zeros((0, 1)), error=np.zeros(0), blocks=np.zeros(0, np.int64), silences=()
    )
    found = nothing.snr()
    assert found.noise is None
    assert all(math.isnan(value) for value in (*found.snr_db, found.mean_db, found.eff_db, found.loss_db, *found.mean_db_ci))


@pytest.mark.parametrize("frames", [1, 2, 6, 24])
def test_intervals_hold_the_truth(frames):
    """Six points from −6 to 9 dB under one pooled noise; 1,800 intervals of each kind, so ±1.6 % with what points share."""
    found = coverage_row("links", simulated_links(frames), 300)
    for case, share in found["cases"].items():
        assert 93.0 - 1.6 <= share <= 97.0 + 1.6, case


def test_a_level_that_all_frames_share_widens_what_the_symbols_say_and_not_the_links_snr():
    noise = NoiseLevel(power=0.4, looks=10**9)
    alone, together = (record([1.0] * 3, [0.12] * 3, **more).snr(noise) for more in ({}, {"level_symbols": 100.0}))
    assert alone.level_db == 0
    assert together.level_db == pytest.approx(DB_OF_E * math.sqrt(2 / (2.5 * 52 * 100)))
    assert together.mean_db_ci == alone.mean_db_ci
    half = (together.eff_db_ci[1] - together.eff_db_ci[0]) / 2
    assert half == pytest.approx(1.96 * together.level_db, rel=1e-3)  # frames do not differ here
    assert together.loss_db_ci[1] - together.loss_db_ci[0] > alone.loss_db_ci[1] - alone.loss_db_ci[0]


def test_the_shared_level_is_what_an_equaliser_that_is_off_makes_of_the_error_power():
    """y/Ĝ against x, drawn: Ĝ from so many symbols, the same in all uses of a point."""
    rng, snr, symbols, carriers, points = np.random.default_rng(2), 0.25, 40, 52, 400

    def noise(*shape):
        return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) * math.sqrt(0.5)

    sent, heard = noise(points, 20_000), noise(points, 20_000) / math.sqrt(snr)
    wrong = 1 + noise(points) / math.sqrt(snr * symbols * carriers)
    error = (np.abs((sent + heard) / wrong[:, None] - sent) ** 2).mean(1)
    found = record([snr] * 3, [1.0] * 3, level_symbols=float(symbols)).snr(NoiseLevel(power=1.0, looks=10**9))
    own = 1 / 20_000  # of the error power itself
    assert np.std(error) / np.mean(error) == pytest.approx(math.hypot(found.level_db / DB_OF_E, math.sqrt(own)), rel=0.12)
