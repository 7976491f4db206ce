"""How alike the codewords of two transmitters are: cos² as in Lo et al., Sec. V-A, and what it is by chance.

Source: papers/README, "cos²": (Re⟨x1, x2⟩)²/(‖x1‖²‖x2‖²), mean over tasks; 1/(2n) for independent codewords of n complex uses.
"""

from __future__ import annotations

from itertools import combinations

import torch
from torch import Tensor

__all__ = ["chance_level", "mean_squared_cosine", "own_codewords", "squared_cosine"]

FLOOR = 1e-12


def squared_cosine(first: Tensor, second: Tensor) -> Tensor:
    """cos² of codewords, float [task], from complex [task, n] each."""
    inner = (first.conj() * second).real.sum(-1)
    energy = first.abs().square().sum(-1) * second.abs().square().sum(-1)
    return inner.square() / energy.clamp_min(FLOOR)


def chance_level(uses: int) -> float:
    """Mean cos² of independent codewords without a preferred direction in n complex, so 2n real dimensions."""
    return 1 / (2 * uses)


def own_codewords(symbols: Tensor, occupied: Tensor) -> list[Tensor]:
    """Each transmitter's codewords on the uses that it occupies, complex [task, n_k] each.

    Args:
        symbols: complex [tx, task, use].
        occupied: bool [tx, use].
    """
    return [own[:, uses] for own, uses in zip(symbols, occupied.to(symbols.device), strict=True)]


def mean_squared_cosine(symbols: Tensor, occupied: Tensor) -> Tensor:
    """cos² averaged over tasks and over pairs of transmitters with equally many uses; 0 where there is none. A scalar.

    Args:
        symbols: complex [tx, task, use].
        occupied: bool [tx, use].
    """
    pairs = [
        squared_cosine(first, second).mean()
        for first, second in combinations(own_codewords(symbols, occupied), 2)
        if first.shape == second.shape
    ]
    return torch.stack(pairs).mean() if pairs else symbols.real.new_zeros(())
