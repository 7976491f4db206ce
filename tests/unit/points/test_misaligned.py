"""Errors of alignment: what they multiply uses by, and what the receiver makes of them."""

import math

import pytest
import torch

from hil.phy.frame import FrameConfig, FrameFormat
from hil.phy.quality import use_carriers
from hil.points.misaligned import error_gains, seen_by_receiver

OCCUPIED = torch.ones(2, 16, dtype=torch.bool)
FORM = FrameFormat(FrameConfig(tasks_per_frame=6), OCCUPIED)
TASKS = 1200


def gains(kind, size, seed=3):
    return error_gains(kind, size, FORM, TASKS, seed=seed)


def test_phases_have_the_spread_asked_for_and_are_one_a_task():
    found = gains("phase", 30.0)
    assert torch.equal(found[0], torch.ones_like(found[0]))
    angles = found[1].angle()
    assert torch.equal(angles, angles[:, :1].expand_as(angles))
    assert math.degrees(float(angles[:, 0].std())) == pytest.approx(30, rel=0.06)
    assert float(gains("phase", 180.0)[1, :, 0].mean().abs()) < 0.1  # uniform
    assert torch.equal(found, gains("phase", 30.0))


def test_power_has_the_ratio_asked_for_and_its_mean_kept():
    power = gains("power", 3.0).abs().square()[:, 0, 0]
    assert 10 * math.log10(power[0] / power[1]) == pytest.approx(3, abs=1e-5)
    assert float(power.mean()) == pytest.approx(1, abs=1e-6)


def test_a_delay_turns_each_carrier_by_its_own_phase():
    found = gains("delay", 0.25)
    carriers = torch.tensor(FORM.numerology.carriers)[use_carriers(FORM)]
    expected = torch.remainder(-2 * math.pi * 0.25 / 64 * carriers + math.pi, 2 * math.pi) - math.pi
    assert torch.allclose(found[1, :6].angle(), expected, atol=1e-5)
    assert torch.equal(found[1, :6], found[1, 6:12])  # frame after frame
    assert torch.equal(found[0], torch.ones_like(found[0]))


def test_the_receiver_divides_by_the_mean():
    phi = torch.full((1, 4), 1.0)
    both = torch.stack([torch.ones(1, 4, dtype=torch.complex64), torch.polar(torch.ones(1, 4), phi)])
    relative, power = seen_by_receiver(both, torch.ones(2, 4, dtype=torch.bool))
    assert torch.allclose(relative.mean(0), torch.ones(1, 4, dtype=torch.complex64), atol=1e-6)
    assert torch.allclose(power, torch.cos(phi / 2) ** 2, atol=1e-6)
    alone = torch.tensor([[True, True, False, True], [True, False, True, True]])
    relative, power = seen_by_receiver(both, alone)
    assert torch.allclose(relative[:, 0, 1], torch.tensor([1.0 + 0j, 0]))
    assert float(power[0, 2]) == pytest.approx(1, abs=1e-6)
