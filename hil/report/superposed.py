"""What a run says of superposed transmitters: how they were aligned, and what alignment and channel knowledge are worth."""

from __future__ import annotations

from collections.abc import Sequence

from hil.points.kinds import UNALIGNED_NAME
from hil.report.measure import number, snr_list
from hil.report.panel import Panel, Point
from hil.report.view import View

__all__ = ["alignment_lines", "knowledge_lines"]


def alignment_lines(view: View) -> list[str]:
    """Of each scheme that was aligned: how often, how far off its transmitters were, and what was refused."""
    found: dict[str, list[Point]] = {}
    seen = set()
    for point in view.points:
        key = (point.scheme, point.energy, point.target, point.repeat)
        if point.air is not None and point.air.alignment and key not in seen:
            seen.add(key)
            found.setdefault(point.scheme, []).append(point)
    return [_aligned(view.label(name), points) for name, points in found.items()]


def _aligned(label: str, points: Sequence[Point]) -> str:
    parts = [point.air.alignment for point in points if point.air is not None and point.air.alignment is not None]

    def most(key: str) -> float | None:
        values = [float(one[key]) for one in parts if one.get(key) is not None]
        return max(values) if values else None

    def total(key: str) -> int:
        return sum(int(one.get(key) or 0) for one in parts)

    kept = f", {total('kept_out_of_bounds')} kept out of bounds" if total("kept_out_of_bounds") else ""
    return (
        f"{label} was aligned {total('alignments')} times in {len(parts)} points; off, at the worst point, by "
        f"{number(most('phase_deg'), 1)}° rms, {number(most('power_db'), 2)} dB, {number(most('delay_samples'), 3)} samples, "
        f"their soundings' noise included; "
        f"{total('gated')} frames refused and sent again{kept}."
    )


def knowledge_lines(view: View, panel: Panel) -> list[str]:
    """Superposed schemes side by side at each SNR: aligned, not aligned, told the channel; where a run has two of these."""
    shown: dict[float, dict[str, str]] = {}
    for point in panel.points:
        if point.air is None or point.access != "noma" or (value := panel.metric.value(point.air)) is None:
            continue
        csi = point.air.csi or {}
        unaligned = point.scheme.endswith(UNALIGNED_NAME)
        kind = "not aligned" if unaligned else "told the channel" if csi.get("rx") == "channel" else "aligned"
        text = f"{view.label(point.scheme)} {panel.metric.text(value)} {panel.metric.interval(_ends(panel, point))}".rstrip()
        own = shown.setdefault(point.target, {})
        own[kind] = f"{own[kind]}, {text}" if kind in own else text
    lines = []
    for target, kinds in shown.items():
        if len(kinds) > 1:
            listed = "; ".join(
                f"{kind}: {kinds[kind]}" for kind in ("aligned", "not aligned", "told the channel") if kind in kinds
            )
            lines.append(f"Superposed at {snr_list([target])}: {listed}.")
    return lines


def _ends(panel: Panel, point: Point) -> tuple[float | None, float | None] | None:
    found = panel.metric.found(point.air) if point.air is not None else None
    return None if found is None else found.ci
