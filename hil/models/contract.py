"""The Scheme contract: what an encoder/decoder pair must offer to be put on the air.

A scheme turns views into complex symbols (`encode`) and what was received into an output (`decode`): features, images,
logits or boxes. It knows nothing of frames, radios, files or goals. Shapes use these letters: task, tx (transmitter), use
(complex channel use, `q` in all), view, image, p (feature length).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

from hil.errors import ShapeError
from hil.models.card import Card, OutputKind

__all__ = [
    "OUTPUTS", "Boxes", "Card", "CountsBits", "Embeds", "Explains", "Features", "Fits", "GivesUpViews", "Images", "Logits",
    "Output", "OutputKind", "Plan", "Received", "Scheme", "Sent", "access", "filled_up", "normalize_power",
    "power_used", "stacked",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a scheme needs of the channel.

    Attributes:
        occupied: bool [tx, use]; the uses each transmitter sends on. Unoccupied uses are zero and cost no power. Whether
            transmitters are superposed follows from it.
        blocks: name -> slice of uses (layers); one block ``"all"`` by default.
        receivers: names of the receivers, in the bench's order.
        tx_csi: what the encoder wants to know: nothing, or each link's SNR.
        rx_csi: what the decoder wants to know: nothing, the noise of every use, or the channel of every use as well.
        normalisation: over what the mean power is one; ``declared``: the scheme vouches for its mean over the data.
    """

    occupied: Tensor
    blocks: Mapping[str, slice] = field(default_factory=lambda: {"all": slice(None)})
    receivers: tuple[str, ...] = ("rx",)
    tx_csi: Literal["none", "snr"] = "none"
    rx_csi: Literal["none", "snr", "channel"] = "none"
    normalisation: Literal["per_task", "per_batch", "declared"] = "per_task"

    def __post_init__(self) -> None:
        if self.occupied.ndim != 2 or self.occupied.dtype != torch.bool:
            raise ShapeError(f"Plan.occupied must be bool [tx, use], not {self.occupied.dtype} {tuple(self.occupied.shape)}.")
        if not self.receivers or len(set(self.receivers)) != len(self.receivers):
            raise ShapeError(f"Plan.receivers must name at least one receiver, each once, not {self.receivers}.")

    @property
    def transmitters(self) -> int:
        """Number of transmitters."""
        return self.occupied.shape[0]

    @property
    def uses(self) -> int:
        """Complex channel uses a task occupies in all (q)."""
        return self.occupied.shape[1]

    @property
    def superposed(self) -> bool:
        """Whether some use is shared by transmitters."""
        return bool((self.occupied.sum(0) > 1).any())

    @property
    def access(self) -> str:
        """How the transmitters share the uses, in a word for people: `access`."""
        return access(self.occupied)


