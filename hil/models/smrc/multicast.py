"""What layers save where receivers want different resolutions: symbols sent for all of them, by three ways.

Source: Mortaheb et al., Semantic Multi-Resolution Communications, Sec. I.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hil.errors import ConfigError

__all__ = ["uses_at_best", "uses_by_layers", "uses_one_by_one"]


def uses_one_by_one(blocks: Sequence[float], rates: Sequence[float]) -> float:
    """(a): each tier's block is sent to itself, at its own rate: Σ B_i/r_i.

    Args:
        blocks: sizes of the tiers' encoded pictures, rising.
        rates: of the weakest receiver in each tier.

    Raises:
        ConfigError: sizes that do not rise from above 0, rates that are not above 0, or not as many of both.
    """
    _check(blocks, rates)
    return sum(size / rate for size, rate in zip(blocks, rates, strict=True))


def uses_at_best(blocks: Sequence[float], rates: Sequence[float]) -> float:
    """(b): the best tier's block is sent to all, at the lowest rate; as `uses_one_by_one`."""
    _check(blocks, rates)
    return max(blocks) / min(rates)


def uses_by_layers(blocks: Sequence[float], rates: Sequence[float], overhead: float = 1.0) -> float:
    """(c): each tier is sent what it lacks of the one below: B_1/r_1 + η Σ (B_i − B_{i−1})/r_i; as `uses_one_by_one`.

    Args:
        blocks, rates: by tier.
        overhead: η, how much larger a layer is than what it adds.
    """
    _check(blocks, rates)
    added = [above - below for below, above in pairwise(blocks)]
    return blocks[0] / rates[0] + overhead * sum(size / rate for size, rate in zip(added, rates[1:], strict=True))


def _check(blocks: Sequence[float], rates: Sequence[float]) -> None:
    if not blocks or len(blocks) != len(rates) or min(rates) <= 0 or any(low >= high for low, high in pairwise([0, *blocks])):
        raise ConfigError(
            f"tiers need blocks that rise from above 0 and a rate above 0 for each, not {list(blocks)} and {list(rates)}"
        )
