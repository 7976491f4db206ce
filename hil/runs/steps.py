"""What a run and a replay share after reception: decode and judge a point; rows that need no channel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from hil.goals.contract import PerTask
from hil.models.contract import Explains, Plan, Received, Sent
from hil.points.contender import Contender, Decoded
from hil.points.impaired import Verdict
from hil.points.link import LinkSnr
from hil.points.overhead import uses_with_overhead
from hil.points.receive import Collection
from hil.points.spec import PointSpec
from hil.results.document import Row
from hil.results.rows import Subject, mean_uses, reference_row, scored_row
from hil.results.sample import Sample
from hil.runs.pictures import pictures_of
from hil.runs.work import Work
from hil.timing import timed

__all__ = [
    "Key", "Measured", "References", "air_sample", "csi_of", "cut_short", "decoded_point", "point_key", "references",
    "score_point", "snr_keys", "subject",
]  # fmt: skip

Key = tuple[str, str | None]
"""(goal, receiver or None)."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A point: what was planned, sent, received and scored.

    Attributes:
        sent: symbols of every task sent; fade: complex64 [tx, task] or None.
        scored: how each task sent was answered; rows: of the result.
        whole: all its frames were sent.
    """

    spec: PointSpec
    contender: Contender
    sent: Sent
    fade: Tensor | None
    collections: Mapping[str, Collection]
    scored: Mapping[Key, PerTask]
    rows: Mapping[Key, Row]
    whole: bool

    @property
    def first(self) -> Collection:
        """What the first receiver got."""
        return next(iter(self.collections.values()))

    def of(self, receiver: str | None) -> Collection:
        """What a row's receiver got; the first one for an output of all together."""
        return self.first if receiver is None else self.collections[receiver]

    def without_uses(self, distinct: Sent | None = None) -> Measured:
        """The same without what it holds of every use, 130 kB a frame, once it is scored and stored: a run may go on for hours.

        A point that is held against the channel that each use met keeps it all. Of what was sent, the
        distinct tasks are left, or all where each has a fade of its own.

        Args:
            distinct: what was sent of the distinct tasks, where points share that; None: a copy is kept.
        """
        if self.spec.by_channel:
            return self
        collections = {name: one.without_uses() for name, one in self.collections.items()}
        sent = self.sent if self.fade is not None else distinct or self.sent.first(self.spec.distinct_tasks)
        return replace(self, collections=collections, sent=sent)


@dataclass(frozen=True, kw_only=True)
class References:
    """What needs no channel.

    Attributes:
        rows: of the result.
        samples: (goal, scheme, receiver) -> how each distinct task is answered without noise, under the run's own options.
    """

    rows: list[Row]
    samples: Mapping[tuple[str, str, str | None], Sample]


def subject(contender: Contender, key: Key) -> Subject:
    """Who is judged by what in a row."""
    goal, receiver = key
    return Subject(
        scheme=contender.name,
        card=contender.scheme.card,
        plan=contender.plan,
        goal=contender.goals[goal],
        options=contender.options[goal],
        metrics=contender.goals[goal].metrics_for(contender.dataset),
        clusters=contender.tasks.clusters,
        dropped=contender.tasks.dropped,
        receiver=receiver,
    )


def point_key(key: Key, name: str) -> str:
    """Name of an array in the capture: goal, receiver if there is one, and what it holds."""
    goal, receiver = key
    return ".".join(part for part in (goal, receiver, name) if part)


