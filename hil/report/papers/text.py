"""What papers' figures say in words: the head of the text, and a claim with the differences that it rests on."""

from __future__ import annotations

import math

from hil.report.papers.found import Found
from hil.report.papers.said import Answer
from hil.report.papers.spec import PaperFigure

__all__ = ["claim_lines", "head_lines"]

_WHAT = {"steps": "largest fall between neighbouring SNRs, {second} − {first}"}


PAIRED = "Intervals are paired by task and simultaneous where one run has both networks, else unpaired, which is wider."


def head_lines(figure: PaperFigure, intervals: str = PAIRED) -> list[str]:
    """Title, what differs from the paper's conditions, and how claims are judged, with a word on intervals."""
    lines = [f"# {figure.paper}, {figure.place}: {figure.title}", "", *([figure.note, ""] if figure.note else [])]
    return [
        *lines,
        "A claim is supported at an SNR where the 95 % interval of the difference lies on its side, contradicted where it lies "
        f"on the other, else undetermined. {intervals}",
    ]


def claim_lines(found: Found, said: Answer) -> list[str]:
    """One claim: its verdict, and the differences that it rests on."""
    lines = [f"- {said.claim.text}: **{said.verdict}**" + (f" ({said.seeds})" if said.seeds else "")]
    told = []
    for one in said.differences:
        at = "" if math.isnan(one.target) else f"{found.figure.place_text(one.target)}: "
        told.append(f"{at}{found.measure.difference(one.value)} {found.measure.span(one.ends)}".rstrip())
    if told:
        kinds = " and ".join(dict.fromkeys(one.kind for one in said.differences))
        what = _WHAT.get(said.claim.relation, "{first} − {second}").format(first=said.claim.first, second=said.claim.second)
        unit = found.measure.difference_unit
        lines.append(f"  {what}{f' ({unit}; {kinds})' if unit else f' ({kinds})'}: {', '.join(told)}")
    return lines
