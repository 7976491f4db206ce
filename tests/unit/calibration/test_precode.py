"""Superposed transmitters made h = 1: alignment by transmit pre-equalisation, and its limit."""

import math

import pytest
import torch

from hil.calibration.precode import MAX_INVERSION_DB, align
from hil.errors import CalibrationError

CARRIERS = torch.tensor([*range(-26, 0), *range(1, 27)])


def response(*taps: tuple[float, complex]) -> torch.Tensor:
    return sum(gain * torch.exp(-2j * math.pi / 64 * CARRIERS * delay) for delay, gain in taps)


def test_alignment_makes_one_flat_response_of_the_snr_wanted():
    channels = torch.stack([response((0.3, 1.0), (1.1, 0.2j)), response((2.0, -0.7j), (4.0, 0.1))]).to(torch.complex64)
    found = align(channels, noise=0.01, snr=10.0)
    arrived = channels * found.weights
    assert torch.allclose(arrived[0], arrived[1], atol=1e-6)
    assert torch.allclose(arrived.abs().square(), torch.full((2, 52), 0.1), atol=1e-6)
    assert torch.allclose(arrived[0].angle(), channels[0].angle(), atol=1e-5)  # transmitter 0's timing does not move
    assert found.limited == 0
    assert torch.allclose(found.power, (0.1 / channels.abs().square()).mean(1), rtol=1e-5)


def test_inversion_is_limited_to_6_db():
    deep = response((0.0, 1.0), (1.0, -0.98)).to(torch.complex64)[None]
    found = align(deep, noise=1.0, snr=1.0)
    limited = deep.abs() < deep.abs().square().mean().sqrt() / 10 ** (MAX_INVERSION_DB / 20)
    assert found.limited == int(limited.sum()) > 0
    most = 1 / deep.abs().square().mean().sqrt() * 10 ** (MAX_INVERSION_DB / 20)
    assert float(found.weights.abs().max()) == pytest.approx(float(most), rel=1e-5)


def test_silence_cannot_be_aligned():
    with pytest.raises(CalibrationError, match="not heard"):
        align(torch.zeros(2, 52, dtype=torch.complex64), noise=1.0, snr=1.0)