@timed("decoding and judging")
def score_point(
    contender: Contender,
    spec: PointSpec,
    sent: Sent,
    collections: Mapping[str, Collection],
    more: Mapping[str, Any],
    *,
    fade: Tensor | None,
) -> Measured:
    """Decode and judge what was received of a point.

    Args:
        contender: its scheme.
        spec: the point.
        sent: of every task sent.
        collections: by the point's receivers.
        more: further keys of its rows.
        fade: complex64 [tx, task] or None.
    """
    received = _received(contender, spec, collections)
    decoded = contender.decode(received, sent.side)
    scored = contender.score(decoded, spec.task_index())
    if isinstance(contender.scheme, Explains):
        more = {**more, "coding": dict(contender.scheme.explain(sent, received))}
    rows = {}
    for key, tasks in scored.items():
        found = next(iter(collections.values())) if key[1] is None else collections[key[1]]
        rows[key] = _air_row(contender, key, spec, sent, found, tasks, {**more, **_seen(contender, key, spec, decoded)})
    whole = all(bool(one.sent.all()) for one in collections.values())
    if not whole:
        planned = {"tasks_planned": spec.tasks, "frames_planned": spec.frames}
        rows = {key: row.model_copy(update=planned) for key, row in rows.items()}
    return Measured(
        spec=spec, contender=contender, sent=sent, fade=fade, collections=collections, scored=scored, rows=rows, whole=whole
    )


def decoded_point(contender: Contender, spec: PointSpec, sent: Sent, collections: Mapping[str, Collection]) -> Decoded:
    """What the scheme makes of what was received of a point, as it is judged; see `score_point`."""
    return contender.decode(_received(contender, spec, collections), sent.side)


def _received(contender: Contender, spec: PointSpec, collections: Mapping[str, Collection]) -> dict[str, Received]:
    """By the plan's receivers, what the scheme is told."""
    plan = contender.plan
    return {name: one.received(plan, spec.power) for name, one in zip(plan.receivers, collections.values(), strict=True)}


def _seen(contender: Contender, key: Key, spec: PointSpec, decoded: Decoded) -> dict[str, Any]:
    """A row's key about what its images look like, of a goal that judges images."""
    if contender.goals[key[0]].needs != "images":
        return {}
    name = next(name for name in decoded.outputs if contender.label(name) == key[1])
    return {"pictures": pictures_of(contender, decoded.outputs[name], spec.task_index(), decoded.lost[name])}


def cut_short(spec: PointSpec, collections: Mapping[str, Collection]) -> str | None:
    """That the end of the run ended a point, with how much of it was sent; None if all of it was."""
    first = next(iter(collections.values()))
    if all(bool(one.sent.all()) for one in collections.values()):
        return None
    return (
        f"cut short after {first.frames['sent']} of {spec.frames} frames ({int(first.sent.sum())} of {spec.tasks} tasks): "
        "the run was stopped"
    )


@timed("statistics")
def _air_row(
    contender: Contender,
    key: Key,
    spec: PointSpec,
    sent: Sent,
    found: Collection,
    tasks: PerTask,
    more: Mapping[str, Any],
) -> Row:
    sample = _sample(spec, tasks, found)
    return scored_row(
        subject(contender, key),
        sample.tasks,
        sample.index,
        source="air",
        frame=sample.frame,
        repeat=sample.repeat,
        snr_offset_db=found.record.by_visit(),
        snr_basis="link",
        snr_db_target=spec.snr_db_target,
        **snr_keys(found.snr),
        energy=spec.energy,
        power=list(spec.power),
        uses=mean_uses(contender.plan, sent.length),
        uses_with_overhead=uses_with_overhead(spec, more.get("alignment_samples") or 0),
        csi=csi_of(contender.plan, aligned="channel" if more.get("precoder_power_db") else None),
        fading=spec.fading,
        frames=found.frames,
        alignment=found.alignment,
        cfo_hz=found.cfo_hz,
        null_noise_db=found.null_noise_db,
        **truth_keys(found.verdict),
        clipped_samples=found.clipped,
        received_sha256=found.sha256,
        **more,
    )


def truth_keys(verdict: Verdict) -> dict[str, Any]:
    """A row's keys about what was stated and what is there."""
    return {
        "observed_over_stated": verdict.observed,
        "observed_over_stated_ci": verdict.observed_ci,
        "error_over_stated": verdict.true,
        "error_over_stated_ci": verdict.true_ci,
        "impaired": verdict.words,
        "suspect": verdict.suspect,
    }


