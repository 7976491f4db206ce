"""What a run says, in a few honest lines made from its numbers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hil.models.card import Claim
from hil.points.kinds import UNALIGNED_NAME
from hil.report.claims import claims, held_against
from hil.report.measure import known_ends, number, sentence, snr_list
from hil.report.methods import codeword_lines
from hil.report.orders import orders
from hil.report.panel import CROWD, Panel, Point
from hil.report.references import reference_lines
from hil.report.repeats import repeat_lines
from hil.report.sent import sent_lines
from hil.report.superposed import alignment_lines, knowledge_lines
from hil.report.view import View
from hil.results.document import SIMULATION, Agreement, Noise, ResultsDocument, Row
from hil.units import DB_OF_E

__all__ = [
    "LEAST_LOOKS", "LOSS_LIMIT_DB", "MEAN_SHARE", "bases", "claim_lines", "claim_text", "more_tasks", "noise_line", "notices",
    "panel_lines", "run_lines", "summary_lines",
]  # fmt: skip

Interval = tuple[float | None, float | None]

HIGH_SNR_DB = 12.0
LEAST_LOOKS = 10_000
"""What a point's noise should rest on (SIGNALS.md, "Noise"): 0.09 dB with 95 %."""
LOSS_LIMIT_DB = 0.7
MOST_TIMES = 100
"""As many tasks; who would need more is not told how many."""
MEAN_SHARE = 1 / 3
"""Of an entry's bound: what the mean over a scheme's SNRs is held against."""
BASES = {"effective": "at the effective SNR", "link": "at the link SNR", "channel": "through the captured channel"}


def bases(agreement: Sequence[Agreement]) -> str:
    """What points over the air are held against, in words."""
    return " or ".join(dict.fromkeys(BASES.get(item.snr_basis, "") for item in agreement))


def summary_lines(document: ResultsDocument) -> list[str]:
    """What the run says: what went wrong, then for each goal and receiver references, agreement, loss, order, claims.

    Raises:
        ConfigError: a row has no metric.
    """
    view = View(document)
    lines = [*notices(view), *run_lines(view)]
    for panel in view.panels:
        own = [*panel_lines(view, panel), *claim_lines(panel)]
        if own and len(view.panels) > 1:
            lines.append(f"{sentence(view.title(panel))}:")
        lines += own
    return lines


def notices(view: View) -> list[str]:
    """What a reader must know before any number: how the run ended, points given up, points that are impaired."""
    document = view.document
    lines = []
    if document.status != "complete":
        why = f": {document.why.rstrip('.')}" if document.why else ""
        word = {"stopped": "was stopped", "failed": "failed"}[document.status]
        lines.append(f"The run {word}{why}. What was measured until then is shown.")
    if document.ended_points:
        ended = "; ".join(_ended(view, item) for item in document.ended_points)
        lines.append(f"Points given up before their last frame: {ended}.")
    lines += [f"Warning: {text}." for text in document.warnings]
    seen = dict.fromkeys(f"{_where(view, row)} ({row.impaired})" for row in document.points if row.impaired)
    if seen:
        lines.append(f"Impaired points, whose stated noise may be wrong: {'; '.join(seen)}.")
    return lines


def _where(view: View, row: Row) -> str:
    at = f" at {snr_list([row.snr_db_target])}" if row.snr_db_target is not None else ""
    return view.label(row.scheme) + at + (f" at {row.receiver}" if row.receiver is not None else "")


def _ended(view: View, item: Mapping[str, Any]) -> str:
    text = view.label(str(item.get("scheme", "?")))
    if item.get("snr_db_target") is not None:
        text += f" at {snr_list([float(item['snr_db_target'])])}"
    if item.get("frames_planned") is not None:
        text += f" after {item.get('frames_sent', '?')} of {item['frames_planned']} frames"
    return text + (f" ({item['why']})" if item.get("why") else "")


def run_lines(view: View) -> list[str]:
    """What is true of the run as a whole: its frames, what was sent, how transmitters were aligned, noise, superpositions."""
    frames = [
        f"Frames{f' at {receiver}' if receiver is not None else ''}: "
        + ", ".join(f"{count:,} {name}" for name, count in frames.items())
        + "."
        for receiver, frames in view.frames().items()
    ]
    noises = [noise_line(item) for item in view.document.noise if item.looks]
    return [*frames, *sent_lines(view), *alignment_lines(view), *noises, *codeword_lines(view)]


def noise_line(item: Noise) -> str:
    """What the noise of the SNRs rests on."""
    probability = f"p = {item.drift_p:.2g}" if item.drift_p is not None else "not tested"
    error = f"±{1.96 * DB_OF_E / item.looks**0.5:.3f} dB"
    if item.pool == "point":
        trend = f"{number(item.trend_db, 2, sign=True)} dB over the run"
        return f"Noise at {item.receiver} drifts ({probability}, {trend}): each point's SNR stands against its own noise."
    few = f", fewer than the {LEAST_LOOKS:,} that a point should have" if item.looks < LEAST_LOOKS else ""
    return f"Noise at {item.receiver}: pooled over the run, {item.looks:,} looks ({error}{few}); no drift ({probability})."


