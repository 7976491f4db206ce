"""Results as the report reads them: points by scheme, energy and SNR target, with what belongs to each beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hil.errors import ConfigError
from hil.units import db_to_power, power_to_db

__all__ = ["ACCESS_NAMES", "Point", "Row", "View", "mean_snr_db"]

Row = Mapping[str, Any]

ACCESS_NAMES = {"single": "single", "oma": "OMA", "noma": "NOMA"}
_NEEDED = ("scheme", "source", "top1")


def mean_snr_db(values: Iterable[float | None] | None) -> float | None:
    """Linear mean of SNRs in dB, in dB; None if nothing was measured."""
    known = [value for value in values or () if value is not None and math.isfinite(value)]
    return power_to_db(sum(db_to_power(value) for value in known) / len(known)) if known else None


@dataclass(frozen=True, kw_only=True)
class Point:
    """One scheme at one SNR target under one rule of energy.

    Attributes:
        air: the row measured; link, effective, channel: rows simulated on that basis. None where there is no such row.
        agreement: air − simulation at the effective SNR, for the measured point.
    """

    scheme: str
    access: str
    energy: str
    target: float
    air: Row | None
    link: Row | None
    effective: Row | None
    channel: Row | None
    agreement: Row | None

    @property
    def best(self) -> Row | None:
        """The row that stands for the point: the air's, else a simulation's."""
        return self.air or self.link or self.effective or self.channel

    @property
    def snr_db(self) -> float:
        """Place on the SNR axis (of a unit-power transmitter): measured if there was an air, else the target."""
        measured = mean_snr_db(self.air.get("snr_db")) if self.air else None
        if measured is None or self.air is None:
            return self.target
        powers = self.air.get("power") or [1.0]
        return measured - power_to_db(sum(powers) / len(powers))


@dataclass(frozen=True)
class View:
    """Results, arranged.

    Raises:
        ConfigError: `results` is not what `hil run` or `hil replay` writes.
    """

    results: Mapping[str, Any]
    points: tuple[Point, ...] = field(init=False)

    def __post_init__(self) -> None:
        rows = self.results.get("points") if isinstance(self.results, Mapping) else None
        if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
            raise ConfigError(
                "results need a list 'points' of rows, as hil run writes them; make them again with: hil replay CAPTURE"
            )
        for index, row in enumerate(rows):
            missing = [key for key in _NEEDED if key not in row]
            if missing:
                raise ConfigError(f"points[{index}] of the results lacks {', '.join(missing)}; docs/results.md lists every key")
        object.__setattr__(self, "points", tuple(self._points(rows)))

    def _points(self, rows: list[Row]) -> Iterable[Point]:
        table: dict[tuple[str, str, float], dict[str, Row]] = {}
        for row in rows:
            if row["source"] == "noiseless" or row.get("snr_db_target") is None:
                continue
            key = (str(row["scheme"]), str(row.get("energy") or "per_use"), float(row["snr_db_target"]))
            kind = "air" if row["source"] == "air" else str(row.get("snr_basis") or "link")
            table.setdefault(key, {})[kind] = row
        agreement = {(str(item["scheme"]), float(item["snr_db_target"])): item for item in self.results.get("agreement") or []}
        for (scheme, energy, target), found in table.items():
            first = next(iter(found.values()))
            yield Point(
                scheme=scheme,
                access=str(first.get("access") or ""),
                energy=energy,
                target=target,
                air=found.get("air"),
                link=found.get("link"),
                effective=found.get("effective"),
                channel=found.get("channel"),
                agreement=agreement.get((scheme, target)) if "air" in found else None,
            )

    @property
    def rows(self) -> list[Row]:
        """All rows."""
        rows: list[Row] = self.results["points"]
        return rows

    @property
    def schemes(self) -> list[str]:
        """Schemes with points, in the order of the results."""
        return list(dict.fromkeys(point.scheme for point in self.points))

    @property
    def energy(self) -> str:
        """The rule of energy of the run."""
        asked = (self.results.get("experiment") or {}).get("energy")
        measured = [point.energy for point in self.points if point.air]
        return str(measured[0] if measured else asked or (self.points[0].energy if self.points else "per_use"))

    @property
    def energies(self) -> list[str]:
        """All rules of energy with points, the run's first."""
        return sorted({point.energy for point in self.points}, key=lambda energy: (energy != self.energy, energy))

    @property
    def measured(self) -> bool:
        """Whether anything was measured over the air."""
        return any(point.air for point in self.points)

    def of(self, scheme: str, energy: str | None = None) -> list[Point]:
        """Points of a scheme under a rule of energy (the run's if None), by SNR."""
        wanted = energy or self.energy
        own = [point for point in self.points if point.scheme == scheme and point.energy == wanted]
        return sorted(own, key=lambda point: point.target)

    def main_points(self) -> list[Point]:
        """Points under the run's rule of energy, by SNR and then in the order of the schemes."""
        place = {name: index for index, name in enumerate(self.schemes)}
        own = [point for point in self.points if point.energy == self.energy]
        return sorted(own, key=lambda point: (point.target, place[point.scheme]))

    def access(self, scheme: str) -> str:
        """How a scheme's transmitters share the uses."""
        return next((point.access for point in self.points if point.scheme == scheme), "")

    def label(self, scheme: str) -> str:
        """A short name: the access if no other scheme has it, else the scheme's name."""
        access = self.access(scheme)
        alone = sum(self.access(other) == access for other in self.schemes) == 1
        return ACCESS_NAMES[access] if alone and access in ACCESS_NAMES else scheme

    def noiseless(self, scheme: str) -> list[Row]:
        """Noiseless rows of a scheme, that of the run's gallery first."""
        asked = (self.results.get("experiment") or {}).get("gallery")
        own = [row for row in self.rows if row["source"] == "noiseless" and row["scheme"] == scheme]
        return sorted(own, key=lambda row: row.get("gallery") != asked) if asked else own

    def noiseless_top1(self, scheme: str) -> float | None:
        """A scheme's own noiseless accuracy with the run's gallery."""
        rows = self.noiseless(scheme)
        return float(rows[0]["top1"]) if rows else None

    def baselines(self) -> list[Row]:
        """Noiseless rows of what is not on the air: baselines."""
        return [
            row
            for row in self.rows
            if row["source"] == "noiseless" and row["scheme"] not in self.schemes and row["scheme"] != "chance"
        ]

    def chance(self) -> float | None:
        """Accuracy of a random ranking."""
        return next((float(row["top1"]) for row in self.rows if row["scheme"] == "chance"), None)

    def uses(self) -> int | None:
        """q, complex channel uses a task, if all schemes agree."""
        found = set()
        for point in self.points:
            counts = (point.best or {}).get("uses") or [0]
            found.add(max(counts) if point.access == "noma" else sum(counts))
        return int(found.pop()) if len(found) == 1 else None

    def frames(self) -> dict[str, int]:
        """Counts of frames over all measured points."""
        total: dict[str, int] = {}
        for point in self.points:
            for name, count in ((point.air or {}).get("frames") or {}).items():
                total[name] = total.get(name, 0) + int(count)
        return total

    def orders(self) -> list[Row]:
        """`summary.order`: at each SNR the schemes from best to worst."""
        return list((self.results.get("summary") or {}).get("order") or [])
