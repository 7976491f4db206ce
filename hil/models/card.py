"""What can be said of a scheme without torch: who made it, what it puts out, what it was trained for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hil.registry import Entry

__all__ = ["Card", "Claim", "OutputKind", "SchemeEntry"]

OutputKind = Literal["features", "images", "logits", "boxes"]


@dataclass(frozen=True, kw_only=True)
class Card:
    """A scheme's card.

    Attributes:
        name: of the scheme.
        paper, section: where it is described.
        outputs: what its decoder puts out (`hil.models.contract.OUTPUTS`); never what for.
        image_size: (height, width) that its encoder takes, pixels; None takes the data set's own.
        channels: colour channels that its encoder takes; None takes the data set's own. Grey pictures are given to one
            of several as so many equal channels.
        snr_train_db: the SNR that it was trained at, a number or words.
        training_seed: of its training.
        kind: ``measured`` schemes may not read `side`; ``bound`` schemes are upper bounds.
        conceals: where it gives a task up, what it puts out stands in for it (a mean image): images are compared with that.
    """

    name: str
    paper: str = ""
    section: str = ""
    outputs: OutputKind = "features"
    image_size: tuple[int, int] | None = None
    channels: int | None = None
    snr_train_db: float | str | None = None
    training_seed: int | None = None
    kind: Literal["measured", "bound"] = "measured"
    conceals: bool = False


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a paper says of two schemes, in a form that results can be held against.

    Attributes:
        paper: who says it.
        text: what they say, in words.
        first, second: names of the schemes.
        relation: of the first one's metric to the second's, towards better.
        metric: name of the headline metric that it is about.
        up_to_snr_db: it is said of the SNRs up to this one; None: of every SNR.
        fading: it is said of channels that fade; results without fading say nothing to it.
    """

    paper: str
    text: str
    first: str
    second: str
    relation: Literal["≥", ">"]
    metric: str
    up_to_snr_db: float | None = None
    fading: bool = False


@dataclass(frozen=True, kw_only=True)
class SchemeEntry(Entry):
    """A built-in scheme's entry in the registry.

    Attributes:
        card: before training.
        reference: it sends nothing: a noiseless reference beside the schemes that put out the same.
        claims: what papers say of it beside other schemes; the report holds results against them.
        weights: name of the scheme whose weights it uses; empty: its own.
        untrained: it has no weights: its target is called with what follows the name, ``NAME?key=value&key=value``.
        receivers: how many it needs; of more than one it must be asked for by name.
    """

    card: Card
    reference: bool = False
    claims: tuple[Claim, ...] = ()
    weights: str = ""
    untrained: bool = False
    receivers: int = 1