def panel_lines(view: View, panel: Panel) -> list[str]:
    """What one goal at one receiver says."""
    makers: list[Callable[[View, Panel], list[str]]] = [
        reference_lines, _references, _high_snr, _gaps, _bounds, _loss, repeat_lines, _orders, _means, knowledge_lines,
    ]  # fmt: skip
    return [line for make in makers for line in make(view, panel)]


def claim_lines(panel: Panel) -> list[str]:
    """What papers claim of these schemes, each with what was found."""
    lines = []
    for claim in claims(panel):
        found = [f"{order.title}, {held.text}" for order in orders(panel) if (held := held_against(claim, order))]
        if found:
            lines.append(f"{claim_text(claim)}: {'; '.join(found)}.")
    return lines


def claim_text(claim: Claim) -> str:
    """Who claims what, and where it is looked for."""
    where = "" if claim.up_to_snr_db is None else f" (here: ≤ {snr_list([claim.up_to_snr_db])})"
    return f"{claim.paper.split(',')[0]} claim that {claim.text}{where}"


def _few(texts: Sequence[str]) -> str:
    """All; of many the first ones, and how many more there are."""
    if len(texts) <= CROWD:
        return ", ".join(texts)
    return ", ".join(texts[: CROWD // 2]) + f" and {len(texts) - CROWD // 2} more"


def _title(panel: Panel) -> str:
    unit = panel.metric.heading.removeprefix(panel.metric.title)
    return sentence(panel.metric.title) + " without a channel" + unit


def _references(view: View, panel: Panel) -> list[str]:
    metric = panel.metric
    own = [
        f"{view.label(name)} {metric.text(value)}" for name in panel.schemes if (value := panel.without_noise(name)) is not None
    ]
    if panel.crowded and own:
        values = [value for name in panel.schemes if (value := panel.without_noise(name)) is not None]
        own = [f"{metric.text(min(values))}…{metric.text(max(values))} ({len(values)} schemes)"]
    parts = [f"noiseless {_few(own)}"] if own else []
    beside = [f"{row.scheme} {metric.text(metric.value(row))}" for row in [*panel.baselines(), *panel.constants()]]
    parts += [_few(beside)] if beside else []
    return [f"{_title(panel)}: {'; '.join(parts)}."] if parts else []


def _high_snr(view: View, panel: Panel) -> list[str]:
    metric = panel.metric
    found: list[tuple[float, str]] = []
    where = ""
    for name in panel.schemes:
        noiseless = panel.without_noise(name)
        high = [(point, value) for point in panel.of(name)
                if point.target >= HIGH_SNR_DB and (value := metric.value(point.best)) is not None]  # fmt: skip
        if noiseless is None or not high:
            continue
        worst, value = min(high, key=lambda item: metric.gain(item[1], noiseless))
        where = "over the air" if worst.air else "simulated"
        ends = _noiseless_interval(panel, worst)
        text = f"{view.label(name)} {metric.difference(value - noiseless)}{ends} at {snr_list([worst.target])}"
        found.append((metric.gain(value, noiseless), text))
    if not found:
        return []
    if panel.crowded:
        found.sort()
    unit = metric.difference_unit
    texts = _few([text for _, text in found])
    return [
        f"{sentence(metric.title)} {where} at ≥ {HIGH_SNR_DB:g} dB minus the scheme's own noiseless"
        f" ({unit + ', ' if unit else ''}worst): {texts}."
    ]


def _noiseless_interval(panel: Panel, point: Point) -> str:
    for item in panel.comparisons:
        if (item.first, item.second, item.snr_db_target) == (point.scheme, "noiseless", point.target):
            return f" {panel.metric.span(item.simultaneous_ci or item.ci)}".rstrip()
    return ""


def _gaps(view: View, panel: Panel) -> list[str]:
    """Air − simulation of each scheme, mean over its SNRs."""
    groups: dict[str, list[Agreement]] = {}
    for item in panel.agreement:
        groups.setdefault(item.scheme, []).append(item)
    if not groups:
        return []
    metric = panel.metric
    order = [name for name in dict.fromkeys([*panel.schemes, *groups]) if name in groups]
    means = {name: sum(item.difference for item in groups[name]) / len(groups[name]) for name in order}
    ends = {item.first: item.simultaneous_ci for item in panel.means if item.second == SIMULATION}
    limit = MEAN_SHARE * panel.agreement[0].bound
    ranked = sorted(means, key=lambda name: -abs(means[name])) if panel.crowded else list(means)
    texts = [f"{view.label(name)} {metric.difference(means[name])} {metric.span(ends.get(name))}".rstrip() for name in ranked]
    unit = f" ({metric.difference_unit})" if metric.difference_unit else ""
    return [
        f"Air − simulation {bases(panel.agreement)}, mean over the SNRs{unit}: {_few(texts)}; "
        f"{_within(means, ends, limit, metric.within(limit))}."
    ]


def _within(means: Mapping[str, float], ends: Mapping[str, Interval | None], limit: float, words: str) -> str:
    """How many means lie within a limit by their intervals; without intervals, how many do as they are."""
    known = [found for name in means if (found := known_ends(ends.get(name))) is not None]
    if len(known) < len(means):
        inside = max(abs(mean) for mean in means.values()) <= limit
        return f"{'all' if inside else 'not all'} within {words} (no intervals)"
    within = sum(-limit <= low and high <= limit for low, high in known)
    beyond = sum(low > limit or high < -limit for low, high in known)
    return f"{within} within {words} by their intervals, {len(known) - within - beyond} undetermined, {beyond} beyond"


def _bounds(view: View, panel: Panel) -> list[str]:
    """How many points lie inside the bound, beyond it, or are undetermined."""
    if not panel.agreement:
        return []
    counts = Counter(item.verdict for item in panel.agreement)
    beyond = [item for item in panel.agreement if item.verdict == "beyond"]
    where = _few([f"{view.label(item.scheme)} at {snr_list([item.snr_db_target])}" for item in beyond])
    return [
        f"Air − simulation against {panel.metric.within(panel.agreement[0].bound)}, by simultaneous 95 % intervals: "
        f"{counts['inside']} of {len(panel.agreement)} points inside, {counts['undetermined']} undetermined, "
        f"{counts['beyond']} beyond" + (f": {where}." if where else ".") + more_tasks(panel.agreement)
    ]


def more_tasks(found: Sequence[Agreement]) -> str:
    """How many times as many tasks would bring undetermined points inside the bound, if their differences stay what they are.

    Errors fall with the root of the tasks. Points whose difference is itself beyond the bound, or about there, are left out.
    """
    undetermined = [item for item in found if item.verdict == "undetermined"]
    factors = []
    for item in undetermined:
        ends = known_ends(item.simultaneous_ci)
        half = math.inf if ends is None else (ends[1] - ends[0]) / 2
        rest = item.bound - abs(item.difference)
        if rest > 0 and (half / rest) ** 2 <= MOST_TIMES:
            factors.append((half / rest) ** 2)
    if not factors:
        return ""
    which = "those undetermined" if len(factors) == len(undetermined) else f"{len(factors)} of those undetermined"
    return f" About {math.ceil(max(factors))} times as many tasks would decide {which}."


def _loss(view: View, panel: Panel) -> list[str]:
    measured = [
        (loss, point)
        for point in panel.main_points()
        if point.air
        and (loss := point.air.receiver_loss_db) is not None
        and not point.scheme.endswith(UNALIGNED_NAME)  # it divides by what may be next to nothing
    ]
    if not measured:
        return []
    loss, worst = max(measured, key=lambda item: item[0])
    low, high = known_ends(worst.air.receiver_loss_db_ci if worst.air else None) or (loss, loss)
    ends = f" [{number(low, 2)}, {number(high, 2)}]" if low < high else ""
    said = "within" if high <= LOSS_LIMIT_DB else "above" if low > LOSS_LIMIT_DB else "too few frames to tell from"
    return [
        f"Largest receiver loss: {number(loss, 2)}{ends} dB ({view.label(worst.scheme)} at {snr_list([worst.target])}), "
        f"{said} the {LOSS_LIMIT_DB:g} dB allowed."
    ]


def _orders(view: View, panel: Panel) -> list[str]:
    return [f"Order under {order.sentence(view)}" for order in orders(panel)]


def _means(view: View, panel: Panel) -> list[str]:
    """Schemes and their differences, mean over the SNRs."""
    lines = []
    metric = panel.metric
    for order in orders(panel):
        own = [item for item in order.means if item.second is None]
        pairs = [item for item in order.means if item.second is not None]
        if not own:
            continue
        low, high = min(item.snr_db[0] for item in own), max(item.snr_db[1] for item in own)
        alone = [f"{view.label(item.first)} {metric.text(item.value)} {metric.interval(item.ci)}".rstrip() for item in own]
        apart = [
            f"{view.label(item.first)} − {view.label(item.second or '')} {metric.difference(item.value)} "
            + metric.span(item.simultaneous_ci)
            for item in pairs
        ]
        text = f"Mean over {number(low)}…{number(high)} dB, {order.title}: {_few(alone)}"
        lines.append(text + (f"; differences, {order.kind}: {_few(apart)}." if apart else "."))
    return lines
