"""What the capture holds, as parts of the page: received symbols, spectra, the ledger."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.captures import FrameKind, FrameStatus
from hil.report import captured
from hil.report.evidence import Evidence
from hil.report.page import Html, cell, heading, paragraph, plot, plots, table
from hil.report.svg import inline_svg
from hil.report.view import View

__all__ = ["ledger", "signals"]


def signals(view: View, evidence: Evidence | None) -> list[Html]:
    """Received symbols against sent, and spectra."""
    if evidence is None:
        return []
    parts = [*_clouds(view, evidence), *_spectra(view, evidence)]
    if parts and evidence.left_out:
        parts.append(paragraph(f"{evidence.left_out} further schemes are not shown here.", "note"))
    return parts


def _clouds(view: View, evidence: Evidence) -> list[Html]:
    drawn = [
        plot(
            inline_svg(
                captured.constellation(view, cloud), f"con{index}", f"Received symbols of {cloud.scheme} at {cloud.target:g} dB"
            )
        )
        for index, cloud in enumerate(evidence.clouds)
        if cloud.scheme in view.schemes
    ]
    if not drawn:
        return []
    note = (
        "Coloured: received symbols y/Ḡ as the decoder gets them. Black (white in the dark): what was sent, the sum over the "
        f"transmitters. Lines join {captured.JOINED} of them. The circle has the radius of the rms error."
    )
    return [heading("Received symbols against sent"), paragraph(note, "note"), plots(drawn, "small three")]


def _spectra(view: View, evidence: Evidence) -> list[Html]:
    drawn = [
        plot(
            inline_svg(captured.spectrum(view, item), f"spec{index}", f"Spectrum of a burst of {item.scheme}")
            + inline_svg(captured.envelope(view, item), f"env{index}", f"Level over time of a burst of {item.scheme}")
        )
        for index, item in enumerate(evidence.spectra)
        if item.scheme in view.schemes
    ]
    if not drawn:
        return []
    note = (
        "Welch, Hann, 256 bins, the whole frame as the converter gave it; noise floor from the silence before frames. "
        "Below: level of the same burst (mean over 16 samples): silent symbol, preamble, sounding, header, payload."
    )
    return [heading("Spectrum and level of a received burst"), paragraph(note, "note"), plots(drawn, "three")]


def ledger(view: View, evidence: Evidence | None) -> list[Html]:
    """Frames by kind and status, events by kind, and each frame's SNR."""
    if evidence is None:
        return []
    committed = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in evidence.counts.items())
    parts = [paragraph(f"Every frame ever sent has its row; nothing is dropped silently. Committed: {committed}.", "note")]
    for receiver, rows in evidence.ledgers.items():
        parts += _frames(rows, f"frames at {receiver}" if receiver is not None else "frames")
    parts.append(_events(evidence.events))
    for index, (receiver, rows) in enumerate(evidence.ledgers.items()):
        if evidence.names and len(rows):
            drawn = inline_svg(
                captured.ledger_snr(view, evidence, receiver), f"led{index}", "Measured SNR of every frame, in the order sent"
            )
            caption = "Each frame's measured SNR on each link, from the ledger; the step is the target."
            parts.append(plot(drawn, caption, "wide"))
    return parts


def _frames(ledger: NDArray[Any], title: str) -> list[Html]:
    rows = []
    for kind in FrameKind:
        own = ledger[ledger["kind"] == kind]
        if not len(own):
            continue
        counts = [int(np.count_nonzero(own["status"] == status)) for status in FrameStatus]
        clipped = int(own["clipped"].sum())
        rows.append(
            [
                cell(kind.name.lower(), kind="text"),
                cell(f"{len(own):,}"),
                *(cell(f"{count:,}" if count else "·") for count in counts),
                cell(f"{clipped:,}", kind="bad" if clipped else ""),
            ]
        )
    head = [title, "all", *(status.name.lower() for status in FrameStatus), "samples at full scale"]
    return [table(head, rows)] if rows else []


def _events(events: NDArray[Any]) -> Html:
    kinds, tally = np.unique(events["kind"], return_counts=True)
    if not len(kinds):
        return paragraph("No stream events: no overflow, underflow, late burst or gap was reported.")
    rows = []
    for name, count in zip(kinds, tally, strict=True):
        own = events[events["kind"] == name]
        radios = ", ".join(sorted({bytes(radio).decode("utf-8", "replace") for radio in own["radio"]}))
        label = bytes(name).decode("utf-8", "replace")
        rows.append(
            [cell(label, kind="text"), cell(radios, kind="text"), cell(f"{count:,}"), cell(f"{int(own['count'].sum()):,}")]
        )
    return table(["stream events", "radio", "events", "samples"], rows, left=2)
