"""The Scheme contract: what an encoder/decoder pair must offer to be put on the air.

A scheme turns views into complex symbols (`encode`) and what was received into an `Output` (`decode`). It knows nothing
of frames, radios or files. Shapes use these letters: task, tx (transmitter), use (complex channel use, `q` in all),
view, image, p (feature length).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor

from hil.errors import ShapeError

__all__ = ["ACCESSES", "Access", "Output", "Plan", "Received", "Scheme", "Sent", "normalize_power"]

Access = Literal["single", "oma", "noma"]
ACCESSES: tuple[Access, ...] = ("single", "oma", "noma")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a scheme needs of the channel.

    Attributes:
        occupied: bool [tx, use]; the uses each transmitter sends on. Unoccupied uses are zero and cost no power.
        access: how the transmitters share the uses.
        blocks: name -> slice of uses (layers); one block ``"all"`` by default.
        receivers: names of the receivers.
        tx_csi, rx_csi: what the encoder and the decoder want to know of the channel.
        normalisation: over what the mean power is one.
        goal: how the output is scored.
        kind: ``measured`` schemes may not read `side`; ``bound`` schemes are upper bounds.
    """

    occupied: Tensor
    access: Access
    blocks: dict[str, slice] = field(default_factory=lambda: {"all": slice(None)})
    receivers: tuple[str, ...] = ("rx",)
    tx_csi: Literal["none", "snr"] = "none"
    rx_csi: Literal["none", "snr", "channel"] = "none"
    normalisation: Literal["per_task", "per_batch", "declared"] = "per_task"
    goal: Literal["retrieval", "image", "classification", "detection"] = "retrieval"
    kind: Literal["measured", "bound"] = "measured"

    def __post_init__(self) -> None:
        if self.occupied.ndim != 2 or self.occupied.dtype != torch.bool:
            raise ShapeError(f"Plan.occupied must be bool [tx, use], not {self.occupied.dtype} {tuple(self.occupied.shape)}.")

    @property
    def transmitters(self) -> int:
        """Number of transmitters."""
        return self.occupied.shape[0]

    @property
    def uses(self) -> int:
        """Complex channel uses a task occupies in all (q)."""
        return self.occupied.shape[1]


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What the encoders sent.

    Attributes:
        symbols: complex64 [tx, task, use]; mean |x|² = 1 over a transmitter's occupied uses, zero elsewhere.
        length: int [tx, task], uses really used; None when all occupied uses are.
        side: side information that only schemes of kind ``bound`` may read back.
    """

    symbols: Tensor
    length: Tensor | None = None
    side: Any = None


@dataclass(frozen=True, kw_only=True)
class Received:
    """What one receiver got, in units where the transmitted mean is |x|² = 1 (SIGNALS.md, "Received").

    Attributes:
        symbols: complex64 [task, use] = y/Ḡ; zero where nothing was received.
        valid: bool [task, use].
        noise_var: float32 [task, use], complex noise variance, or None if the plan did not ask.
        channel: complex64 [tx, task, use], estimated h/Ḡ, or None if the plan did not ask.
        scale: float32 [tx], amplitude by which each transmitter's unit-power symbols were scaled (energy accounting).
    """

    symbols: Tensor
    valid: Tensor
    noise_var: Tensor | None = None
    channel: Tensor | None = None
    scale: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class Output:
    """What a decoder made of it: features [task, view, p], images or logits; `erased` bool [task]."""

    features: Tensor | None = None
    images: Tensor | None = None
    logits: Tensor | None = None
    erased: Tensor | None = None


@runtime_checkable
class Scheme(Protocol):
    """Encoders, access and decoder of one method. Third parties implement this (entry point ``hil.schemes``)."""

    name: str
    plan: Plan

    def encode(self, views: Tensor, csi: Tensor | None = None, generator: torch.Generator | None = None) -> Sent:
        """Views float32 [task, tx, C, H, W] in 0…1 to symbols; `csi` float32 [task, tx] is the SNR in dB if the plan asks."""
        ...

    def decode(self, received: dict[str, Received], blocks: tuple[str, ...] = ("all",), side: Any = None) -> Output:
        """Received symbols to features, images or logits, by receiver name."""
        ...

    def gallery(self, images: Tensor) -> Tensor:
        """Gallery images float32 [image, C, H, W] in 0…1 to features float32 [view, image, p]."""
        ...


def normalize_power(symbols: Tensor, occupied: Tensor) -> Tensor:
    """Scale each task's symbols to mean |x|² = 1 over the uses its transmitter occupies.

    Args:
        symbols: complex [..., tx, task, use]; values on unoccupied uses are dropped.
        occupied: bool [tx, use].

    Returns:
        complex, same shape: √n_i · x/‖x‖ with n_i the number of uses that transmitter i occupies.
    Source: Jankowski et al., Sec. 2 (power constraint); Lo et al., Sec. III.
    """
    mask = occupied[:, None, :].to(symbols.real.dtype)
    symbols = symbols * mask
    norm = symbols.abs().square().sum(-1, keepdim=True).clamp_min(1e-12).sqrt()
    return symbols / norm * mask.sum(-1, keepdim=True).sqrt()
