"""Phases over time against their bounds, in both forms."""

import math

import numpy as np
import pytest

from hil.phy.tracking_plain import MOST, held, slot_rate, smooth, track, window_for

FORMS = ("plain", "numba")


def looks_of(theta, power, carriers, time, noise, seed):
    """Pilots times conj(expected), complex [symbol, pilot], turned by phase, slope and slope over carriers."""
    draw = np.random.default_rng(seed)
    shape = (time.size, power.size)
    grain = (draw.standard_normal(shape) + 1j * draw.standard_normal(shape)) * math.sqrt(noise / 2) * np.sqrt(power)
    return power * np.exp(1j * (theta[0] + time[:, None] * (theta[1] + theta[2] * carriers))) + grain


def tracked(form, looks, power, carriers, time, noise, prior):
    """The estimate and the variance of its slope."""
    if form == "plain":
        return track(looks, power, carriers, time, noise, prior)
    kernels = pytest.importorskip("hil.phy.tracking_numba")
    theta = np.zeros(3)
    real, imag = np.ascontiguousarray(looks.T.real), np.ascontiguousarray(looks.T.imag)
    return theta, kernels.track(real, imag, power, carriers, float(time[0]), noise, prior, theta)


@pytest.mark.parametrize("form", FORMS)
def test_phase_slope_and_clock_reach_their_bound(form):
    """With a flat prior, errors scatter as the inverse of the information matrix, σ²/2 (Σ p d dᵀ)⁻¹."""
    power, carriers, noise = np.array([1.0, 0.5, 2.0, 0.8]), np.array([-19.0, -6, 7, 20]), 0.5
    time = 10 + np.arange(60.0)
    truth, prior = np.array([0.4, 0.03, 2e-4]), np.array([10.0, 1e-3, 1e-4])
    errors, told = [], []
    for seed in range(300):
        looks = looks_of(truth, power, carriers, time, noise, seed)
        theta, variance = tracked(form, looks, power, carriers, time, noise, prior)
        errors.append(theta - truth)
        told.append(variance)
    design = np.stack(np.broadcast_arrays(np.ones((60, 4)), time[:, None], time[:, None] * carriers))
    bound = np.linalg.inv(np.einsum("isp,jsp,p->ij", design, design, power) * 2 / noise)
    ratio = np.square(errors).mean(0) / np.diag(bound)
    assert ratio == pytest.approx([1, 1, 1], abs=0.3)
    assert np.mean(told) == pytest.approx(bound[1, 1], rel=0.05)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("slope", [0.0, 0.31, -0.62])
def test_a_slope_of_many_turns_is_found(form, slope):
    power, carriers = np.ones(2), np.array([-12.0, 13])
    time = 8 + np.arange(40.0)
    looks = looks_of((0.1, slope, 0.0), power, carriers, time, 0.3, 4)
    theta, _ = tracked(form, looks, power, carriers, time, 0.3, np.array([0.01, 0.05, 1e-10]))
    assert theta[1] == pytest.approx(slope, abs=6 * math.sqrt(0.3 / 4 / (40**3 / 12)) + 2e-3)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("count", [2, 3, 8, 44])
def test_slot_rate_reaches_its_bound(form, count):
    """Var(ω) = σ² / (2 |z|² M (M² − 1)/12) for M looks at a channel of known subspace."""
    draw, noise, errors = np.random.default_rng(count), 0.02, []
    for _ in range(200):
        channel = draw.standard_normal(16) + 1j * draw.standard_normal(16)
        channel *= 4 / np.linalg.norm(channel)
        rate = draw.uniform(-1, 1)
        grain = (draw.standard_normal((count, 16)) + 1j * draw.standard_normal((count, 16))) * math.sqrt(noise / 2)
        looks = channel * np.exp(1j * rate * np.arange(count))[:, None] + grain
        if form == "plain":
            errors.append(slot_rate(looks) - rate)
        else:
            kernels = pytest.importorskip("hil.phy.tracking_numba")
            parts = (np.ascontiguousarray(part, np.float32) for part in (looks.real, looks.imag))
            errors.append(kernels.slot_rate(*parts, np.eye(16, dtype=np.float32), np.zeros((16, 16), np.float32)) - rate)
    bound = noise / (2 * 16 * count * (count**2 - 1) / 12)
    assert np.mean(np.square(errors)) == pytest.approx(bound, rel=0.35)


def test_pilots_are_judged_without_their_own_part():
    looks = np.array([[1 + 1j, 2 - 1j], [3j, 1]], complex)
    turn, without, share = smooth(looks, np.array([1.0, 2.0]), 1, 0.0)
    total = looks.sum(1)
    np.testing.assert_allclose(turn, total / abs(total))
    np.testing.assert_allclose(without[0], [(2 - 1j) / abs(2 - 1j), (1 + 1j) / abs(1 + 1j)])
    np.testing.assert_allclose(share, [[0.25, 1.0]] * 2)


def test_a_held_phase_is_one_more_look_at_angle_zero():
    looks = np.array([[1 + 1j, 2 - 1j], [3j, 1]], complex)
    turn, without, share = smooth(looks, np.array([1.0, 2.0]), 1, 5.0)
    total = looks.sum(1) + 5
    np.testing.assert_allclose(turn, total / abs(total))
    np.testing.assert_allclose(without[0], [(7 - 1j) / abs(7 - 1j), (6 + 1j) / abs(6 + 1j)])
    np.testing.assert_allclose(share, [[0.5 / 7, 1 / 6]] * 2)


@pytest.mark.parametrize("form", FORMS)
def test_a_phase_is_held_unless_pilots_contradict_it(form):
    """A sum of length 100 with σ²/2 = 0.5 has a phase variance of 0.005; with 0.005 of the prior, 5 σ are 0.5 rad."""
    for angle, expected in ((0.0, 100.0), (0.49, 100.0), (-0.49, 100.0), (0.51, 0.0), (-0.51, 0.0), (3.0, 0.0)):
        looks = np.full((5, 2), 10 * np.exp(1j * angle))
        if form == "plain":
            got = held(looks, 0.005, 0.5)
        else:
            kernels = pytest.importorskip("hil.phy.tracking_numba")
            got = kernels.held(looks.real.T.copy(), looks.imag.T.copy(), 0.005, 0.5)
        assert got == pytest.approx(expected), angle


def test_window_balances_noise_and_walk():
    assert window_for(1.0, 1.0, 4, 0.0) == MOST
    assert window_for(1e-6, 1.0, 4, 1e-4) == 1
    assert window_for(1.0, 1.0, 4, 1e-2) == 13  # √(6 / (4 · 0.01)) = 12.2, made odd
