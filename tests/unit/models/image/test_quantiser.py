"""Bits: exactly 0 or 1, the sigmoid's gradient, and power met by both rules."""

import pytest
import torch

from hil.models.image.quantiser import binary, bits_to_symbols
from hil.models.load import build_network
from hil.models.recipe import Recipe


def test_bits_are_whole_and_their_gradient_is_the_sigmoids():
    latent = torch.tensor([-3.0, -0.1, 0.0, 0.2, 40.0], requires_grad=True)
    bits = binary(latent)
    assert bits.tolist() == [0.0, 0.0, 0.0, 1.0, 1.0]
    weights = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    (bits * weights).sum().backward()
    soft = torch.sigmoid(latent.detach())
    torch.testing.assert_close(latent.grad, weights * soft * (1 - soft), rtol=0, atol=0)


def test_the_gradient_passes_the_antipodal_rule_with_its_slope():
    latent = torch.randn(3, 8, generator=torch.Generator().manual_seed(1), requires_grad=True)
    symbols = bits_to_symbols(binary(latent), torch.ones(1, 4, dtype=torch.bool), literal=False)
    torch.view_as_real(symbols).sum().backward()
    soft = torch.sigmoid(latent.detach())
    torch.testing.assert_close(latent.grad, 2**0.5 * soft * (1 - soft))


@pytest.mark.parametrize("rule", ["antipodal", "literal"])
def test_the_power_of_each_image_is_met(rule):
    torch.manual_seed(2)
    recipe = Recipe(name="tiny", scheme="sd-jscc", image_size=(16, 16), uses=37, binary_power=rule)
    network = build_network(recipe).eval()
    views = torch.rand(6, 1, 3, 16, 16, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        symbols = network.encode(views).symbols
    torch.testing.assert_close(symbols.abs().square().mean(2), torch.ones(1, 6), rtol=0, atol=1e-6)
    values = torch.view_as_real(symbols)[0].flatten(1)
    for one in values:
        levels = one.unique()
        assert len(levels) == 2
        assert float(levels[0]) == pytest.approx(0.0 if rule == "literal" else -float(levels[1]))
    if rule == "antipodal":
        torch.testing.assert_close(values.abs(), torch.full_like(values, 0.5**0.5), rtol=0, atol=0)
