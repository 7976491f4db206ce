"""The channel's state as numbers that an attention-feature module is fed.

Source: papers/README, "AF module": the SNR in dB, scaled; with knowledge of the channel at the receiver also Re h, Im h and
|h| of every link that is heard.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from hil.models.contract import Received
from hil.models.recipe import SnrRange

__all__ = ["Knowledge", "link_gains", "received_snr_db", "scaled_snr", "state_length", "state_of"]

Knowledge = Literal["none", "snr", "channel"]
"""What the coders are told: nothing; both sides the SNR; the decoders the SNR and the links' gains."""
FLOOR = 1e-12


def state_length(knowledge: Knowledge, links: int) -> int:
    """Numbers that a decoder is told which hears so many links."""
    return {"none": 0, "snr": 1, "channel": 1 + 3 * links}[knowledge]


def scaled_snr(snr_db: Tensor, trained: SnrRange) -> Tensor:
    """SNRs in dB as numbers of about −1…1, in float32; a network is told none that lies outside those it was trained for."""
    middle, half = (trained.low + trained.high) / 2, max((trained.high - trained.low) / 2, 1.0)
    return ((snr_db.clamp(trained.low, trained.high) - middle) / half).float()


def received_snr_db(received: Received, uses: Tensor) -> Tensor:
    """1/mean(noise_var) over some uses, dB, float32 [task].

    Args:
        received: with the noise of every use.
        uses: bool [use].
    """
    assert received.noise_var is not None  # the plan asks for it
    return -10 * received.noise_var[:, uses].mean(1).clamp_min(FLOOR).log10()


def link_gains(received: Received, tx: int, uses: Tensor) -> Tensor:
    """A link's gain of each task, the mean over some uses, complex64 [task].

    Args:
        received: with the channel of every use.
        tx: whose link.
        uses: bool [use].
    """
    assert received.channel is not None  # the plan asks for it
    return received.channel[tx][:, uses].mean(1)


def state_of(received: Received, knowledge: Knowledge, *, uses: Tensor, links: list[int], trained: SnrRange) -> Tensor | None:
    """What a decoder is told, float32 [task, `state_length`]; None where it is told nothing.

    Args:
        received: what it gets.
        knowledge: of the scheme.
        uses: bool [use], those that it reads.
        links: transmitters that it hears on them.
        trained: SNRs that it was trained for.
    """
    if knowledge == "none":
        return None
    parts = [scaled_snr(received_snr_db(received, uses), trained)]
    if knowledge == "channel":
        for tx in links:
            gain = link_gains(received, tx, uses)
            parts += [gain.real, gain.imag, gain.abs()]
    return torch.stack(parts, dim=1)
