"""Layers at an SNR each: the first one of a point, the later ones of another point of the same tasks and the same capture."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from hil.captures import PointRecord
from hil.errors import ConfigError
from hil.points.collection import Collection
from hil.points.contender import Contender
from hil.points.spec import PointSpec
from hil.runs.config import ReplayConfig
from hil.runs.work import Work

__all__ = ["Collections", "refined", "refiner"]

Collections = Mapping[str, Collection]


def refiner(
    records: Sequence[tuple[PointRecord, PointSpec]], spec: PointSpec, work: Work, asked: ReplayConfig
) -> tuple[PointRecord, PointSpec] | None:
    """The point that a point's later layers are taken from; None: it has one layer, or nothing is asked for.

    Args:
        records: all points of a capture.
        spec: of the point.
        work: its schemes.
        asked: which target, and how it is received.

    Raises:
        ConfigError: there is no such point, or it was sent other tasks, or fades were drawn.
    """
    later_db = asked.later_layers_db
    if later_db is None or len(work.contenders[spec.scheme].plan.blocks) < 2:
        return None
    found = next((pair for pair in records if pair[1].scheme == spec.scheme and pair[1].snr_db_target == later_db), None)
    if found is None:
        known = sorted(one.snr_db_target for _, one in records if one.scheme == spec.scheme)
        raise ConfigError(f"later_layers_db must be a target of scheme '{spec.scheme}', of {known} dB, not {later_db:g} dB")
    other = found[1]
    if (other.tasks, other.distinct_tasks) != (spec.tasks, spec.distinct_tasks) or spec.fading == "emulated":
        raise ConfigError(
            f"later_layers_db: points '{spec.name}' and '{other.name}' must be of the same tasks, without drawn fades"
        )
    return found[0], other.with_receiver(asked.receiver)


def refined(
    contender: Contender, first: Collections, later: Collections, later_db: float
) -> tuple[Contender, dict[str, Collection]]:
    """A scheme, named by what it got, and what it got: first layers of one point, later ones of another.

    A task lacks what either point lacks of it, and was sent if it was in both. Powers, SNRs and frames are those of the first
    layer's point.

    Args:
        contender: the scheme; its plan has several blocks.
        first, later: what was received of the two points, by receiver.
        later_db: target of the second one.
    """
    head = next(iter(contender.plan.blocks.values()))
    name = f"{contender.name}, later layers at {later_db:g} dB"
    return replace(contender, name=name), {
        receiver: _joined(one, later[receiver], head.stop) for receiver, one in first.items()
    }


def _joined(first: Collection, later: Collection, at: int) -> Collection:
    """Uses up to `at` of one point, the others of another."""

    def both(own: Tensor, other: Tensor) -> Tensor:
        return torch.cat([own[..., :at], other[..., at:]], dim=-1)

    symbols = both(first.symbols, later.symbols)
    return replace(
        first,
        symbols=symbols,
        valid=both(first.valid, later.valid),
        noise_var=both(first.noise_var, later.noise_var),
        channel=both(first.channel, later.channel),
        sent=first.sent & later.sent,
        sha256=hashlib.sha256(symbols.contiguous().numpy().tobytes()).hexdigest(),
    )
