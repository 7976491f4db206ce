"""From the rows of a document to panels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from hil.errors import ConfigError
from hil.report.measure import Measure
from hil.report.panel import Panel, Point
from hil.results.document import Agreement, ResultsDocument, Row

__all__ = ["DEFAULT_ENERGY", "arrange"]

DEFAULT_ENERGY = "per_use"
"""Of rows that do not say their rule of energy."""
Judged = tuple[str, int, str | None, tuple[tuple[str, str], ...]]
"""Goal, its version, receiver, options as text: what makes two rows answers to the same question."""


def arrange(document: ResultsDocument) -> tuple[Panel, ...]:
    """A panel for each goal, version, receiver and choice of options that has points, in the order of the results.

    A goal that has only references or published rows has one panel as well.

    Raises:
        ConfigError: a row has no metric.
    """
    for index, row in enumerate(document.points):
        if not row.metrics:
            raise ConfigError(f"points[{index}] of the results ({row.scheme}, {row.source}) has no metric in 'metrics'")
    panels: dict[Judged, list[Row]] = {}
    for row in document.points:
        if row.source in ("air", "simulation") and row.snr_db_target is not None:
            panels.setdefault(_judged(row), []).append(row)
    for row in document.points:
        if not any(key[0] == row.goal for key in panels):
            panels[(row.goal, row.goal_version, None, ())] = []
    return tuple(_panel(key, rows, document, list(panels)) for key, rows in panels.items())


def _judged(row: Row) -> Judged:
    return row.goal, row.goal_version, row.receiver, tuple((name, str(value)) for name, value in row.options.items())


def _panel(key: Judged, rows: list[Row], document: ResultsDocument, keys: Sequence[Judged]) -> Panel:
    goal, version, receiver, _ = key
    # Agreement and comparisons do not say their options; where several panels could be meant, none is.
    clear = sum(other[0] == goal and other[2] == receiver for other in keys) == 1
    agreement = [item for item in document.agreement if clear and (item.goal, item.receiver) == (goal, receiver)]
    comparisons = [item for item in document.comparisons if clear and (item.goal, item.receiver) == (goal, receiver)]
    means = [item for item in document.means if clear and (item.goal, item.receiver) == (goal, receiver)]
    alike = [row for row in document.points if (row.goal, row.goal_version) == (goal, version)]
    noiseless = [row for row in alike if row.source == "noiseless" and row.receiver in (None, receiver)]
    published = [row for row in document.points if row.source == "published" and row.goal == goal]
    beside = [*rows, *noiseless, *published]
    metric = _headline(beside)
    points = tuple(_points(rows, agreement))
    return Panel(
        goal=goal,
        version=version,
        receiver=receiver,
        options=rows[0].options if rows else {},
        metric=metric,
        further=tuple(_further(beside, metric)),
        energy=_energy(points, document),
        points=points,
        published=tuple(row for row in published if metric.value(row) is not None),
        noiseless=tuple(row for row in noiseless if metric.value(row) is not None),
        agreement=tuple(agreement),
        comparisons=tuple(comparisons),
        means=tuple(means),
    )


def _headline(rows: Sequence[Row]) -> Measure:
    found = ((name, value) for row in rows for name, value in row.metrics.items())
    everything = list(found)
    return Measure.of(*next((item for item in everything if item[1].headline), everything[0]))


def _further(rows: Iterable[Row], headline: Measure) -> Iterable[Measure]:
    seen = {headline.name}
    for row in rows:
        for name, value in row.metrics.items():
            if name not in seen and value.value is not None:
                seen.add(name)
                yield Measure.of(name, value)


def _energy(points: Sequence[Point], document: ResultsDocument) -> str:
    asked: Any = document.experiment.get("energy")
    measured = [point.energy for point in points if point.air]
    there = {point.energy for point in points}
    if measured:
        return measured[0]
    return asked if asked in there else points[0].energy if points else DEFAULT_ENERGY


def _points(rows: Iterable[Row], agreement: Iterable[Agreement]) -> Iterable[Point]:
    """Rows of one scheme, rule of energy and target beside each other; what is there twice makes a point of its own."""
    table: dict[tuple[str, str, float, int], dict[str, Row]] = {}
    for row in rows:
        kind = "air" if row.source == "air" else row.snr_basis or "link"
        place = (row.scheme, row.energy or DEFAULT_ENERGY, float(row.snr_db_target or 0.0))
        repeat = 0
        while kind in table.setdefault((*place, repeat), {}):
            repeat += 1
        table[*place, repeat][kind] = row
    agreed = {(item.scheme, item.snr_db_target): item for item in agreement}
    measured = Counter((scheme, target) for (scheme, _, target, _), found in table.items() if "air" in found)
    for (scheme, energy, target, repeat), found in table.items():
        alone = "air" in found and measured[scheme, target] == 1  # an entry names neither energy nor repeat
        yield Point(
            scheme=scheme,
            access=next(iter(found.values())).access or "",
            energy=energy,
            target=target,
            repeat=repeat,
            air=found.get("air"),
            link=found.get("link"),
            effective=found.get("effective"),
            channel=found.get("channel"),
            agreement=agreed.get((scheme, target)) if alone else None,
        )
