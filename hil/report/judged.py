"""A panel's part of the page: the headline's plot and findings, every point, air beside simulation, energy, references."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hil.report import figures, gaps
from hil.report.compared import compared
from hil.report.drawing import Drawing
from hil.report.findings import MEAN_SHARE, panel_lines
from hil.report.measure import Measure, half_width, known_ends, number, sentence, snr_list, target_text
from hil.report.page import Html, cell, fold, hero, marked, paragraph, plots, table, with_interval
from hil.report.panel import FURTHER, Panel, Point, place_db
from hil.report.pictures import pictures
from hil.report.repeats import repeated
from hil.report.theme import looks
from hil.report.view import View
from hil.results.document import Row

__all__ = ["judged"]

Part = tuple[str, str, list[Html]]
"""Short name, heading, content."""


def judged(view: View, panel: Panel, name: str) -> list[Part]:
    """The parts of a panel that have something to show; the first has no heading.

    Args:
        view: of the document.
        panel: of the view.
        name: unique in the page.
    """
    draw = Drawing(view, panel, name)
    parts: list[Part] = [
        ("", "", _hero(draw)),
        ("points", "Every point", _points(view, panel)),
        ("pictures", "Pictures", pictures(view, panel)),
        ("repeats", "Measurement by measurement", repeated(view, panel)),
        ("simulation", "Over the air beside simulation", _simulation(draw)),
        ("further", "Further metrics", _further(draw)),
        ("energy", "Schemes against each other", compared(draw)),
        ("references", "References", _references(view, panel)),
        ("published", "Published, not measured here", _published(panel)),
    ]
    return [part for part in parts if part[2]]


def _hero(draw: Drawing) -> list[Html]:
    view, panel = draw.view, draw.panel
    if not panel.points and not panel.published:
        return [paragraph("No point was finished.", "warning")]
    intervals = "Bars: 95 % intervals, clusters of dependent tasks resampled."
    title = sentence(panel.metric.title)
    if panel.measured:
        caption = f"{title} over the air against the measured SNR of the link. {intervals}"
    elif panel.points:
        caption = f"{title} simulated, against the SNR. {intervals}"
    else:
        caption = f"{title} as published."
    if panel.crowded:
        caption += " The other plots use the same colours and marks."
    if panel.chosen:
        caption += f" Options: {', '.join(panel.chosen)}."
    curve = draw.plot(figures.curves(view, panel), "head", f"{title} against SNR for each scheme", caption)
    return [hero(curve, panel_lines(view, panel))]


Column = tuple[str, Callable[[Point], Html]]


def _points(view: View, panel: Panel) -> list[Html]:
    main = panel.main_points()
    if not main:
        return []
    columns = _columns(view, panel)
    rows = [[make(point) for _, make in columns] for point in main]
    several = len(panel.schemes) > 1
    starts = [several and index > 0 and main[index - 1].target != point.target for index, point in enumerate(main)]
    keep = [at for at in range(len(columns)) if at == 0 or any(row[at] != cell("–") for row in rows)]
    parts = [
        table([columns[at][0] for at in keep], [[row[at] for at in keep] for row in rows], groups=starts),
        paragraph(_note(panel), "note"),
    ]
    if len(panel.further) > FURTHER:
        parts.append(fold(f"All {len(panel.further)} further metrics", _everything(view, panel, main)))
    return parts


def _columns(view: View, panel: Panel) -> list[Column]:
    metric = panel.metric
    style = looks(view)

    def scheme(point: Point) -> Html:
        why = (point.best.impaired if point.best else None) or ""
        return marked(style[point.scheme], view.label(point.scheme), f"impaired: {why}" if why else "")

    def air(measure: Measure) -> Callable[[Point], Html]:
        return lambda point: _value(measure, point.air, strong=measure is metric)

    def simulated(kind: str) -> Callable[[Point], Html]:
        alone = not panel.measured
        return lambda point: _value(metric, getattr(point, kind), interval=alone, strong=alone)

    return [
        ("scheme", scheme),
        ("target dB", lambda point: cell(target_text(point.target))),
        ("uses a task", lambda point: cell(_uses(point)) if view.uses() is None else cell("–")),
        ("with overhead", lambda point: cell(number(point.best.uses_with_overhead if point.best else None))),
        ("link SNRs dB", lambda point: cell(" / ".join(number(snr, 2) for snr in _snrs(point)))),
        ("± 95 %", lambda point: cell(number(half_width(point.air.snr_mean_db_ci if point.air else None), 2))),
        ("eff. SNR dB", lambda point: cell(number(point.air.snr_eff_db if point.air else None, 2))),
        ("loss dB", _loss),
        (f"{metric.heading} over the air [95 %]", air(metric)),
        ("without lost tasks", lambda point: _scored(metric, point.air)),
        ("tasks", lambda point: cell(f"{point.best.tasks:,}" if point.best else "–")),
        ("simul. at link SNR", simulated("link")),
        ("simul. at eff. SNR", simulated("effective")),
        ("simul. captured channel", simulated("channel")),
        (f"air − simul. {metric.difference_unit} [simultaneous 95 %]", lambda point: _difference(metric, point)),
        *((measure.heading, air(measure)) for measure in panel.further[:FURTHER]),
        ("frames sent", lambda point: _frames(point, "sent")),
        ("lost", lambda point: _frames(point, "lost", bad=True)),
    ]


def _loss(point: Point) -> Html:
    """Receiver loss with its interval."""
    row = point.air
    ends = known_ends(row.receiver_loss_db_ci) if row else None
    interval = f"[{number(ends[0], 2)}, {number(ends[1], 2)}]" if ends else ""
    return with_interval(number(row.receiver_loss_db if row else None, 2), interval, strong=False)


def _snrs(point: Point) -> list[float | None]:
    return list((point.air.snr_db if point.air else None) or [None])


def _uses(point: Point) -> str:
    counts = (point.best.uses if point.best else None) or []
    return " / ".join(f"{count:g}" for count in counts) or "–"


def _value(measure: Measure, row: Row | None, *, interval: bool = True, strong: bool = False) -> Html:
    found = measure.found(row)
    if found is None:
        return cell("–")
    return with_interval(measure.text(found.value), measure.interval(found.ci) if interval else "", strong=strong)


def _scored(measure: Measure, row: Row | None) -> Html:
    found = measure.found(row)
    lost = found is not None and found.scored is not None and found.scored != found.value
    return cell(measure.text(found.scored)) if found is not None and lost else cell("–")


def _difference(measure: Measure, point: Point) -> Html:
    item = point.agreement
    if item is None:
        return cell("–")
    ends = measure.span(item.simultaneous_ci)
    shown = measure.difference(item.difference) + (" ?" if item.verdict == "undetermined" else "")
    return with_interval(shown, ends, "bad" if item.verdict == "beyond" else "")


def _frames(point: Point, name: str, *, bad: bool = False) -> Html:
    count = ((point.air.frames if point.air else None) or {}).get(name)
    return cell("–" if count is None else f"{count:,}", kind="bad" if bad and count else "")


def _note(panel: Panel) -> str:
    draws = sorted(
        {row.draws for point in panel.points for row in (point.link, point.effective, point.channel) if row and row.draws}
    )
    parts = []
    if panel.measured:
        parts.append(
            "SNR is measured on each link: mean signal power over the noise of everything silent, pooled as the line on noise "
            "says; ± is half the 95 % interval of the links' mean. Effective SNR is −EVM of the received symbols; the loss is "
            "their difference. With overhead: silent symbol, preamble, sounding, header, pilots and alignment counted. A task "
            "whose frame was lost counts as the worst."
        )
    if draws:
        said = " or ".join(map(str, draws)) if len(draws) < 3 else f"{draws[0]} to {draws[-1]}"
        parts.append(f"Simulations average {said} noise draws of the same tasks.")
    if panel.agreement:
        bound = panel.metric.within(panel.agreement[0].bound)
        parts.append(
            "Differences are paired by task; their intervals cover all points at once (max t). A point lies inside "
            f"{bound} if its interval does, beyond if it lies wholly outside (red), and is undetermined (?) else."
        )
    names = [measure.name for measure in (panel.metric, *panel.further[:FURTHER])]
    return " ".join([*parts, f"In results.json: {', '.join(names)}."])


def _everything(view: View, panel: Panel, points: Sequence[Point]) -> Html:
    """All metrics of all points: metrics down, points across."""
    head = ["metric", *(f"{view.label(point.scheme)} {snr_list([point.target])}" for point in points)]
    rows = [
        [cell(measure.heading, kind="text"), *(_value(measure, point.best) for point in points)]
        for measure in (panel.metric, *panel.further)
    ]
    return table(head, rows)


def _simulation(draw: Drawing) -> list[Html]:
    view, panel = draw.view, draw.panel
    if not panel.measured:
        return []
    parts: list[Html] = []
    if panel.simulated:
        groups = [panel.schemes] if len(panel.targets) == 1 else [[name] for name in panel.schemes]
        drawn = [
            draw.plot(
                figures.against_simulation(view, panel, names),
                f"beside{index}",
                f"{', '.join(view.label(name) for name in names)}: air and simulation",
            )
            for index, names in enumerate(groups)
        ]
        parts += [
            plots(drawn, "three" if len(panel.targets) > 1 else "two"),
            paragraph(
                "The same symbols through y = Σ x + n with ideal knowledge, once at the SNR of the link and once at the "
                "effective SNR of what was received. Every row of a point is drawn at the point's measured link SNR, so "
                "that vertical distances compare the same point.",
                "note",
            ),
        ]
    pair = []
    if panel.agreement:
        bound, within = panel.agreement[0].bound, panel.metric.within
        caption = (
            f"Dotted: {within(bound * MEAN_SHARE)} (for a scheme's mean). Dashed: {within(bound)} (for each point's "
            "simultaneous interval)."
        )
        pair.append(draw.plot(gaps.agreement(view, panel), "agr", "Air minus simulation against SNR", caption))
    if any(point.air and point.air.receiver_loss_db is not None for point in panel.points):
        caption = "What channel estimation, equalisation and distortion cost, with 95 % intervals of the loss and of the SNR."
        pair.append(draw.plot(gaps.receiver_loss(view, panel), "loss", "Receiver loss in dB against SNR", caption))
    return parts + ([plots(pair, "two")] if pair else [])


def _further(draw: Drawing) -> list[Html]:
    view, panel = draw.view, draw.panel
    shown = [measure for measure in panel.further[:FURTHER] if any(measure.found(point.best) for point in panel.points)]
    if not shown:
        return []
    drawn = [
        draw.plot(
            figures.curves(view, panel, measure, named=not panel.crowded, width=4.7, height=3.7),
            f"more{index}",
            f"{measure.title} against SNR for each scheme",
        )
        for index, measure in enumerate(shown)
    ]
    return [plots(drawn, "three")]


def _references(view: View, panel: Panel) -> list[Html]:
    """Without a channel: every scheme under every option, other networks, constants."""
    own = [row for name in panel.schemes for row in panel.noiseless_of(name)]
    shown = [*own, *panel.baselines(), *panel.constants()]
    if not shown:
        return []
    options = list(dict.fromkeys(name for row in shown for name, value in row.options.items() if value is not None))
    further = [measure for measure in panel.further[:FURTHER] if any(measure.found(row) for row in shown)]
    rows = [
        [
            cell(row.scheme, kind="text"),
            *(cell(_plain(row.options.get(name)), kind="text") for name in options),
            *(_value(measure, row, strong=measure is panel.metric) for measure in (panel.metric, *further)),
            cell(f"{row.tasks:,}"),
            cell(_plain(row.snr_train_db)),
            cell(_plain(row.training_seed)),
        ]
        for row in shown
    ]
    head = ["noiseless", *options, *(f"{measure.heading} [95 %]" for measure in (panel.metric, *further)), "tasks",
            "trained at", "training seed"]  # fmt: skip
    note = "Nothing was sent over a channel. One training seed each unless named otherwise."
    return [table(head, rows, left=1 + len(options)), paragraph(note, "note")]


def _published(panel: Panel) -> list[Html]:
    if not panel.published:
        return []
    rows = [
        [
            cell(name, kind="text"),
            cell(row.paper or "–", kind="text"),
            cell(number(place_db(row), 1)),
            _value(panel.metric, row, strong=True),
            cell(f"{row.tasks:,}" if row.tasks else "–"),
        ]
        for name, own in panel.curves().items()
        for row in own
    ]
    return [table(["scheme", "source", "SNR dB", panel.metric.heading, "tasks"], rows, left=2)]


def _plain(value: Any) -> str:
    return "–" if value is None else str(value)
