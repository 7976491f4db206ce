"""Bits and SNR: what a capacity-achieving code carries over the Gaussian multiple-access channel at equal rates.

R bits from each of N transmitters are carried if, for every group A of them, |A|·R ≤ Σ_use log2(1 + Σ_{k∈A} |h_k|²·SNR_k).
With one transmitter this is q·log2(1 + SNR).

Source: Cover and Thomas, Elements of Information Theory, Sec. 15.3 (capacity region); Lo et al., Sec. V-A (equal rates).
"""

from __future__ import annotations

import math
from itertools import combinations

import torch
from torch import Tensor

__all__ = ["alone_bits", "equal_rate_bits", "minimum_snr_db"]


def equal_rate_bits(snr: Tensor) -> Tensor:
    """Bits that each transmitter gets through, all at the same rate.

    Args:
        snr: float [tx, task, use], linear, of each transmitter's link; 0 where it does not send, or nothing was received.

    Returns:
        float [task].
    """
    everyone = range(len(snr))
    groups = [list(group) for size in range(1, len(snr) + 1) for group in combinations(everyone, size)]
    return torch.stack([torch.log2(1 + snr[group].sum(0)).sum(-1) / len(group) for group in groups]).amin(0)


def alone_bits(snr: Tensor) -> Tensor:
    """Bits that each transmitter gets through where the others are but noise to it: Σ_use log2(1 + S_k/(1 + Σ_{j≠k} S_j)).

    Args:
        snr: as `equal_rate_bits`.

    Returns:
        float [task, tx].
    """
    return torch.log2(1 + snr / (1 + snr.sum(0) - snr)).sum(-1).T


def minimum_snr_db(bits: float, *, uses: int, transmitters: int = 1) -> float:
    """The least SNR in dB at which `transmitters` superposed on `uses` uses, with links alike, get `bits` each through.

    All of them together bind: N·R ≤ q·log2(1 + N·SNR).
    """
    if bits <= 0:
        return -math.inf
    return 10 * math.log10((2 ** (transmitters * bits / uses) - 1) / transmitters)
