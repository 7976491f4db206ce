"""Layers at an SNR each: the first one of a point, the later ones of another point of the same tasks and the same capture."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch

from hil.captures import PointRecord
from hil.errors import ConfigError
from hil.points.collection import Collection
from hil.points.contender import Contender
from hil.points.spec import PointSpec
from hil.runs.work import Work

__all__ = ["Collections", "refined", "refiner"]

Collections = Mapping[str, Collection]


def refiner(
    records: Sequence[tuple[PointRecord, PointSpec]], spec: PointSpec, work: Work, later_db: float | None
) -> tuple[PointRecord, PointSpec] | None:
    """The point that a point's later layers are taken from; None: it has one layer, or nothing is asked for.

    Args:
        records: all points of a capture.
        spec: of the point.
        work: its schemes.
        later_db: target that is asked for.

    Raises:
        ConfigError: there is no such point, or it was sent other tasks, or fades were drawn.
    """
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
    return found


def refined(
    contender: Contender, first: Collections, later: Collections, later_db: float
) -> tuple[Contender, dict[str, Collection]]:
    """A scheme, named by what it got, and what it got: first layers of one point, later ones of another.

    A task lacks what either point lacks of it. Powers, SNRs and frames are those of the first layer's point.

    Args:
        contender: the scheme; its plan has several blocks.
        first, later: what was received of the two points, by receiver.
        later_db: target of the second one.
    """
    head = next(iter(contender.plan.blocks.values()))
    name = f"{contender.name}, later layers at {later_db:g} dB"
    made = {}
    for receiver, one in first.items():
        other = later[receiver]

        def taken(pick: Callable[[Collection], torch.Tensor], one: Collection = one, other: Collection = other) -> torch.Tensor:
            own, theirs = pick(one), pick(other)
            return torch.cat([own[..., : head.stop], theirs[..., head.stop :]], dim=-1)

        symbols = taken(lambda kept: kept.symbols)
        made[receiver] = replace(
            one,
            symbols=symbols,
            sha256=hashlib.sha256(symbols.contiguous().numpy().tobytes()).hexdigest(),
            valid=taken(lambda kept: kept.valid),
            noise_var=taken(lambda kept: kept.noise_var),
            channel=taken(lambda kept: kept.channel),
        )
    return replace(contender, name=name), made
