"""`hil sensitivity`: what errors of alignment cost a superposed scheme."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hil.cli.display import Display
from hil.cli.options import HOME, default_of, flags_of, parse_names, parse_snr
from hil.config import parse_settings, validate
from hil.runs.config import SensitivityConfig

if TYPE_CHECKING:
    from hil.runs.sensitivity import Sensitivity

__all__ = ["sensitivity"]


def _help(key: str, text: str) -> str:
    return default_of(SensitivityConfig, key, text)


def _sizes(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[float, ...] | None:
    return None if value is None else parse_snr(ctx, param, value)


@click.command()
@click.argument("scheme")
@click.option("--snr", "snr_db", callback=parse_snr, metavar="DB", help=_help("snr_db", "SNRs: FIRST:LAST:STEP or a list."))
@click.option("--phase", "phase_deg", callback=_sizes, metavar="DEG", help=_help("phase_deg", "Phase errors, ° rms."))
@click.option("--power", "power_db", callback=_sizes, metavar="DB", help=_help("power_db", "Power imbalances."))
@click.option("--delay", "delay_samples", callback=_sizes, metavar="N", help=_help("delay_samples", "Timing errors, samples."))
@click.option("--capture", type=click.Path(path_type=Path), metavar="RUN", help="Lay the errors on what a run received.")
@click.option("--dataset", metavar="SPEC", help="NAME, NAME:ARGUMENT or path.py:function.  [default: the built-in one]")
@click.option("--goals", callback=parse_names, metavar="NAME", help="What judges it.  [default: the first that fits]")
@click.option("--models", metavar="DIR", help="Folder of trained weights.")
@click.option("--tasks", type=int, help=_help("tasks", "Distinct tasks."))
@click.option("--draws", type=int, help=_help("draws", "Draws of noise and phases."))
@click.option("--seed", type=int, help=_help("seed", "Of all that is drawn."))
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="One setting, such as draws=8.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write sensitivity.html, .png and .json there.",
)
@HOME
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON instead of the table.")
def sensitivity(
    scheme: str,
    capture: Path | None,
    settings: tuple[str, ...],
    out: Path | None,
    home: Path | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Accuracy of SCHEME, which superposes transmitters, against phase error, power imbalance and timing error.

    The first thing to know before trying NOMA over the air, where alignment is never perfect. Simulated from the trained
    network; with --capture, the errors are laid on what a run has received.

    Example: hil sensitivity noma --snr=-6,6 --phase 10,30,180 --out sensitivity
    """
    import torch

    from hil.files import make_folder
    from hil.report.sensitivities import cost_lines, write_sensitivity_page, write_sensitivity_plot
    from hil.runs.face import capture_of
    from hil.runs.sensitivity import sensitivity as measure

    torch.set_num_threads(1)
    given = {**parse_settings(settings, SensitivityConfig), **flags_of(flags, {}), "scheme": scheme}
    config = validate(SensitivityConfig, given, "hil sensitivity")
    found = measure(config, capture=None if capture is None else capture_of(capture), home=home, report=Display(quiet=as_json))
    if out is not None:
        make_folder(out)
        write_sensitivity_page(found, out / "sensitivity.html")
        write_sensitivity_plot(found, out / "sensitivity.png")
        _write_json(found, out / "sensitivity.json")
    if as_json:
        click.echo(json.dumps(_plain(found), allow_nan=False))
        return
    show_sensitivity(found)
    for line in cost_lines(found):
        click.echo(line)
    if out is not None:
        click.echo(f"report: {out / 'sensitivity.html'}")


def _plain(found: Sensitivity) -> dict[str, Any]:
    from dataclasses import asdict

    from hil.results.document import rounded

    plain: dict[str, Any] = rounded(asdict(found))
    return plain


def _write_json(found: Sensitivity, path: Path) -> None:
    from hil.files import replace_file

    replace_file(path, (json.dumps(_plain(found), indent=1, allow_nan=False, ensure_ascii=False) + "\n").encode())


def show_sensitivity(found: Sensitivity) -> None:
    """The table on standard output."""
    from rich.console import Console
    from rich.table import Table

    from hil.points.misaligned import KINDS
    from hil.report.sensitivities import size_text

    factor = 100.0 if found.unit == "share" else 1.0
    title = f"{found.metric} of {found.scheme}{' (%)' if factor > 1 else ''}, {found.source}; differences to no error"
    console = Console()
    table = Table(title=title)
    for name in ("error", "size", "SNR dB", found.metric, "95 %", "difference", "95 %", "tasks"):
        table.add_column(name, justify="left" if name == "error" else "right")
    before = None
    for row in found.rows:
        if before is not None and before != row.snr_db:
            table.add_section()
        before = row.snr_db
        ends = ["" if one is None else f"{factor * one[0]:.1f} … {factor * one[1]:.1f}" for one in (row.ci, row.difference_ci)]
        table.add_row(
            KINDS[row.error][0] if row.size else "none", size_text(row) if row.size else "", f"{row.snr_db:g}",
            f"{factor * row.value:.1f}", ends[0], f"{factor * row.difference:+.1f}" if row.size else "", ends[1],
            f"{row.tasks:,}",
        )  # fmt: skip
    (console if console.is_terminal else Console(width=150)).print(table)
