"""The main plots as files, for papers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hil.errors import ConfigError
from hil.report import captured, figures
from hil.report.evidence import Evidence, read_evidence
from hil.report.svg import figure_style
from hil.report.view import View

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "write_figures"]

FORMATS = ("png", "pdf", "svg")
DOTS_PER_INCH = 300


def write_figures(
    results: Mapping[str, Any], capture: Path | None, folder: Path, *, formats: Sequence[str] = FORMATS, prefix: str = ""
) -> list[Path]:
    """Write every plot that the run has data for.

    Args:
        results: as in `results.json`.
        capture: the run's capture, or None.
        folder: where to; made if need be.
        formats: of `FORMATS`.
        prefix: of the file names.

    Returns:
        the files, by plot and format.

    Raises:
        ConfigError: an unknown format, no results of hil, or a folder that cannot be written to.
        CaptureError: a capture that cannot be read.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or not formats:
        raise ConfigError(f"--format must be of {', '.join(FORMATS)}, not {', '.join(unknown) or 'nothing'}")
    view = View(results)
    evidence = read_evidence(capture) if capture is not None else None
    written = []
    with figure_style(**{"pdf.fonttype": 42, "svg.hashsalt": "hil"}):
        for name, draw in _plots(view, evidence).items():
            drawn = draw()
            for suffix in formats:
                path = folder / f"{prefix}{name}.{suffix}"
                metadata = {"Date": None} if suffix == "svg" else {"CreationDate": None} if suffix == "pdf" else None
                try:
                    folder.mkdir(parents=True, exist_ok=True)
                    drawn.savefig(path, dpi=DOTS_PER_INCH, metadata=metadata, facecolor="white")
                except OSError as err:
                    raise ConfigError(f"cannot write {path}: {err.strerror}") from err
                written.append(path)
    return written


def _plots(view: View, evidence: Evidence | None) -> dict[str, Callable[[], Figure]]:
    if not view.points:
        return {}
    found: dict[str, Callable[[], Figure]] = {"accuracy": lambda: figures.accuracy(view)}
    if view.measured and any(point.link or point.effective or point.channel for point in view.points):
        for name in view.schemes:
            found[f"simulation-{_file_name(name)}"] = lambda name=name: figures.against_simulation(view, name)  # type: ignore[misc]
    if any(point.agreement for point in view.points):
        found["agreement"] = lambda: figures.agreement(view)
    if any((point.air or {}).get("receiver_loss_db") is not None for point in view.points):
        found["receiver-loss"] = lambda: figures.receiver_loss(view)
    if len(view.schemes) > 1:
        for rule in view.energies:
            found[f"energy-{_file_name(rule)}"] = lambda rule=rule: figures.energy(view, rule)  # type: ignore[misc]
    if evidence is not None:
        for cloud in evidence.clouds:
            if cloud.scheme in view.schemes:
                key = f"symbols-{_file_name(cloud.scheme)}-{cloud.target:+g}dB"
                found[key] = lambda cloud=cloud: captured.constellation(view, cloud)  # type: ignore[misc]
        for item in evidence.spectra:
            if item.scheme in view.schemes:
                found[f"spectrum-{_file_name(item.scheme)}"] = lambda item=item: captured.spectrum(view, item)  # type: ignore[misc]
        if evidence.names and len(evidence.ledger):
            found["ledger"] = lambda: captured.ledger_snr(view, evidence)
    return found


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in name)
