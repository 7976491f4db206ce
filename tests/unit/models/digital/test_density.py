"""The learned density is one, and its tables say the same."""

import numpy as np
import torch

from hil.models.digital.density import SIZE, FactorizedDensity
from hil.models.digital.tables import PRECISION


def trained(elements=5, seed=0):
    """A density with parameters that are not the initial ones."""
    torch.manual_seed(seed)
    density = FactorizedDensity(elements)
    for parameter in density.parameters():
        parameter.data += 0.5 * torch.randn_like(parameter)
    return density


def test_it_integrates_to_one_and_its_steps_sum_to_one():
    density = trained()
    grid = torch.linspace(-1000, 1000, 100_001, dtype=torch.float64).expand(5, -1).clone().requires_grad_()
    (slope,) = torch.autograd.grad(torch.sigmoid(density.logits(grid)).sum(), grid)
    assert float(slope.min()) >= 0
    torch.testing.assert_close(torch.trapezoid(slope, grid.detach()), torch.ones(5, dtype=torch.float64), atol=1e-5, rtol=0)
    integers = torch.arange(-1000, 1001, dtype=torch.float64).expand(5, -1)
    torch.testing.assert_close(density.probability(integers).sum(1), torch.ones(5, dtype=torch.float64), atol=1e-5, rtol=0)


def test_it_learns_the_entropy_of_what_it_is_shown():
    torch.manual_seed(1)
    density = FactorizedDensity(2)
    scale = torch.tensor([1.0, 4.0])
    optimiser = torch.optim.Adam(density.parameters(), lr=3e-2)
    for _ in range(400):
        latents = 3 + scale * torch.randn(256, 2) + torch.rand(256, 2) - 0.5
        loss = density.bits(latents).mean()
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
    rounded = (3 + scale * torch.randn(20_000, 2)).round()
    gaussian = 0.5 * torch.log2(2 * torch.pi * torch.e * (scale.square() + 1 / 12)).sum()  # differential entropy, unit steps
    assert abs(density.bits(rounded).mean().item() - gaussian.item()) < 0.12


def test_tables_hold_the_density_around_its_median():
    density = trained(seed=3)
    with torch.no_grad():
        density.biases[-1][0] += 40.0  # far from 0
    tables, first = density.tables()
    assert tables.shape == (5, SIZE + 1)
    assert (np.diff(tables).sum(1) == 1 << PRECISION).all()
    values = torch.from_numpy(first)[:, None] + torch.arange(SIZE)
    with torch.no_grad():
        probability = density.probability(values.double()).numpy()
    known = probability.sum(1) > 0.999
    assert known.any()
    widths = np.diff(tables) / 2**PRECISION
    assert np.abs(widths - probability)[known].max() < 2e-3


def test_far_tails_are_not_zero_and_have_gradients():
    density = FactorizedDensity(3)
    latents = torch.tensor([[0.0, 60.0, -60.0]], requires_grad=True)
    (slope,) = torch.autograd.grad(density.bits(latents).sum(), latents)
    assert density.probability(latents.detach().T).min().item() > 0
    assert bool(torch.isfinite(slope).all())
    assert float(slope[0, 1]) > 0 > float(slope[0, 2])
