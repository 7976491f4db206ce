"""From results of runs to the curves of a paper's figure."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from hil.errors import ConfigError
from hil.report.measure import Measure
from hil.report.papers.spec import CurveSpec, PaperFigure
from hil.results.document import Codewords, Comparison, ResultsDocument, Row

__all__ = ["Curve", "Found", "Medium"]

Source = Literal["air", "simulation"]
_BASES = {"effective": 0, "link": 1, "channel": 2, None: 3}
"""Of simulations, the one to take first."""


@dataclass(frozen=True, kw_only=True)
class Medium:
    """Where rows come from, and under which rule of energy they were made."""

    source: Source
    energy: str

    @property
    def words(self) -> str:
        """For people."""
        return f"{'over the air' if self.source == 'air' else 'simulated'}, {self.energy} energy"


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One line of a figure.

    Attributes:
        label: for people; networks: whose rows these are.
        rows: SNR target (dB), or the figure's setting -> row.
        level: of a network without a channel: its one row stands at every SNR.
        drawn: False: only compared with.
    """

    label: str
    networks: tuple[str, ...]
    rows: Mapping[float, Row]
    level: Row | None = None
    drawn: bool = True

    def at(self, target: float) -> Row | None:
        """The row at an SNR target."""
        return self.level or self.rows.get(target)


