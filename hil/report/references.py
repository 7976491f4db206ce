"""Schemes that stand above their noiseless reference: then the reference is no reference, and the reader must know."""

from __future__ import annotations

from collections.abc import Iterator

from hil.models.card import SchemeEntry
from hil.registry import SCHEMES
from hil.report.measure import apart, known_ends, target_text
from hil.report.panel import Panel
from hil.report.view import View
from hil.results.document import Row, method_of

__all__ = ["above_reference", "reference_lines"]


def above_reference(panel: Panel) -> dict[tuple[str, float | None], tuple[Row, float, tuple[float, float]]]:
    """Points that are better than the noiseless reference of as many views, by an interval.

    The interval is that of two independent samples; both answered the same tasks, so that a paired one would be narrower: what
    is found here is there.

    Returns:
        (scheme, SNR target; None: noiseless) -> reference, difference towards better and its 95 % interval.
    """
    found = {}
    for scheme, target, row in _rows(panel):
        reference = _reference(panel, row)
        if reference is None or scheme == reference.scheme:
            continue
        own, than = panel.metric.found(row), panel.metric.found(reference)
        if own is None or than is None or own.value is None or than.value is None:
            continue
        first, second = (own, than) if panel.metric.better == "higher" else (than, own)
        ends = apart(first.value or 0.0, known_ends(first.ci), second.value or 0.0, known_ends(second.ci))
        if ends is not None and ends[0] > 0:
            found[scheme, target] = reference, panel.metric.gain(own.value, than.value), ends
    return found


def reference_lines(view: View, panel: Panel) -> list[str]:
    """A warning for each scheme above its reference."""
    found = above_reference(panel)
    lines = []
    for scheme in dict.fromkeys(name for name, _ in found):
        own = {target: item for (name, target), item in found.items() if name == scheme}
        reference = next(iter(own.values()))[0]
        parts = [
            f"{panel.metric.difference(value)} {panel.metric.span(ends)} "
            + ("without noise" if target is None else f"at {target_text(target)} dB")
            for target, (_, value, ends) in own.items()
        ]
        unit = f" ({panel.metric.difference_unit})" if panel.metric.difference_unit else ""
        lines.append(
            f"Warning: {view.label(scheme)} is better than its noiseless reference {reference.scheme} "
            f"({panel.metric.text(panel.metric.value(reference))}){unit}: {', '.join(parts)}. It was trained less, or"
            " otherwise; distances to it say nothing of the channel."
        )
    return lines


def _rows(panel: Panel) -> Iterator[tuple[str, float | None, Row]]:
    for point in panel.main_points():
        if point.best is not None:
            yield point.scheme, point.target, point.best
    for name in panel.schemes:
        if rows := panel.noiseless_of(name):
            yield name, None, rows[0]


def _reference(panel: Panel, row: Row) -> Row | None:
    """The noiseless row of the built-in reference of as many views."""
    for other in panel.noiseless:
        entry = SCHEMES.builtin.get(method_of(other.scheme))
        if isinstance(entry, SchemeEntry) and entry.reference and _views(other) == _views(row):
            return other
    return None


def _views(row: Row) -> int:
    """Of a scheme; a reference that sends nothing has one view, or two."""
    if row.access == "single":
        return 1
    return len(row.uses) if row.uses else 2
