"""What layers save: the example of the paper's Section I."""

import pytest

from hil.errors import ConfigError
from hil.models.smrc.multicast import uses_at_best, uses_by_layers, uses_one_by_one

BLOCKS, RATES = (1, 2, 4, 6), (1 / 3, 1 / 2, 2 / 3, 3 / 4)


@pytest.mark.parametrize("size", [1.0, 40.0])
def test_the_papers_example(size):
    """Tiers of B, 2B, 4B, 6B at rates 1/3, 1/2, 2/3, 3/4: 21 B, 18 B and (3 + 7.66 η) B; 11.04 B at η = 1.05 as printed."""
    blocks = [size * block for block in BLOCKS]
    assert uses_one_by_one(blocks, RATES) == pytest.approx(21 * size)
    assert uses_at_best(blocks, RATES) == pytest.approx(18 * size)
    for overhead in (1.0, 1.05, 2.0):
        assert uses_by_layers(blocks, RATES, overhead) == pytest.approx((3 + (7 + 2 / 3) * overhead) * size)
    assert uses_by_layers(blocks, RATES, 1.05) == pytest.approx(11.04 * size, rel=2e-3)


@pytest.mark.parametrize(("blocks", "rates"), [((), ()), ((1, 2), (0.5,)), ((2, 1), (0.5, 0.5)), ((1, 2), (0.5, 0.0))])
def test_tiers_that_cannot_be_are_refused(blocks, rates):
    for way in (uses_one_by_one, uses_at_best, uses_by_layers):
        with pytest.raises(ConfigError, match="tiers need blocks that rise"):
            way(blocks, rates)
