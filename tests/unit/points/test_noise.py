"""Noise in silence: of one burst, pooled over a run, and where it drifts; on noise that is drawn here."""

import math

import numpy as np
import pytest
import torch

from hil.phy.numerology import Numerology
from hil.points.noise import Silence, lead_is_silent, level_of, measure_silence, pool_noise

ACTIVE = 52


def silent(rng, power=1.0, *, windows=4, lead=None, at=0):
    """One burst's silence; its means over carriers and symbols have their true distribution."""
    own = rng.gamma(ACTIVE, power / ACTIVE)
    if not windows:
        return Silence(at=at, symbol=own, lead=math.nan, windows=0)
    of_lead = power if lead is None else lead
    return Silence(at=at, symbol=own, lead=rng.gamma(ACTIVE * windows, of_lead / (ACTIVE * windows)), windows=windows)


def run(rng, powers, frames=24, **more):
    """Points of a run one after the other, each at its own noise."""
    return [
        [silent(rng, power, at=100 * point + frame, **more) for frame in range(frames)] for point, power in enumerate(powers)
    ]


def test_noise_is_measured_on_the_active_carriers_of_whole_symbols():
    numerology = Numerology()
    size = numerology.fft_size
    start = 3 * size + 20 - numerology.cyclic_prefix // 2
    rng = np.random.default_rng(1)
    spectrum = np.zeros((4, size), complex)
    bins = list(numerology.bins)
    spectrum[:, bins] = (rng.normal(size=(4, len(bins))) + 1j * rng.normal(size=(4, len(bins)))) / 2**0.5
    others = [at for at in range(size) if at not in bins]
    spectrum[:, others] = 30.0  # leakage that nobody sends on
    samples = np.concatenate([np.full(20, 9.0), np.fft.ifft(spectrum, norm="ortho").reshape(-1)])  # 20 that fill no symbol
    found = measure_silence(torch.from_numpy(samples.astype(np.complex64)), start, numerology, at=77)
    power = np.square(np.abs(spectrum[:, bins])).mean(1)
    assert found.symbol == pytest.approx(power[3], rel=1e-5)
    assert found.lead == pytest.approx(power[:3].mean(), rel=1e-5)
    assert (found.windows, found.at) == (3, 77)
    alone = measure_silence(torch.from_numpy(samples[3 * size :].astype(np.complex64)), start - 3 * size, numerology)
    assert alone.windows == 0
    assert math.isnan(alone.lead)


def test_a_point_rests_on_silent_symbols_and_silent_leads():
    rng = np.random.default_rng(2)
    own = run(rng, [0.01])[0]
    found = level_of(own, ACTIVE)
    assert (found.looks, found.pool) == (ACTIVE * 24 * 5, "point")
    assert found.power == pytest.approx(0.01, rel=4 / found.looks**0.5)
    assert level_of([], ACTIVE) is None
    short = [silent(rng, windows=0) for _ in range(24)]
    assert level_of(short, ACTIVE).looks == ACTIVE * 24


@pytest.mark.parametrize("lead", [1.3, 0.5])
def test_a_lead_that_is_not_as_silent_is_left_out(lead):
    """More where a transmitter repeats its waveform, less where one is switched on with the frame."""
    own = run(np.random.default_rng(3), [1.0], lead=lead)[0]
    assert not lead_is_silent(own, ACTIVE)
    found = level_of(own, ACTIVE)
    assert found.looks == ACTIVE * 24
    assert found.power == pytest.approx(1.0, abs=4 / found.looks**0.5)
    assert pool_noise([own], ACTIVE).without_lead == 1


def test_noise_that_stays_is_one_for_the_run():
    points = run(np.random.default_rng(4), [2.0] * 8)
    found = pool_noise([*points, []], ACTIVE)  # of the last nothing was heard
    assert found.whole.pool == "run"
    assert found.whole.looks == 8 * 24 * 5 * ACTIVE
    assert found.levels[:8] == (found.whole,) * 8
    assert found.levels[8] is None
    assert found.whole.power == pytest.approx(2.0, rel=4 / found.whole.looks**0.5)
    assert found.drift_p > 1e-3


@pytest.mark.parametrize("powers", [[1.0] * 7 + [1.15], list(np.linspace(1.0, 1.1, 8))], ids=["one point", "a trend"])
def test_noise_that_drifts_is_each_points_own(powers):
    points = run(np.random.default_rng(5), powers)
    found = pool_noise(points, ACTIVE)
    assert found.drift_p < 1e-3
    assert found.whole.pool == "point"
    for own, level, power in zip(points, found.levels, powers, strict=True):
        assert level == level_of(own, ACTIVE)
        assert level.power == pytest.approx(power, rel=4 / level.looks**0.5)


def test_the_trend_is_in_decibels_over_the_run():
    found = pool_noise(run(np.random.default_rng(6), list(10 ** np.linspace(0, 0.05, 24))), ACTIVE)
    assert found.trend_db == pytest.approx(0.5, abs=0.05)


def test_drift_is_rarely_seen_where_there_is_none():
    """p of 400 runs of steady noise is as often below p as p says (the two tests together: not more often)."""
    rng = np.random.default_rng(7)
    found = np.array([pool_noise(run(rng, [1.0] * 6, frames=8), ACTIVE).drift_p for _ in range(400)])
    assert 0.02 <= (found < 0.05).mean() <= 0.08
    assert (found < 1e-3).mean() <= 0.01


def test_nothing_heard_is_nothing_known():
    found = pool_noise([[], []], ACTIVE)
    assert (found.levels, found.whole, found.drift_p, found.trend_db) == ((None, None), None, None, None)
