"""Runs against each other: paired where they sent the same tasks, at equal SNR, and in dB at an equal headline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hil.captures import Capture
from hil.errors import ConfigError
from hil.goals.contract import Goal, headline
from hil.results.compare import Answer, Condition, Samples, comparison_rows, equal_headline
from hil.results.compared import Compared
from hil.results.curves import Reading
from hil.results.sample import Sample
from hil.runs.answers import Answered, answered
from hil.runs.face import capture_of
from hil.runs.work import load_goals
from hil.units import power_to_db

__all__ = ["compare"]

_95 = 1.959964


def compare(runs: Sequence[str | Path], *, schemes: Sequence[str] = (), goals: Sequence[str] = ()) -> Compared:
    """Every scheme of every run against every other, over the air.

    Args:
        runs: captures, folders of runs, or names under ``runs/``; one is compared with itself, scheme by scheme.
        schemes: only these; goals: only these; empty: all.

    Returns:
        comparisons, means and gaps in dB; a scheme that several runs measured is named ``SCHEME @ RUN``.

    Raises:
        ConfigError: nothing to compare, other data sets, other versions of a goal, or no common tasks.
        CaptureError: a run without a capture, or one that cannot be read.
    """
    paths = [capture_of(run) for run in runs]
    found: list[tuple[str, Answered]] = []
    about: dict[str, Mapping[str, object]] = {}
    for label, path in zip(_labels(paths), paths, strict=True):
        with Capture.open(path) as capture:
            about[label] = capture.config.get("dataset") or {}
            points = [one for one in answered(capture) if _asked(one, schemes, goals)]
        if not points:
            raise ConfigError(f"{path} has no finished point over the air of that selection; nothing to compare")
        found += [(label, one) for one in points]
    _same_data(about)
    judges = _goals(found)
    numbers, clusters = _common(found)
    samples = _samples(found, numbers)
    pairs, means = comparison_rows(samples, {}, clusters, judges)
    gaps, mean_gaps = equal_headline(samples, clusters, judges)
    if not pairs and not gaps:
        raise ConfigError(
            "nothing to compare: no two schemes or runs were judged by one goal at one receiver, with one rule of energy, at a "
            f"common SNR target; there are: {_listed(samples)}"
        )
    return Compared(
        runs={label: str(path) for label, path in zip(about, paths, strict=True)},
        tasks=len(_shared(found)),
        tasks_of={label: len(_shared([one for one in found if one[0] == label])) for label in about},
        units={name: headline(goal).unit for name, goal in judges.items()},
        comparisons=pairs,
        means=means,
        gaps=gaps,
        mean_gaps=mean_gaps,
    )


def _asked(one: Answered, schemes: Sequence[str], goals: Sequence[str]) -> bool:
    return (not schemes or one.row.scheme in schemes) and (not goals or one.row.goal in goals)


def _listed(samples: Samples) -> str:
    """What was measured, for an error."""
    parts = [
        f"{name} at {', '.join(f'{one.snr_db_target:g}' for one in own)} dB ({under.words})"
        for under, found in samples.items()
        for name, own in found.items()
    ]
    return "; ".join(parts)


def _labels(paths: Sequence[Path]) -> list[str]:
    """Short names of runs, each once.

    Raises:
        ConfigError: a run is given twice.
    """
    resolved = [path.resolve() for path in paths]
    if len(set(resolved)) < len(resolved):
        raise ConfigError("a run is given twice; a run compared with itself needs to be named once only")
    names = [path.parent.name if path.stem == "capture" else path.stem for path in resolved]
    return [name if names.count(name) == 1 else str(path) for name, path in zip(names, paths, strict=True)]


def _same_data(about: Mapping[str, Mapping[str, object]]) -> None:
    """Tasks are the same where the images are: of equal checksum, or, seen at other sizes, of one specification.

    Raises:
        ConfigError: they are not.
    """
    (first, one), *others = about.items()
    for label, other in others:
        same = one.get("fingerprint") == other.get("fingerprint") or one.get("spec") == other.get("spec")
        if not same or one.get("pairing") != other.get("pairing"):
            raise ConfigError(
                f"{first} and {label} sent other tasks: data set '{one.get('spec')}' ({one.get('pairing')}) and "
                f"'{other.get('spec')}' ({other.get('pairing')}); only runs of one data set can be compared"
            )


def _goals(found: Sequence[tuple[str, Answered]]) -> dict[str, Goal]:
    """The goals of all rows.

    Raises:
        ConfigError: a goal that counts otherwise now, or counted otherwise in another run.
    """
    judges = load_goals(list(dict.fromkeys(one.row.goal for _, one in found)))
    by_name = {goal.name: goal for goal in judges.values()}
    for label, one in found:
        goal = by_name[one.row.goal]
        if one.row.goal_version != goal.version:
            raise ConfigError(
                f"{label} was judged by version {one.row.goal_version} of goal '{goal.name}', this is version {goal.version}; "
                f"judge it anew with: hil replay {label}"
            )
    options = {(one.row.goal, str(sorted(one.row.options.items()))) for _, one in found}
    if len(options) > len(judges):
        raise ConfigError(
            f"the runs were judged with other options of one goal: {', '.join(text for _, text in sorted(options))}; "
            "judge them alike with: hil score RUN --set GOAL.KEY=VALUE"
        )
    return by_name


def _shared(found: Sequence[tuple[str, Answered]]) -> set[tuple[int, ...]]:
    """The tasks that every point answered."""
    return set.intersection(*(set(one.names) for _, one in found))


def _common(found: Sequence[tuple[str, Answered]]) -> tuple[dict[tuple[int, ...], int], Tensor]:
    """A number for every task that any run sent, and the cluster of each, int64 [task].

    Raises:
        ConfigError: no task was sent by all.
    """
    if not _shared(found):
        raise ConfigError("the runs have no task in common (other --seed or --tasks?); comparisons are paired by task")
    numbers: dict[tuple[int, ...], int] = {}
    cluster: dict[int, int] = {}
    for _, one in found:
        for name, own in zip(one.names, one.clusters.tolist(), strict=True):
            number = numbers.setdefault(name, len(numbers))
            if cluster.setdefault(number, own) != own:
                raise ConfigError("the runs number the identities of one data set otherwise; replay them with this version")
    return numbers, torch.tensor([cluster[number] for number in range(len(numbers))])


def _samples(found: Sequence[tuple[str, Answered]], numbers: Mapping[tuple[int, ...], int]) -> Samples:
    several = len({label for label, _ in found}) > 1
    samples: Samples = {}
    for label, one in found:
        row, spec = one.row, one.spec
        if row.snr_mean_db is None:
            continue
        under = Condition(goal=row.goal, receiver=row.receiver, source="air", snr_basis="link", energy=spec.energy)
        ends = row.snr_mean_db_ci or (None, None)
        error = 0.0 if ends[0] is None or ends[1] is None else (ends[1] - ends[0]) / 2 / _95
        answer = Answer(
            snr_db_target=spec.snr_db_target,
            sample=Sample(
                tasks=one.tasks,
                index=torch.tensor([numbers[name] for name in one.names]),
                frame=torch.from_numpy(np.ascontiguousarray(one.block)),
            ),
            reading=Reading(snr_db=row.snr_mean_db - power_to_db(sum(spec.power) / len(spec.power)), own_db=error),
        )
        name = f"{row.scheme} @ {label}" if several else row.scheme
        samples.setdefault(under, {}).setdefault(name, []).append(answer)
    return samples
