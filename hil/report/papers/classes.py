"""Figures of recall and precision: one SNR, a class a place, and claims about the mean over the classes that matter."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hil.errors import ConfigError
from hil.report.axes import legend, marks
from hil.report.measure import Measure, apart, known_ends, number
from hil.report.papers.found import Curve, Found, Medium
from hil.report.papers.said import Answer, Difference, verdict_of
from hil.report.papers.spec import Claimed
from hil.report.papers.text import head_lines
from hil.report.svg import new_figure
from hil.report.theme import GRID, look_of
from hil.results.document import MetricValue, Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["KINDS", "answer_of_classes", "class_lines", "class_names", "classes_figure", "draw_classes", "measured"]

KINDS = ("recall", "precision")
WIDTH, HEIGHT = 9.6, 4.2
SPREAD = 0.7
"""Share of a class's place that its curves take."""
UNPAIRED = "Intervals of means take classes as independent; those of differences are unpaired, which is wider than paired."
Ends = tuple[float, float]


def classes_figure(found: Found) -> tuple[Figure, list[str]]:
    """Recall and precision at one SNR, of the first medium that has them: simulations have the headline alone.

    Raises:
        ConfigError: no run has them.
    """
    figure = found.figure
    media = measured(found)
    if not media:
        wanted = ", ".join(name for spec in figure.curves for name in spec.networks)
        raise ConfigError(
            f"no run has recall of classes at {figure.snr_db:g} dB for {figure.place}; it draws {wanted}: "
            f"hil run --goals {figure.goal} --schemes …"
        )
    medium, rows = next(iter(media.items()))
    lines = [*head_lines(figure, UNPAIRED), "", f"## {medium.words[0].upper()}{medium.words[1:]}, {figure.snr_db:g} dB", ""]
    lines += class_lines(found, rows)
    for title, claims in (
        ("What the paper claims:", figure.claims),
        ("What takes it apart (not the paper's):", figure.ablations),
    ):
        lines += ["", title, ""]
        for claim in claims:
            said = answer_of_classes(claim, rows, found)
            lines.append(f"- {claim.text}: **{said.verdict}**")
            for one in said.differences:
                told = _points(one.value, one.ends)
                lines.append(f"  {claim.first} − {claim.second}, {claim.of} (points; {one.kind}): {told}")
    return draw_classes(found, rows), lines


def _points(value: float, ends: Sequence[float | None] | None) -> str:
    """A difference of shares and its interval, in points."""
    known = known_ends(ends)
    told = number(100 * value, 2, sign=True)
    return told + (
        "" if known is None else f" [{number(100 * known[0], 2, sign=True)}, {number(100 * known[1], 2, sign=True)}]"
    )


def measured(found: Found) -> dict[Medium, dict[str, Row]]:
    """By medium the row of each curve at the figure's SNR, as far as its classes were told apart."""
    made: dict[Medium, dict[str, Row]] = {}
    for medium in found.media:
        rows = {curve.label: row for curve in found.curves(medium) if (row := _row(found, curve)) is not None}
        if rows:
            made[medium] = rows
    return made


def _row(found: Found, curve: Curve) -> Row | None:
    row = curve.at(found.figure.snr_db)
    return row if row is not None and class_names(found, row) else None


def class_names(found: Found, row: Row) -> list[str]:
    """The first classes of the figure, as metrics of a row name them."""
    stem = f"{KINDS[0]}_"
    return [name.removeprefix(stem) for name in row.metrics if name.startswith(stem)][: found.figure.classes]


def _values(found: Found, row: Row, what: str) -> list[MetricValue]:
    return [row.metrics[f"{what}_{name}"] for name in class_names(found, row)]


def _mean(values: Sequence[MetricValue]) -> tuple[float | None, Ends | None]:
    """Mean over classes, and its interval as if classes were independent: recalls are, for each has tasks of its own."""
    known = [one.value for one in values if one.value is not None]
    if len(known) < len(values):
        return None, None
    mean, ends = sum(known) / len(known), [known_ends(one.ci) for one in values]
    own = [end for end in ends if end is not None]
    if len(own) < len(ends):
        return mean, None
    low = math.hypot(*(value - end[0] for value, end in zip(known, own, strict=True))) / len(known)
    high = math.hypot(*(end[1] - value for value, end in zip(known, own, strict=True))) / len(known)
    return mean, (mean - low, mean + high)


def answer_of_classes(claim: Claimed, rows: Mapping[str, Row], found: Found) -> Answer:
    """Hold a claim about the mean recall or precision against rows, by label; unpaired, which is wider than paired."""
    missing = tuple(name for name in (claim.first, claim.second) if name not in rows)
    if missing:
        return Answer(claim=claim, missing=missing)
    (first, own), (second, than) = (_mean(_values(found, rows[name], claim.of)) for name in (claim.first, claim.second))
    if first is None or second is None:
        return Answer(claim=claim)
    ends = apart(first, own, second, than)
    said = Difference(target=math.nan, value=first - second, ends=ends, kind="unpaired", verdict=verdict_of(claim, ends))
    return Answer(claim=claim, differences=(said,))


def class_lines(found: Found, rows: Mapping[str, Row]) -> list[str]:
    """A table: of each curve recall and precision of each class, and their means with intervals."""
    names = class_names(found, next(iter(rows.values())))
    lines = [f"| curve | of | {' | '.join(names)} | mean |", "| --- " * (len(names) + 3) + "|"]
    for label, row in rows.items():
        for what in KINDS:
            values = _values(found, row, what)
            measure = Measure.of(what, values[0])
            mean, ends = _mean(values)
            told = [*(measure.text(one.value) for one in values), f"{measure.text(mean)} {measure.interval(ends)}".rstrip()]
            lines.append(f"| {label} | {what} | {' | '.join(told)} |")
    return lines


def draw_classes(found: Found, rows: Mapping[str, Row]) -> Figure:
    """Recall beside precision, a class a place and the mean last; intervals as they are in the rows."""
    figure = new_figure(WIDTH, HEIGHT)
    names = class_names(found, next(iter(rows.values())))
    for place, what in enumerate(KINDS):
        axes = figure.add_subplot(1, 2, place + 1)
        axes.grid(visible=True, color=GRID, linewidth=0.7, axis="y")
        for order, (label, row) in enumerate(rows.items()):
            values = _values(found, row, what)
            measure = Measure.of(what, values[0])
            points = [*((one.value, known_ends(one.ci)) for one in values), _mean(values)]
            shift = SPREAD * ((order + 0.5) / len(rows) - 0.5)
            shown = [
                (at + shift, value, ends or (value, value)) for at, (value, ends) in enumerate(points) if value is not None
            ]
            axes.errorbar(
                [at for at, _, _ in shown], [measure.on_axis(value) for _, value, _ in shown],
                yerr=[
                    [max(0.0, measure.on_axis(value - ends[0])) for _, value, ends in shown],
                    [max(0.0, measure.on_axis(ends[1] - value)) for _, value, ends in shown],
                ],
                linestyle="none", elinewidth=1.0, capsize=2, label=label, **marks(look_of(order)),
            )  # fmt: skip
        axes.set_xticks(range(len(names) + 1), [*names, "mean"])
        axes.set_ylim(0, 102)
        axes.set_ylabel(f"{what} (%)")
        axes.set_title(f"{found.figure.place}, {what}")
    legend(figure, figure.axes[0], "lower left", inside=0)
    return figure
