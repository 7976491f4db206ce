"""One goal at one receiver: its points, and the rows that they stand beside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hil.report.measure import Measure, mean_snr_db
from hil.results.document import Agreement, Comparison, MeanOverSnrs, Row
from hil.units import power_to_db

__all__ = ["CROWD", "FURTHER", "Panel", "Point", "place_db"]

CROWD = 8
"""Schemes beyond which lines of text name only some, and plots find other ways."""

FURTHER = 4
"""Metrics besides the headline that have a column and a plot; the rest is in the table of all."""


def place_db(row: Row) -> float:
    """A row's place on the SNR axis, that of a unit-power transmitter: its own SNR, else its target (dB)."""
    target = row.snr_db_target if row.snr_db_target is not None else 0.0
    snr = mean_snr_db(row.snr_db)
    if snr is None:
        return target
    if row.power:
        return snr - power_to_db(sum(row.power) / len(row.power))
    return snr if row.energy in (None, "per_use") else target


@dataclass(frozen=True, kw_only=True)
class Point:
    """One scheme at one SNR target under one rule of energy.

    Attributes:
        repeat: 0, or how many times the same was there before.
        air: the row measured; link, effective, channel: rows simulated on that basis. None where there is no such row.
        agreement: air − simulation, for a point that was measured.
    """

    scheme: str
    access: str
    energy: str
    target: float
    repeat: int = 0
    air: Row | None = None
    link: Row | None = None
    effective: Row | None = None
    channel: Row | None = None
    agreement: Agreement | None = None

    @property
    def best(self) -> Row | None:
        """The row that stands for the point: the air's, else a simulation's."""
        return self.air or self.link or self.effective or self.channel

    @property
    def simulated(self) -> bool:
        """Whether there is any simulation."""
        return bool(self.link or self.effective or self.channel)

    @property
    def snr_db(self) -> float:
        """Place on the SNR axis."""
        return place_db(self.best) if self.best else self.target

    @property
    def uses(self) -> int | None:
        """q, complex channel uses a task in all; None where it is not one number."""
        counts = (self.best.uses if self.best else None) or []
        if self.access == "noma":  # all share the same uses
            counts = counts[:1] if len(set(counts)) == 1 else []
        return int(sum(counts)) if counts and all(count == int(count) for count in counts) else None


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One goal, of one version, at one receiver, under one choice of options.

    Attributes:
        receiver: None where a scheme answers for all receivers together.
        metric: the headline; further: other metrics with values.
        energy: the rule of energy that the run was made under.
        points: in the order of the results; published: rows of others, to stand beside.
        noiseless: rows without a channel, of the schemes and of what stands beside them.
        agreement, comparisons, means: entries of this panel.
    """

    goal: str
    version: int
    receiver: str | None
    options: Mapping[str, Any]
    metric: Measure
    further: tuple[Measure, ...]
    energy: str
    points: tuple[Point, ...]
    published: tuple[Row, ...]
    noiseless: tuple[Row, ...]
    agreement: tuple[Agreement, ...]
    comparisons: tuple[Comparison, ...]
    means: tuple[MeanOverSnrs, ...] = ()

    @property
    def schemes(self) -> list[str]:
        """Schemes with points."""
        return list(dict.fromkeys(point.scheme for point in self.points))

    @property
    def chosen(self) -> list[str]:
        """The options that were chosen, such as ``gallery raw``."""
        return [f"{name} {value}" for name, value in self.options.items() if value is not None]

    @property
    def crowded(self) -> bool:
        """Whether there are too many schemes for one look."""
        return len(self.schemes) > CROWD

    @property
    def measured(self) -> bool:
        """Whether anything was measured over the air."""
        return any(point.air for point in self.points)

    @property
    def simulated(self) -> bool:
        """Whether anything was simulated."""
        return any(point.simulated for point in self.points)

    @property
    def energies(self) -> list[str]:
        """All rules of energy with points, the run's first."""
        return sorted({point.energy for point in self.points}, key=lambda energy: (energy != self.energy, energy))

    @property
    def targets(self) -> list[float]:
        """SNR targets, from the lowest."""
        return sorted({point.target for point in self.points})

    def of(self, scheme: str, energy: str | None = None) -> list[Point]:
        """Points of a scheme under a rule of energy (the run's if None), by SNR."""
        wanted = energy or self.energy
        own = [point for point in self.points if point.scheme == scheme and point.energy == wanted]
        return sorted(own, key=lambda point: (point.target, point.snr_db))

    def main_points(self) -> list[Point]:
        """Points under the run's rule of energy, by SNR and then in the order of the schemes."""
        place = {name: index for index, name in enumerate(self.schemes)}
        own = [point for point in self.points if point.energy == self.energy]
        return sorted(own, key=lambda point: (point.target, place[point.scheme], point.repeat))

    def noiseless_of(self, scheme: str) -> list[Row]:
        """A scheme's rows without a channel, that with the panel's options first."""
        own = [row for row in self.noiseless if row.scheme == scheme]
        return sorted(own, key=lambda row: row.options != self.options)

    def without_noise(self, scheme: str, measure: Measure | None = None) -> float | None:
        """A scheme's own value without a channel."""
        rows = self.noiseless_of(scheme)
        return (measure or self.metric).value(rows[0]) if rows else None

    def baselines(self) -> list[Row]:
        """Rows without a channel of what sends nothing: other networks."""
        return [row for row in self.noiseless if row.access is not None and row.scheme not in self.schemes]

    def constants(self) -> list[Row]:
        """References that need no scheme, such as guessing."""
        return [row for row in self.noiseless if row.access is None and row.scheme not in self.schemes]

    def curves(self) -> dict[str, list[Row]]:
        """Published rows by scheme, by SNR."""
        found: dict[str, list[Row]] = {}
        for row in sorted(self.published, key=place_db):
            found.setdefault(row.scheme, []).append(row)
        return found
