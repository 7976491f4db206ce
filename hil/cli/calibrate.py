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
@HOME
@click.option("--json", "as_json", is_flag=True, help="Print the links as JSON instead of the table.")
def calibrate(
    config: Path | None,
    settings: tuple[str, ...],
    out: Path,
    transmit: bool,
    home: Path | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Measure each link of BENCH (default: the built-in one) alone, and bring it to an SNR by transmit gain.

    Leaves a dated record in calibration/BENCH, and beside it a capture of every sample heard.
    """
    import torch

    from hil.runs.calibrate import calibrate as measure

    torch.set_num_threads(1)
    changes = {**parse_settings(settings, CalibrateConfig), **flags_of(flags, {})}
    if config is None and "snr_db" not in changes:
        raise click.UsageError("give the SNR that links are to have, such as --snr 5")
    made = measure(config=config, out=out, transmit=transmit, home=home, report=Display(quiet=as_json), **changes)
    if as_json:
        click.echo(json.dumps([one.model_dump(mode="json") for one in made.record.links]))
    else:
        show_record(made.record)
        click.echo(f"record: {made.path}")
    if made.failures:
        raise next(iter(made.failures.values()))


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
