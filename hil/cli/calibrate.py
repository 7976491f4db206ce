"""`hil calibrate`: bring each link to an SNR, and keep a record of what it is like."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hil.cli.display import Display
from hil.cli.options import HOME, config_options, flags_of
from hil.config import parse_settings
from hil.runs.config import CalibrateConfig

if TYPE_CHECKING:
    from hil.calibration.record import CalibrationRecord
    from hil.runs.records import CheckedLink

__all__ = ["calibrate"]


@click.command()
@click.argument("bench", required=False)
@click.option("--snr", "snr_db", type=float, metavar="DB", help="SNR that each link is brought to.  [required]")
@click.option("--link", "links", multiple=True, metavar="TX:RX", help="Only this one, such as 0:rx; may be given again.")
@click.option("--frames", type=int, help="Frames that every figure rests on.  [default: 24]")
@config_options
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("calibration"), show_default=True, help="Where records go."
)
@click.option("--transmit", is_flag=True, help="Allow real transmitters to send, within the bench file's limits.")
@click.option("--show", is_flag=True, help="Print the bench's newest record; no radio is opened.")
@click.option("--check", is_flag=True, help="Is the newest record still true? Sound its links quickly; exit code 1 if not.")
@click.option("--history", is_flag=True, help="How the links drifted over the bench's records, with a plot.")
@click.option("--png", is_flag=True, help="Write the page's plots as PNG files, too.")
@HOME
@click.option("--json", "as_json", is_flag=True, help="Print the links as JSON instead of the table.")
def calibrate(
    config: Path | None,
    settings: tuple[str, ...],
    out: Path,
    transmit: bool,
    show: bool,
    check: bool,
    history: bool,
    png: bool,
    home: Path | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Measure each link of BENCH (default: the built-in one) alone, and bring it to an SNR by transmit gain.

    Leaves a dated record in calibration/BENCH, and beside it a capture of every sample heard and a page with plots.
    """
    if show or check or history:
        _look(flags["bench"] or "builtin", show, check, transmit, home, as_json)
        return
    import torch

    from hil.report.calibrations import write_calibration_page, write_calibration_plots
    from hil.runs.calibrate import calibrate as measure

    torch.set_num_threads(1)
    changes = {**parse_settings(settings, CalibrateConfig), **flags_of(flags, {})}
    if config is None and "snr_db" not in changes:
        raise click.UsageError("give the SNR that links are to have, such as --snr 5")
    made = measure(config=config, out=out, transmit=transmit, home=home, report=Display(quiet=as_json), **changes)
    page = made.path.with_suffix(".html")
    write_calibration_page(made.record, page, made.constellations)
    if png:
        write_calibration_plots(made.record, made.path.with_suffix(""), made.constellations)
    if as_json:
        click.echo(json.dumps([one.model_dump(mode="json") for one in made.record.links]))
    else:
        show_record(made.record)
        click.echo(f"record: {made.path}")
        click.echo(f"report: {page}")
    if made.failures:
        raise next(iter(made.failures.values()))


def _look(bench: str, show: bool, check: bool, transmit: bool, home: Path | None, as_json: bool) -> None:
    """What is known of a bench from its records."""
    from hil.radios.bench import find_bench
    from hil.runs.records import check_record, find_records, latest_record

    if show:
        record, path = latest_record(find_bench(bench, home).name, home)
        if as_json:
            click.echo(json.dumps(record.model_dump(mode="json")))
            return
        show_record(record)
        click.echo(f"record: {path}")
    elif check:
        config = find_bench(bench, home)
        record, path = latest_record(config.name, home)
        _show_checked(check_record(record, config, transmit=transmit), path, as_json)
    else:
        _show_history(find_records(find_bench(bench, home).name, home), bench, as_json)


def _show_checked(links: list[CheckedLink], path: Path, as_json: bool) -> None:
    from dataclasses import asdict

    from hil.results.document import rounded

    if as_json:
        click.echo(json.dumps([rounded(asdict(one)) for one in links], allow_nan=False))
    else:
        for one in links:
            click.echo(f"link {one.link}: " + (f"holds, {one.snr_db:.2f} dB ({one.change_db:+.2f})" if one.holds else one.why))
        click.echo(f"record: {path}")
    if not all(one.holds for one in links):
        click.get_current_context().exit(1)


def _show_history(paths: list[Path], bench: str, as_json: bool) -> None:
    from hil.calibration.record import read_record
    from hil.errors import RecordError
    from hil.report.calibrations import write_history

    if not paths:
        raise RecordError(f"bench '{bench}' has no calibration record; make one with: hil calibrate {bench} --snr DB")
    records = [read_record(path) for path in paths]
    if as_json:
        keys = ("link", "snr_db", "tx_gain_db", "back_off_db", "cfo_ppm", "noise_dbfs")
        rows = [{"date": one.date, **{key: getattr(link, key) for key in keys}} for one in records for link in one.links]
        click.echo(json.dumps(rows))
        return
    for one in records:
        for link in one.links:
            at_zero = link.snr_db - link.tx_gain_db + link.back_off_db
            click.echo(
                f"{one.date}  {link.link:<8} {at_zero:7.2f} dB at 0 dB of gain, noise {link.noise_dbfs:7.2f} dBFS, "
                f"carrier {link.cfo_ppm:+9.4f} ppm"
            )
    target = Path("calibration") / records[-1].bench / "history.png"
    write_history(records, target)
    click.echo(f"plot: {target}")


def show_record(record: CalibrationRecord) -> None:
    """The links of a record as a table, and what does not fit below it."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(title=f"{record.bench}, {record.date}")
    for name in (
        "link",
        "target dB",
        "SNR dB",
        "95 %",
        "gain dB",
        "back-off",
        "CFO Hz",
        "ppm",
        "delay",
        "noise dBFS",
        "spread dB",
    ):
        table.add_column(name, justify="left" if name == "link" else "right")
    for one in record.links:
        table.add_row(
            one.link,
            f"{one.snr_db_target:g}",
            f"{one.snr_db:.2f}",
            f"{one.snr_db_ci[0]:.2f} … {one.snr_db_ci[1]:.2f}",
            f"{one.tx_gain_db:g}",
            f"{one.back_off_db:.2f}",
            f"{one.cfo_hz:.1f}",
            f"{one.cfo_ppm:.3f}",
            "–" if one.delay_samples is None else f"{one.delay_samples:.2f}",
            f"{one.noise_dbfs:.1f}",
            f"{one.carrier_snr_spread_db:.2f}",
        )
    (console if console.is_terminal else Console(width=150)).print(table)
    for one in record.links:
        for text in one.warnings:
            click.echo(f"link {one.link}: {text}")
