"""Binary quantiser with a straight-through gradient, and the two power rules of its bits.

Source: Sun et al., Deep Joint Source-Channel Coding for Wireless Image Transmission with Semantic Importance; the text
prints no power rule.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from hil.models.contract import normalize_power

__all__ = ["binary", "bits_to_symbols"]


def binary(latent: Tensor) -> Tensor:
    """1 where sigmoid(latent) > ½, else 0; the gradient is the sigmoid's, as if nothing were rounded.

    Args:
        latent: float32, any shape.

    Returns:
        float32, same shape, exactly 0 or 1.
    """
    soft = torch.sigmoid(latent)
    return (soft > 0.5).to(soft.dtype) + (soft - soft.detach())


def bits_to_symbols(bits: Tensor, occupied: Tensor, *, literal: bool) -> Tensor:
    """Bits in pairs, as real and imaginary part, to symbols of mean power 1.

    Args:
        bits: float32 [task, 2·use], 0 or 1.
        occupied: bool [1, use]; all.
        literal: send 0 and 1, scaled to each image's measured mean power, instead of ±1/√2 a dimension.

    Returns:
        complex64 [1, task, use].
    """
    values = bits if literal else (2 * bits - 1) / math.sqrt(2)
    symbols = torch.view_as_complex(values.unflatten(1, (-1, 2)).contiguous())[None]
    return normalize_power(symbols, occupied) if literal else symbols
