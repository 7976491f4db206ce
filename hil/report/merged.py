"""Several runs of the same networks as one: other SNRs join a curve, training seeds become a dimension of it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hil.errors import ConfigError
from hil.results.document import Agreement, MeanOverSeeds, ResultsDocument, Row, method_of
from hil.results.seeds import mean_over_seeds

__all__ = ["merged"]

Key = tuple[object, ...]
_APART = "; hil figures --together draws such runs beside each other"


def merged(documents: Mapping[str, ResultsDocument]) -> ResultsDocument:
    """One document of runs of the same data and bench.

    A scheme has one curve, whichever runs its SNRs come from. Networks of one method and other training seeds are one curve
    too: their mean, with Student's interval over networks; what is said of each seed stays in the runs. Comparisons paired by
    task, which need the captures, are left out (`hil compare`).

    Args:
        documents: short name of a run -> its results.

    Raises:
        ConfigError: other data or another bench, one network's point in two runs, or two networks of one name and seed.
    """
    _check_alike(documents)
    own = _own_seeds(row for document in documents.values() for row in document.points)
    rows: list[Row] = []
    agreement: list[Agreement] = []
    said_by: dict[Key, tuple[str, Row]] = {}
    for label, document in documents.items():
        names = {row.scheme: _name(row, own) for row in document.points}
        for row in document.points:
            one = row.model_copy(update={"scheme": names[row.scheme]})
            key = _place(one)
            before, known = said_by.setdefault(key, (label, one))
            if known is one:
                rows.append(one)
            elif row.source in ("air", "simulation"):
                at = f"{row.snr_db_target:+g} dB ({row.source}, {row.snr_basis})"
                raise ConfigError(
                    f"{one.scheme} at {at} is in {before} and in {label}; a point stands in a curve once: leave one out{_APART}"
                )
            elif one.headline[1].value != known.headline[1].value:
                raise ConfigError(
                    f"{one.scheme} is not the same network in {before} and in {label}: without a channel it has another "
                    f"{row.headline[0]}{_APART}"
                )
        agreement += [item.model_copy(update={"scheme": names.get(item.scheme, item.scheme)}) for item in document.agreement]
    seeds = mean_over_seeds(rows)
    first = next(iter(documents.values()))
    rows = _with_means(rows, seeds)
    left = {row.scheme for row in rows}
    return first.with_(
        points=sorted(rows, key=lambda row: (row.snr_db_target is None, row.snr_db_target or 0.0)),
        agreement=[item for item in agreement if item.scheme in left],
        seeds=seeds, comparisons=[], means=[], summary={}, capture=None,
    )  # fmt: skip


def _check_alike(documents: Mapping[str, ResultsDocument]) -> None:
    label, first = next(iter(documents.items()))
    for other, document in documents.items():
        for what, one, two in (
            ("other data", first.dataset.get("fingerprint"), document.dataset.get("fingerprint")),
            ("another bench", first.bench, document.bench),
        ):
            if one != two:
                raise ConfigError(f"{other} is of {what} ({two}) than {label} ({one}), and is no part of its curves{_APART}")


def _own_seeds(rows: Iterable[Row]) -> dict[str, int]:
    """The training seed whose network has the method's plain name: that of the first row so named."""
    found: dict[str, int] = {}
    for row in rows:
        if row.training_seed is not None and row.scheme == method_of(row.scheme):
            found.setdefault(row.scheme, row.training_seed)
    return found


def _name(row: Row, own: Mapping[str, int]) -> str:
    """A network's name among those of other seeds."""
    method = method_of(row.scheme)
    if row.training_seed is None or row.scheme != method or own.get(method) == row.training_seed:
        return row.scheme
    return f"{method}@{row.training_seed}"


def _place(row: Row) -> Key:
    return row.scheme, row.goal_version, str(row.options), *_where(row)


def _with_means(rows: Sequence[Row], seeds: Sequence[MeanOverSeeds]) -> list[Row]:
    """Rows of networks whose method has several, by their mean; the others as they are."""
    means = {(one.first, *_where(one)): one for one in seeds if one.second is None}
    members: dict[Key, list[Row]] = defaultdict(list)
    found: list[Row] = []
    for row in rows:
        key = (method_of(row.scheme), *_where(row))
        if key in means and row.training_seed is not None:
            members[key].append(row)
        else:
            found.append(row)
    return found + [_mean(group, means[key]) for key, group in members.items()]


def _where(one: Row | MeanOverSeeds) -> Key:
    return one.goal, one.receiver, one.source, one.snr_basis, one.energy, one.fading, one.snr_db_target


def _mean(rows: Sequence[Row], of: MeanOverSeeds) -> Row:
    """One row of several networks: its headline is their mean, its SNRs are, and its interval is over networks."""
    first, name = rows[0], rows[0].headline[0]
    metrics = {
        key: value.model_copy(
            update={
                "value": of.value,
                "ci": of.ci,
                "ci_note": f"over {len(of.seeds)} training seeds, by Student",
                "scored": None,
            }
            if key == name
            else {"value": _average(row.metrics[key].value for row in rows), "ci": None}
        )
        for key, value in first.metrics.items()
    }
    at = zip(*(row.snr_db or () for row in rows), strict=True)
    changes: dict[str, Any] = {"scheme": of.first, "metrics": metrics, "training_seed": None}
    changes["snr_db"] = [_average(values) for values in at] or None
    for key in ("snr_mean_db", "snr_eff_db", "receiver_loss_db"):
        changes[key] = _average(getattr(row, key) for row in rows)
    flat = {key: value.value for key, value in metrics.items()} | {f"{name}_ci": of.ci}
    return first.model_copy(update=changes | {key: value for key, value in flat.items() if key in (first.model_extra or {})})


def _average(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None
