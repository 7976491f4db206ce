"""The plots as files, for papers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hil.errors import ConfigError
from hil.files import replacing
from hil.report import captured, figures, gaps
from hil.report.evidence import Evidence, read_evidence
from hil.report.panel import FURTHER, Panel
from hil.report.svg import figure_style
from hil.report.view import View
from hil.results.document import ResultsDocument

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "write_figures"]

FORMATS = ("png", "pdf", "svg")
DOTS_PER_INCH = 300

Plots = Iterable[tuple[str, Callable[[], "Figure"]]]
"""Name of a file without its suffix, and what draws it."""


def write_figures(
    document: ResultsDocument, capture: Path | None, folder: Path, *, formats: Sequence[str] = FORMATS, prefix: str = ""
) -> list[Path]:
    """Write every plot that the run has data for.

    Args:
        document: of a run, a replay, a simulation, or of published curves.
        capture: the run's capture, or None.
        folder: where to; made if need be.
        formats: of `FORMATS`.
        prefix: of the file names.

    Returns:
        the files, by plot and format.

    Raises:
        ConfigError: an unknown format, or a row without metric.
        OutputError: a folder that cannot be written to.
        CaptureError: a capture that cannot be read.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or not formats:
        raise ConfigError(f"--format must be of {', '.join(FORMATS)}, not {', '.join(unknown) or 'nothing'}")
    view = View(document)
    evidence = read_evidence(capture) if capture is not None else None
    written: list[Path] = []
    taken: set[str] = set()
    with figure_style(**{"pdf.fonttype": 42, "svg.hashsalt": "hil"}):
        for name, draw in _plots(view, evidence):
            drawn, stem = draw(), _free(name, taken)
            for suffix in formats:
                path = folder / f"{prefix}{stem}.{suffix}"
                metadata = {"Date": None} if suffix == "svg" else {"CreationDate": None} if suffix == "pdf" else None
                with replacing(path) as new:
                    drawn.savefig(new, dpi=DOTS_PER_INCH, metadata=metadata, facecolor="white")
                written.append(path)
    return written


def _plots(view: View, evidence: Evidence | None) -> Plots:
    for panel in view.panels:
        yield from _of_panel(view, panel)
    for goal in dict.fromkeys(panel.goal for panel in view.panels):
        heard = [panel for panel in view.panels if panel.goal == goal and panel.receiver is not None and panel.points]
        if len(heard) > 1:
            yield f"{goal}-receivers", partial(figures.receivers, view, heard)
    if evidence is not None:
        yield from _of_capture(view, evidence)


def _of_panel(view: View, panel: Panel) -> Plots:
    title = view.title(panel)
    if not panel.points and not panel.published:
        return
    yield f"{title}-{panel.metric.name}", partial(figures.curves, view, panel)
    if panel.measured and panel.simulated:
        groups = [panel.schemes] if len(panel.targets) == 1 else [[name] for name in panel.schemes]
        for names in groups:
            stem = f"{title}-simulation" + (f"-{names[0]}" if len(panel.targets) > 1 else "")
            yield stem, partial(figures.against_simulation, view, panel, names)
    if panel.agreement:
        yield f"{title}-agreement", partial(gaps.agreement, view, panel)
    if any(point.air and point.air.receiver_loss_db is not None for point in panel.points):
        yield f"{title}-receiver-loss", partial(gaps.receiver_loss, view, panel)
    if len(panel.schemes) > 1:
        for rule in panel.energies:
            yield f"{title}-energy-{rule}", partial(figures.energy, view, panel, rule)
    for measure in panel.further[:FURTHER]:
        yield f"{title}-{measure.name}", partial(figures.curves, view, panel, measure)


def _of_capture(view: View, evidence: Evidence) -> Plots:
    for cloud in evidence.clouds:
        if cloud.scheme in view.schemes:
            stem = f"symbols-{cloud.scheme}-{cloud.target:+g}dB" + (f"-{cloud.receiver}" if cloud.receiver else "")
            yield stem, partial(captured.constellation, view, cloud)
    for item in evidence.spectra:
        if item.scheme in view.schemes:
            stem = f"spectrum-{item.scheme}" + (f"-{item.receiver}" if item.receiver else "")
            yield stem, partial(captured.spectrum, view, item)
    for receiver, ledger in evidence.ledgers.items():
        if evidence.names and len(ledger):
            stem = "ledger" + (f"-{receiver}" if receiver else "")
            yield stem, partial(captured.ledger_snr, view, evidence, receiver)


def _free(name: str, taken: set[str]) -> str:
    """The name with letters that any file system takes, and never twice."""
    safe = "".join(letter if letter.isalnum() or letter in "-_+" else "-" for letter in name)
    free, count = safe, 1
    while free in taken:
        count += 1
        free = f"{safe}-{count}"
    taken.add(free)
    return free
