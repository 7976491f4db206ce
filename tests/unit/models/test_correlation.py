"""cos² of codewords: closed forms, and its level by chance."""

import pytest
import torch

from hil.models.correlation import chance_level, mean_squared_cosine, own_codewords, squared_cosine


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(seed))


def test_closed_forms():
    first = normal(5, 16)
    angle = torch.linspace(0, 3, 5)
    turned = first * torch.polar(torch.full((5,), 2.5), angle)[:, None]
    torch.testing.assert_close(squared_cosine(first, turned), angle.cos().square())
    assert float(squared_cosine(first, torch.zeros_like(first)).max()) == 0


@pytest.mark.parametrize("uses", [32, 64])
def test_independent_codewords_are_at_the_level_of_chance(uses):
    """Table I's OMA values, 0.0151 and 0.0165, are 1/64 = 0.0156 of 32 uses."""
    found = squared_cosine(normal(20_000, uses, seed=1), normal(20_000, uses, seed=2))
    error = float(found.std()) / 20_000**0.5
    assert float(found.mean()) == pytest.approx(chance_level(uses), abs=4 * error)
    assert chance_level(32) == pytest.approx(0.0156, abs=1e-4)


def test_pairs_are_compared_on_their_own_uses():
    occupied = torch.zeros(2, 8, dtype=torch.bool)
    occupied[0, :4] = occupied[1, 4:] = True
    word = normal(3, 4)
    symbols = torch.zeros(2, 3, 8, dtype=torch.complex64)
    symbols[0, :, :4], symbols[1, :, 4:] = word, -word
    assert [own.shape for own in own_codewords(symbols, occupied)] == [(3, 4), (3, 4)]
    assert float(mean_squared_cosine(symbols, occupied)) == pytest.approx(1.0)
    assert float(mean_squared_cosine(symbols[:1], occupied[:1])) == 0  # nobody to be like
    three = torch.stack([word, word, 1j * word])
    assert float(mean_squared_cosine(three, torch.ones(3, 4, dtype=torch.bool))) == pytest.approx(1 / 3)