def access(occupied: Tensor) -> str:
    """``single``, ``oma`` (transmitters take turns) or ``noma`` (superposed), from bool [tx, use]."""
    if occupied.shape[0] == 1:
        return "single"
    return "noma" if bool((occupied.sum(0) > 1).any()) else "oma"


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What the encoders sent.

    Attributes:
        symbols: complex64 [tx, task, use]; mean |x|² = 1 over a transmitter's used uses, zero elsewhere.
        length: int64 [tx, task], how many of its occupied uses a transmitter really uses, the first ones; None: all.
        side: name -> [task, …], side information that only schemes of kind ``bound`` may read back; None for none.
    """

    symbols: Tensor
    length: Tensor | None = None
    side: Mapping[str, Tensor] | None = None

    def first(self, count: int) -> Sent:
        """A copy of the first so many tasks, which holds no memory of the others."""
        return Sent(
            symbols=self.symbols[:, :count].clone(),
            length=None if self.length is None else self.length[:, :count].clone(),
            side=None if self.side is None else {name: value[:count].clone() for name, value in self.side.items()},
        )


@dataclass(frozen=True, kw_only=True)
class Received:
    """What one receiver got, in units where the transmitted mean is |x|² = 1 (SIGNALS.md, "Received").

    Made by `for_plan`, and only there.

    Attributes:
        symbols: complex64 [task, use] = y/Ḡ; zero where nothing was received.
        valid: bool [task, use].
        noise_var: float32 [task, use], complex noise variance, or None if the plan did not ask.
        channel: complex64 [tx, task, use], estimated h/Ḡ, or None if the plan did not ask.
        scale: float32 [tx], amplitude by which each transmitter's unit-power symbols were scaled (energy accounting).
    """

    symbols: Tensor
    valid: Tensor
    noise_var: Tensor | None
    channel: Tensor | None
    scale: Tensor

    @classmethod
    def for_plan(
        cls,
        plan: Plan,
        *,
        symbols: Tensor,
        noise_var: Tensor,
        channel: Tensor | None = None,
        valid: Tensor | None = None,
        power: Sequence[float] = (),
    ) -> Received:
        """What a scheme of this plan is told of all that a receiver knows: no more than the plan asks for.

        Args:
            plan: of the scheme.
            symbols: complex64 [task, use].
            noise_var: float32, broadcastable to [task, use].
            channel: complex64 [tx, task, use]; None for 1 on the uses that a transmitter occupies.
            valid: bool [task, use]; None: all that the plan occupies were received.
            power: of each transmitter relative to the unit-power transmitter; empty for 1.
        """
        shape = symbols.shape
        occupied = plan.occupied.to(symbols.device)
        if valid is None:
            valid = occupied.any(0).expand(shape)
        told = None
        if plan.rx_csi == "channel":
            unit = occupied[:, None, :].expand(-1, *shape)
            told = unit.to(torch.complex64) if channel is None else channel * unit
        return cls(
            symbols=symbols,
            valid=valid,
            noise_var=noise_var.expand(shape) if plan.rx_csi != "none" else None,
            channel=told,
            scale=torch.tensor(list(power) or [1.0] * plan.transmitters, device=symbols.device).sqrt(),
        )

    def rows(self, start: int, count: int, padded: int) -> Received:
        """Tasks start … start + count, filled up with zeros to `padded` tasks."""

        def cut(value: Tensor | None, axis: int) -> Tensor | None:
            if value is None:
                return None
            part = value.narrow(axis, start, count)
            if count == padded:
                return part.contiguous()
            shape = list(part.shape)
            shape[axis] = padded - count
            return torch.cat([part, part.new_zeros(shape)], dim=axis)

        symbols, valid = cut(self.symbols, 0), cut(self.valid, 0)
        assert symbols is not None  # never None in a Received
        assert valid is not None
        return Received(
            symbols=symbols, valid=valid, noise_var=cut(self.noise_var, 0), channel=cut(self.channel, 1), scale=self.scale
        )


@dataclass(frozen=True, kw_only=True)
class Output:
    """What a decoder made of it; one of the four kinds below.

    Attributes:
        erased: bool [task], the decoder itself gave the task up; always so where nothing of it is valid.
    """

    erased: Tensor


@dataclass(frozen=True, kw_only=True)
class Features(Output):
    """Feature vectors, float32 [task, view, p]."""

    features: Tensor


@dataclass(frozen=True, kw_only=True)
class Images(Output):
    """Images, float32 [task, view, C, H, W] in 0…1."""

    images: Tensor


@dataclass(frozen=True, kw_only=True)
class Logits(Output):
    """Scores of classes before the softmax, float32 [task, class]; one for each class of the data set."""

    logits: Tensor


@dataclass(frozen=True, kw_only=True)
class Boxes(Output):
    """Detected objects, at most n a task, in order of falling score; of several views, in the first one.

    Attributes:
        boxes: float32 [task, n, 4], left, top, right, bottom in pixels of the image sent.
        scores: float32 [task, n] in 0…1; 0 where there is no further box.
        labels: int64 [task, n].
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor


OUTPUTS: dict[OutputKind, type[Output]] = {"features": Features, "images": Images, "logits": Logits, "boxes": Boxes}

