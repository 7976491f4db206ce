"""What a run says of what was sent: how high its peaks are, and what digital schemes make of uses and bits."""

from __future__ import annotations

from typing import Any

from hil.report.measure import number
from hil.report.view import View
from hil.results.document import Row

__all__ = ["sent_lines"]


def sent_lines(view: View) -> list[str]:
    """Peaks and clipping of each scheme that was on the air, then uses and bits of the digital ones, simulated alone or not."""
    rows: dict[str, list[Row]] = {}
    for point in view.points:
        row = point.air or point.link
        if row is not None:
            rows.setdefault(point.scheme, []).append(row)
    peaks = [text for name, own in rows.items() if (text := _peaks(view.label(name), own))]
    clipped = [text for name, own in rows.items() if (text := _clipped(view.label(name), own))]
    lines = []
    if peaks:
        last = f"clipped when sent: {', '.join(clipped)}" if clipped else "no sample clipped when sent"
        lines.append(
            "Peaks of the payload over its mean, dB, exceeded by 0.1 % of the samples sent (highest): "
            f"{', '.join(peaks)}; {last}."
        )
    return lines + [text for name, own in rows.items() if (text := _bits(view.label(name), own))]


def _most(values: list[list[float | None] | None]) -> float | None:
    return max((one for own in values for one in own or () if one is not None), default=None)


def _peaks(label: str, rows: list[Row]) -> str:
    """The worst point and transmitter."""
    level, highest = _most([row.papr_db for row in rows]), _most([row.peak_db for row in rows])
    return "" if level is None else f"{label} {number(level, 1)} ({number(highest, 1)})"


def _clipped(label: str, rows: list[Row]) -> str:
    share = _most([row.tx_clipped_share for row in rows])
    return f"{label} up to {100 * share:.2g} %" if share else ""


def _bits(label: str, rows: list[Row]) -> str:
    """Uses and bits of a scheme that sends bits: the choice, what was really sent, what was lost and why."""
    codings: list[dict[str, Any]] = [own for row in rows if (own := (row.model_extra or {}).get("coding"))]
    if not codings:
        return ""
    names = list(dict.fromkeys(packet["name"] for one in codings for packet in one.get("packets", ())))
    uses = rows[0].uses or []
    parts = [f"{label}: {' + '.join(f'{count:g}' for count in uses)} uses a task"]
    if pixel := [one["bits_per_pixel"] for one in codings if "bits_per_pixel" in one]:
        low, high = (f"{end:.3f}" for end in (min(pixel), max(pixel)))
        parts.append(f"{low if low == high else f'{low}…{high}'} bits a pixel, headers {codings[0].get('headers')}")
    if bits := [one["message_bits"] for one in codings if "message_bits" in one]:
        parts.append(f"messages of {bits[0]:.1f} bits")
    parts.append(f"{codings[0].get('choice', 'fixed')}: {', '.join(names)}")
    lost: dict[str, int] = {}
    for one in codings:
        for fate, count in one.get("fates", {}).items():
            if fate != "received" and count:
                lost[fate] = lost.get(fate, 0) + count
    parts.append("lost: " + (", ".join(f"{count:,} {fate.replace('_', ' ')}" for fate, count in lost.items()) or "none"))
    return "; ".join(parts) + "."
