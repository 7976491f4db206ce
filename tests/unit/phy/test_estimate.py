"""Estimators that have a closed form."""

import pytest
import torch

from hil.phy.estimate import delay_basis, delay_projection, smooth_phasor
from hil.phy.numerology import Numerology
from tests.unit.phy.signals import noise


def test_projection_keeps_the_taps_and_their_share_of_the_noise():
    numerology = Numerology()
    basis, projection = delay_basis(numerology, -4, 16), delay_projection(numerology, -4, 16)
    torch.testing.assert_close(basis.conj().T @ basis, torch.eye(16, dtype=torch.complex128), atol=1e-10, rtol=0)
    carriers = torch.tensor(numerology.carriers)
    delayed = torch.exp(-2j * torch.pi / 64 * 7 * carriers)
    torch.testing.assert_close(delayed @ projection, delayed, atol=1e-5, rtol=0)
    left = noise(4000 * 52, 1.0, 1).view(4000, 52) @ projection
    assert float(left.abs().square().mean()) == pytest.approx(16 / 52, rel=0.02)


def test_moving_average_is_shortened_at_the_ends():
    phasor = torch.tensor([1, 2, 4, 8, 16], dtype=torch.complex64)
    expected = [1.5, 7 / 3, 14 / 3, 28 / 3, 12.0]
    assert smooth_phasor(phasor, 3).real.tolist() == pytest.approx(expected)