def snr_keys(snr: LinkSnr) -> dict[str, Any]:
    """A row's keys about the links."""
    return {
        "snr_db": snr.snr_db,
        "snr_db_error": snr.snr_db_error,
        "snr_db_ci": snr.snr_db_ci,
        "snr_mean_db": snr.mean_db,
        "snr_mean_db_ci": snr.mean_db_ci,
        "snr_eff_db": snr.eff_db,
        "snr_eff_db_ci": snr.eff_db_ci,
        "receiver_loss_db": snr.loss_db,
        "receiver_loss_db_ci": snr.loss_db_ci,
        "noise_pool": None if snr.noise is None else snr.noise.pool,
        "noise_looks": None if snr.noise is None else snr.noise.looks,
    }


def csi_of(plan: Plan, *, aligned: str | None) -> dict[str, str]:
    """What transmitters and receiver know of the channel, as rows say it.

    Args:
        plan: of the scheme.
        aligned: what superposed transmitters were aligned by: "channel" (pre-equalised by a sounding), "ideal" (a simulation
            adds them up at h = 1); None: they were not.
    """
    return {"tx": aligned if aligned is not None and plan.superposed else plan.tx_csi, "rx": plan.rx_csi}


def air_sample(point: Measured, key: Key) -> Sample:
    """How the tasks that were sent of a point were answered, and what their errors share."""
    return _sample(point.spec, point.scored[key], point.of(key[1]))


def _sample(spec: PointSpec, tasks: PerTask, found: Collection) -> Sample:
    kept = found.sent
    return Sample(
        tasks=tasks.rows(kept),
        index=spec.task_index()[kept],
        frame=found.block[kept],
        repeat=spec.visits()[kept] if spec.repeats > 1 else None,
    )


@timed("references")
def references(work: Work, sent: Mapping[str, Sent]) -> References:
    """What needs no channel: each scheme noiseless under every variant of its goals, noiseless references, constants.

    Args:
        work: schemes, tasks and goals.
        sent: symbols of the distinct tasks by scheme.
    """
    rows: list[Row] = []
    samples: dict[tuple[str, str, str | None], Sample] = {}
    for contender in work.contenders.values():
        for who, own, tasks in _noiseless(work, contender, sent[contender.name]):
            index = torch.arange(len(tasks))
            rows.append(scored_row(who, tasks, index, source="noiseless"))
            if own:
                samples[who.goal.name, contender.name, who.receiver] = Sample(tasks=tasks, index=index)
    for name, goal in work.goals.items():
        for _, reference in work.references(goal):
            everyone = torch.arange(len(work.tasks))
            made = reference.noiseless(reference.encode())
            for key, tasks in reference.score(made, everyone).items():
                rows.append(scored_row(subject(reference, key), tasks, everyone, source="noiseless"))
        first = next(one for one in work.contenders.values() if name in one.judges)
        metrics = goal.metrics_for(first.dataset)
        for label, found in first.judges[name].references().items():
            rows.append(reference_row(goal, metrics, label, found, clusters=work.tasks.clusters))
    return References(rows=rows, samples=samples)


def _noiseless(work: Work, contender: Contender, sent: Sent) -> Iterator[tuple[Subject, bool, PerTask]]:
    """A scheme's own answers without a channel: judged by what, whether under the run's own options, and how."""
    everyone = torch.arange(len(work.tasks))
    decoded = contender.noiseless(sent)
    for name, goal in contender.goals.items():
        for options in goal.variants(contender.options[name]):
            if goal.refuses(contender.scheme, options):
                continue
            own = options == contender.options[name]
            judge = contender.judges[name] if own else goal.judge(contender.scheme, contender.dataset, work.tasks, options)
            for receiver, output in decoded.outputs.items():
                who = replace(subject(contender, (name, contender.label(receiver))), options=options)
                yield who, own, judge.score(output, everyone, decoded.lost[receiver])
