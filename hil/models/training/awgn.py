"""The ideal channel for training and for reference rows: y = Σ h_k x_k + z with perfect knowledge."""

from __future__ import annotations

import torch
from torch import Tensor

from hil.models.contract import Plan, Received

__all__ = ["receive_awgn"]


def receive_awgn(
    plan: Plan,
    symbols: Tensor,
    snr_db: Tensor | float,
    generator: torch.Generator | None = None,
    *,
    channel: Tensor | None = None,
) -> Received:
    """Superpose all transmitters and add CN(0, σ²), σ² = 1/SNR per unit-power transmitter.

    Args:
        plan: of the scheme.
        symbols: complex64 [tx, task, use].
        snr_db: dB, one value or [task]; ``inf`` adds nothing.
        generator: source of the noise, on the CPU (so that a seed means the same on every device).
        channel: h, complex64 [tx, task, use] or broadcastable to it; None for 1.

    Returns:
        what a scheme of this plan gets.
    Source: SIGNALS.md, "SNR".
    """
    total = (symbols if channel is None else channel * symbols).sum(0)
    snr = torch.as_tensor(snr_db, dtype=torch.float32).expand(total.shape[0])
    noise_var = (10 ** (-snr / 10))[:, None].expand(total.shape)
    noise = torch.randn(*total.shape, 2, generator=generator) * (noise_var / 2).sqrt()[..., None]
    return Received.for_plan(
        plan,
        symbols=total + torch.view_as_complex(noise).to(total.device),
        noise_var=noise_var.to(total.device),
        channel=channel,
    )