K = TypeVar("K", bound=Output)


def stacked(parts: Sequence[K]) -> K:
    """Outputs of one kind, one after the other; boxes are filled up to the same number a task."""
    return type(parts[0])(**{name: filled_up([getattr(part, name) for part in parts]) for name in vars(parts[0])})


def filled_up(parts: Sequence[Tensor]) -> Tensor:
    """[task, n, …] one after the other, each filled up with zeros to the largest n; [task] as they are."""
    most = max(part.shape[1] if part.ndim > 1 else 0 for part in parts)
    return torch.cat([part if part.ndim < 2 or part.shape[1] == most else _wider(part, most) for part in parts])


def _wider(part: Tensor, most: int) -> Tensor:
    return torch.cat([part, part.new_zeros(len(part), most - part.shape[1], *part.shape[2:])], dim=1)


@runtime_checkable
class Scheme(Protocol):
    """Encoders and decoder of one method. Third parties implement this (entry point ``hil.schemes``, or ``path.py:Class``)."""

    card: Card
    plan: Plan

    def encode(self, views: Tensor, csi: Tensor | None = None, generator: torch.Generator | None = None) -> Sent:
        """Views float32 [task, tx, C, H, W] in 0…1 to symbols; `csi` float32 [task, tx] is the SNR in dB if the plan asks."""
        ...

    def decode(
        self, received: Mapping[str, Received], blocks: tuple[str, ...] = ("all",), side: Mapping[str, Tensor] | None = None
    ) -> Output | Mapping[str, Output]:
        """Received symbols, by receiver of the plan, to one output, or to one for each receiver that makes its own."""
        ...


@runtime_checkable
class Embeds(Protocol):
    """A scheme whose features can be searched for in a gallery."""

    def embed(self, images: Tensor, mode: str = "reconstructed") -> Tensor:
        """Gallery images float32 [image, C, H, W] in 0…1 to features float32 [view, image, p]; changes nothing in the scheme.

        Args:
            images: of the gallery.
            mode: ``reconstructed``: through encoder and decoder without noise; ``raw``: the encoder's feature
                (papers/README, "Gallery"). A scheme that knows no such difference gives the same for both.
        """
        ...


@runtime_checkable
class GivesUpViews(Protocol):
    """A scheme whose decoder may give up single views of a task; a task of which none is left is erased.

    Attributes:
        gives_up_views: that features of such a view are NaN, and that the view takes no part.
    """

    gives_up_views: bool


@runtime_checkable
class CountsBits(Protocol):
    """A scheme that sends messages of so many bits."""

    def counted(self, side: Mapping[str, Tensor]) -> Mapping[str, float]:
        """What its messages take on average, name -> bits (or dB, where the name says so), from `Sent.side`."""
        ...


@runtime_checkable
class Fits(Protocol):
    """A scheme that both sides set up for the images at hand, before anything is sent."""

    def fit(self, shape: tuple[int, int, int], mean: Tensor) -> Scheme:
        """The scheme for images of the shape (C, H, W), whose mean over those to train on is `mean`, float32 [C, H, W]."""
        ...


@runtime_checkable
class Explains(Protocol):
    """A scheme that can say what it sent and what became of it, where an output alone does not."""

    def explain(self, sent: Sent, received: Mapping[str, Received]) -> Mapping[str, Any]:
        """Plain data for a row of the results, under the key ``coding``; changes nothing in the scheme."""
        ...


def power_used(symbols: Tensor, occupied: Tensor, length: Tensor | None = None) -> Tensor:
    """Mean |x|² of each task over the uses that its transmitter uses, float32 [tx, task].

    Args:
        symbols: complex [tx, task, use].
        occupied: bool [tx, use].
        length: int64 [tx, task], see `Sent`.
    """
    counts = occupied.sum(1)[:, None].expand(symbols.shape[:2]) if length is None else length
    return symbols.abs().square().sum(2) / counts.clamp_min(1)


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
