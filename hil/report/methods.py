"""What a run says beyond its networks: how alike transmitters' codewords are, and means over training seeds."""

from __future__ import annotations

from hil.report.measure import Measure, known_ends, number
from hil.report.page import Html, cell, heading, paragraph, table, with_interval
from hil.report.panel import CROWD, Panel
from hil.report.view import View
from hil.results.document import Codewords, MeanOverSeeds

__all__ = ["codeword_lines", "codewords", "seeds"]

COSINES = 4
"""Digits of cos², as in Lo et al., Table I."""
GAINS = 3


def codeword_lines(view: View) -> list[str]:
    """What superposed transmitters gain from, in a line."""
    told = [
        f"{view.label(one.scheme)} cos² {number(one.cos2, GAINS)} (by chance {number(one.cos2_chance, GAINS)}, different "
        f"identities {number(one.cos2_others, GAINS)}), coherent gain {number(one.coherent_gain, GAINS)}"
        for one in view.document.codewords
        if one.coherent_gain_ci is not None
    ]
    more = f" and {len(told) - CROWD} more" if len(told) > CROWD else ""
    return [f"Superposed codewords: {'; '.join(told[:CROWD])}{more}."] if told else []


def codewords(view: View) -> list[Html]:
    """How alike the codewords of two transmitters are, beside chance and two different identities."""
    found = view.document.codewords
    if not found:
        return []
    note = (
        "cos² = (Re⟨x₁, x₂⟩)²/(‖x₁‖²‖x₂‖²), mean over tasks with its 95 % interval over identities (Lo et al., Table I: OMA "
        "0.0151, NOMA 0.7523). By chance: 1/(2n) for n uses. Others: the codewords of two different identities. Coherent gain: "
        "mean |x₁ + x₂|² over mean |x₁|² + |x₂|², 1 where nothing adds up and 2 for equal codewords; what is there for others, "
        "too, carries no identity. Power of the sum: of transmitters of unit power."
    )
    head = ["scheme", "transmitters", "uses each", "cos²", "by chance", "others", "coherent gain", "others", "power of the sum"]
    return [paragraph(note, "note"), table(head, [_pair(view, one) for one in found])]


def _pair(view: View, one: Codewords) -> list[Html]:
    return [
        cell(view.label(one.scheme), kind="text"),
        cell(" and ".join(str(tx) for tx in one.transmitters)),
        cell(str(one.uses)),
        with_interval(number(one.cos2, COSINES), _ends(one.cos2_ci, COSINES)),
        cell(number(one.cos2_chance, COSINES)),
        with_interval(number(one.cos2_others, COSINES), _ends(one.cos2_others_ci, COSINES), strong=False),
        with_interval(number(one.coherent_gain, GAINS), _ends(one.coherent_gain_ci, GAINS)),
        cell(number(one.coherent_gain_others, GAINS)),
        cell(number(one.power_of_sum, GAINS)),
    ]


def _ends(ends: tuple[float | None, float | None] | None, digits: int) -> str:
    known = known_ends(ends)
    return "" if known is None else f"[{number(known[0], digits)}, {number(known[1], digits)}]"


def seeds(view: View) -> list[Html]:
    """Each method's mean over its training seeds, and differences paired by seed."""
    parts: list[Html] = []
    for panel in view.panels:
        rows = [_mean(panel.metric, one) for one in _of(view, panel)]
        if rows:
            parts.append(heading(view.title(panel)))
            parts.append(table(["method", "from", "energy", "SNR target dB", "seeds", "mean", "between networks"], rows))
    if not parts:
        return []
    note = (
        "Networks of other training seeds are named NAME@SEED. Intervals: 95 % over networks, by Student; they hold what "
        "training varies. Differences are paired by seed. All networks met the same tasks: what other tasks would give is in "
        "each network's own interval."
    )
    return [paragraph(note, "note"), *parts]


def _of(view: View, panel: Panel) -> list[MeanOverSeeds]:
    return [one for one in view.document.seeds if (one.goal, one.receiver) == (panel.goal, panel.receiver)]


def _mean(metric: Measure, one: MeanOverSeeds) -> list[Html]:
    named = one.first if one.second is None else f"{one.first} − {one.second}"
    value, ends = (metric.text(one.value), metric.interval(one.ci)) if one.second is None else (
        metric.difference(one.value), metric.span(one.ci)
    )  # fmt: skip
    basis = f"{one.source}, {one.snr_basis}" if one.snr_basis else one.source
    return [
        cell(named, kind="text"),
        cell(basis, kind="text"),
        cell(one.energy or "–", kind="text"),
        cell(number(one.snr_db_target)),
        cell(", ".join(map(str, one.seeds))),
        with_interval(value, ends),
        cell(metric.difference(one.spread).lstrip("+")),
    ]
