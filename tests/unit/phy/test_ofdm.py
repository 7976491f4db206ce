"""OFDM with a unitary FFT."""

import math

import torch

from hil.phy.numerology import Numerology
from hil.phy.ofdm import demodulate, modulate


def test_ofdm_is_unitary_and_cyclic():
    numerology = Numerology()
    grid = torch.randn(5, 52, dtype=torch.complex64)
    samples = modulate(grid, numerology)
    assert samples.shape == (5 * 80,)
    bins = demodulate(samples, numerology)
    torch.testing.assert_close(bins[:, list(numerology.bins)], grid, atol=1e-5, rtol=0)
    assert bins[:, list(numerology.null_bins)].abs().max() < 1e-5
    body = samples.view(5, 80)[:, 16:]
    torch.testing.assert_close(body.abs().square().sum(), grid.abs().square().sum())
    early = demodulate(samples, numerology, advance=4)[:, list(numerology.bins)]
    ramp = torch.exp(-2j * math.pi / 64 * 4 * torch.tensor(numerology.carriers))
    torch.testing.assert_close(early, grid * ramp, atol=1e-4, rtol=0)
