"""Papers' tables of several metrics at one SNR: what was measured beside what is printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hil.errors import ConfigError
from hil.report.measure import target_text
from hil.report.papers.draw import draw_metrics
from hil.report.papers.found import Curve, Found, Medium
from hil.report.papers.said import answer
from hil.report.papers.text import claim_lines, head_lines
from hil.results.document import Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["metrics_table"]


@dataclass(frozen=True, kw_only=True)
class _Measured:
    """One column: what runs have of its metric."""

    found: Found
    curves: Sequence[Curve]

    @property
    def rows(self) -> Mapping[str, Row]:
        """Row of the table -> row of a run, at the table's SNR."""
        target = self.found.figure.snr_db
        return {curve.label: row for curve in self.curves if curve.drawn and (row := curve.at(target)) is not None}

    @property
    def printed(self) -> Mapping[str, float]:
        """Row of the table -> what the paper prints."""
        figure = self.found.figure
        return {spec.label: spec.printed[figure.metric] for spec in figure.curves if figure.metric in spec.printed}


def metrics_table(found: Found, sources: str) -> tuple[Figure, list[str]]:
    """The table as a plot and as text, medium by medium; the plot is of the first one.

    Args:
        found: what runs have.
        sources: as `hil.report.papers.write.write_paper_figure` takes them.

    Raises:
        ConfigError: no run has any of it.
    """
    figure = found.figure
    columns = []
    for one in figure.columns:
        changes = {"goal": one.goal, "metric": one.metric, "kind": "snr"}
        own = Found(figure.model_copy(update=changes), found.documents, lenient=True)
        columns += [own] if own.rows else []
    media = list(dict.fromkeys(medium for column in columns for medium in column.media if sources in ("both", medium.source)))
    parts = {medium: [_of(column, medium) for column in columns] for medium in media}
    parts = {
        medium: own
        for medium, own in parts.items()
        if any(figure.snr_db in curve.rows for column in own for curve in column.curves)
    }
    if not parts:
        wanted = ", ".join(name for spec in figure.curves for name in spec.networks)
        raise ConfigError(f"no run has rows at {target_text(figure.snr_db)} dB for {figure.place}; it draws {wanted}")
    lines = head_lines(figure)
    for medium, measured in parts.items():
        lines += ["", f"## {medium.words[0].upper()}{medium.words[1:]}, {target_text(figure.snr_db)} dB", "", *_text(measured)]
        lines += ["", "What the paper claims:", ""]
        for claim in figure.claims:
            at = claim.model_copy(update={"from_snr_db": figure.snr_db, "up_to_snr_db": figure.snr_db})
            there = [column for column in measured if column.found.figure.metric == claim.metric]
            lines += [] if there else [f"- {claim.text}: **not measured: no run has {claim.metric}**"]
            for column in there:
                lines += claim_lines(column.found, answer(at, column.curves, column.found))
    shown = next(iter(parts.values()))
    labels = [spec.label for spec in figure.curves if spec.drawn]
    return draw_metrics(figure.place, labels, [(one.found.measure, one.rows, one.printed) for one in shown]), lines


def _of(column: Found, medium: Medium) -> _Measured:
    return _Measured(found=column, curves=list(column.curves(medium)))


def _text(measured: Sequence[_Measured]) -> list[str]:
    """A row of the table a line: each metric with its interval, and what is printed."""
    figure = measured[0].found.figure
    heads = [head for one in measured for head in (one.found.measure.heading, "published")]
    lines = [f"| row | network | {' | '.join(heads)} |", f"|{' --- |' * (len(heads) + 2)}"]
    for label in (spec.label for spec in figure.curves if spec.drawn):
        networks = dict.fromkeys(row.scheme for one in measured if (row := one.rows.get(label)) is not None)
        cells = []
        for one in measured:
            measure, row = one.found.measure, one.rows.get(label)
            metric = measure.found(row)
            cells += [f"{measure.text(measure.value(row))} {measure.interval(metric.ci) if metric else ''}".rstrip()]
            cells += [measure.text(one.printed.get(label))]
        lines.append(f"| {label} | {', '.join(networks) or '–'} | {' | '.join(cells)} |")
    return lines