@dataclass(frozen=True)
class Found:
    """All that runs have for a figure; `lenient`: which may be nothing.

    Raises:
        ConfigError: they are of different data sets, or have no row of the figure's goal and metric.
    """

    figure: PaperFigure
    documents: Sequence[ResultsDocument]
    lenient: bool = False

    def __post_init__(self) -> None:
        specs = list(dict.fromkeys(str(one.dataset["spec"]) for one in self.documents if one.dataset.get("spec")))
        if len(specs) > 1:
            raise ConfigError(f"runs of one figure must be of one data set, not of {', '.join(specs)}; draw them apart")
        if not self._rows and not self.lenient and self.figure.kind not in ("table", "metrics"):
            raise ConfigError(
                f"{self.figure.place} draws {self.figure.metric} of goal {self.figure.goal}, and no run has a row of it"
            )

    @cached_property
    def _rows(self) -> list[Row]:
        goal, metric = self.figure.goal, self.figure.metric
        found = [row for one in self.documents for row in one.points if row.goal == goal and metric in row.metrics]
        heard = next((row.receiver for row in found if row.receiver is not None), None)
        rows = [row for row in found if row.receiver in (None, heard) and (row.model_extra or {}).get("ended") is None]
        return sorted(rows, key=lambda row: _BASES[row.snr_basis])

    @property
    def rows(self) -> Sequence[Row]:
        """Rows of the figure's goal, at one receiver, of points that were sent whole."""
        return self._rows

    @cached_property
    def measure(self) -> Measure:
        """Of what is drawn."""
        return Measure.of(self.figure.metric, self._rows[0].metrics[self.figure.metric])

    @cached_property
    def media(self) -> list[Medium]:
        """Sources and rules of energy under which the figure's networks were measured: over the air first, per_use first."""
        wanted = {name for spec in self.figure.curves for name in self.names(spec)}
        there = {
            Medium(source=row.source, energy=row.energy)
            for row in self._rows
            if row.source in ("air", "simulation") and row.energy is not None and row.scheme in wanted
        }
        return sorted(there, key=lambda one: (one.source, one.energy != "per_use", one.energy))

    def names(self, spec: CurveSpec) -> list[str]:
        """Networks that a curve may be made of, in the order of its patterns; not those of further training seeds (``@``)."""
        known = list(dict.fromkeys(row.scheme for row in self._rows if "@" not in row.scheme)) or [
            one.scheme for one in self.codewords
        ]
        found = (name for pattern in (*spec.networks, *spec.at) for name in known if fnmatch.fnmatchcase(name, pattern))
        return list(dict.fromkeys(found))

    @cached_property
    def codewords(self) -> list[Codewords]:
        """How alike codewords are, once for each network and two transmitters."""
        found: dict[tuple[str, tuple[int, int]], Codewords] = {}
        for document in self.documents:
            for one in document.codewords:
                found.setdefault((one.scheme, one.transmitters), one)
        return list(found.values())

    def alike(self, name: str) -> Codewords | None:
        """Those of a network's first two transmitters."""
        return next((one for one in self.codewords if one.scheme == name), None)

    def curves(self, medium: Medium) -> Iterator[Curve]:
        """All curves that there are rows for."""
        for spec in self.figure.curves:
            for curve in self._made(spec, medium):
                if curve.rows or curve.level:
                    yield curve

    def _made(self, spec: CurveSpec, medium: Medium) -> Iterator[Curve]:
        names = self.names(spec)
        if spec.pick == "noiseless":
            row = next((row for row in self._rows if row.source == "noiseless" and row.scheme in names), None)
            yield Curve(label=spec.label, networks=() if row is None else (row.scheme,), rows={}, level=row, drawn=spec.drawn)
            return
        own = {name: rows for name in names if (rows := self._of(name, medium, fades=self.figure.fades(spec)))}
        if self.figure.kind == "setting":
            there = {spec.at[name]: rows[self.figure.snr_db] for name, rows in own.items() if self.figure.snr_db in rows}
            yield Curve(label=spec.label, networks=tuple(own), rows=dict(sorted(there.items())), drawn=spec.drawn)
            return
        if spec.pick == "each":
            for name, rows in own.items():
                yield Curve(label=f"{spec.label}, {_told(name, rows)}", networks=(name,), rows=rows, drawn=spec.drawn)
            return
        yield self._picked(spec, own)

    def _picked(self, spec: CurveSpec, own: Mapping[str, Mapping[float, Row]]) -> Curve:
        """One curve of a family of networks."""
        if spec.pick in ("least_alike", "most_alike"):
            known = [(one.cos2, name) for name in own if (one := self.alike(name)) is not None]
            chosen = [] if len(known) < 2 else [(min if spec.pick == "least_alike" else max)(known)[1]]
        else:
            chosen = list(own)[:1] if spec.pick == "first" else list(own)
        rows: dict[float, Row] = {}
        for name in chosen:
            for target, row in own[name].items():
                if spec.pick == "own_snr" and trained_at(row) != target:
                    continue
                if target not in rows or self._better(row, rows[target]):
                    rows[target] = row
        networks = tuple(dict.fromkeys(row.scheme for row in rows.values()))
        many = f" (best of {len(own)})" if spec.pick == "best" and len(own) > 1 else ""
        return Curve(label=spec.label + many, networks=networks, rows=dict(sorted(rows.items())), drawn=spec.drawn)

    def _better(self, row: Row, other: Row) -> bool:
        one, two = self.measure.value(row), self.measure.value(other)
        return one is not None and (two is None or self.measure.gain(one, two) > 0)

    def _of(self, name: str, medium: Medium, *, fades: bool) -> dict[float, Row]:
        """A network's rows by SNR target, those of the first run that has them."""
        found: dict[float, Row] = {}
        for row in self._rows:
            mine = row.scheme == name and row.source == medium.source and row.energy == medium.energy
            if mine and row.snr_db_target is not None and (row.fading not in (None, "none")) == fades:
                found.setdefault(row.snr_db_target, row)
        return dict(sorted(found.items()))

    def comparison(self, first: Row, second: Row) -> tuple[Comparison, int] | None:
        """The paired comparison of two rows in the run that has both, and the sign with which it is theirs.

        None where the figure draws another metric than the headline, which alone is compared in pairs.
        """
        if self.figure.metric != first.headline[0]:
            return None
        for document in self.documents:
            if not (any(row is first for row in document.points) and any(row is second for row in document.points)):
                continue
            for item in document.comparisons:
                if (item.goal, item.receiver, item.source, item.energy, item.snr_db_target) != (
                    first.goal, first.receiver, first.source, first.energy, first.snr_db_target,
                ) or item.snr_basis != first.snr_basis:  # fmt: skip
                    continue
                if (item.first, item.second) == (first.scheme, second.scheme):
                    return item, 1
                if (item.second, item.first) == (first.scheme, second.scheme):
                    return item, -1
        return None


def trained_at(row: Row) -> float | None:
    """The one SNR (dB) of a network's training; None for a range."""
    told = row.snr_train_db
    if isinstance(told, str):
        match = re.fullmatch(r"(-?[\d.]+)(?: dB)?", told)
        return float(match[1]) if match else None
    return told


def _told(name: str, rows: Mapping[float, Row]) -> str:
    snr_db = trained_at(next(iter(rows.values())))
    return name if snr_db is None else f"trained at {snr_db:g} dB".replace("-", "−")
