"""The mathematical channel, on symbols instead of samples: ideal knowledge, no radio."""

from __future__ import annotations

import torch
from torch import Tensor

from hil.errors import ShapeError

__all__ = ["complex_normal", "superpose"]


def complex_normal(*shape: int, generator: torch.Generator | None = None, device: torch.device | None = None) -> Tensor:
    """Circular complex noise CN(0, 1), complex64 [*shape]: power 1 a complex sample, 1/2 a real dimension."""
    return torch.randn(*shape, dtype=torch.complex64, generator=generator, device=device)


def superpose(
    symbols: Tensor, channel: Tensor | None, noise_var: Tensor | float, generator: torch.Generator | None = None
) -> Tensor:
    """Y = Σ_k h_k x_k + n with n ~ CN(0, σ²).

    Args:
        symbols: x, complex64 [tx, task, use].
        channel: h, complex64 [tx, task, use] or broadcastable to it; None = 1.
        noise_var: σ², the power of a complex noise sample; a number or broadcastable to [task, use].
        generator: of the noise, on the symbols' device.

    Returns:
        complex64 [task, use]; differentiable in all tensor arguments.

    Raises:
        ShapeError: symbols are not complex [tx, task, use].
    """
    if symbols.ndim != 3 or not symbols.is_complex():
        raise ShapeError(f"Argument 'symbols' must be complex [tx, task, use], not {symbols.dtype} {list(symbols.shape)}.")
    total = (symbols if channel is None else channel * symbols).sum(dim=0)
    noise = complex_normal(*total.shape, generator=generator, device=total.device)
    scale = noise_var.sqrt() if isinstance(noise_var, Tensor) else noise_var**0.5
    return total + scale * noise
