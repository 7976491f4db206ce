"""`hil send`: a stranger's symbols over any bench."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from hil.cli.display import Display
from hil.cli.options import HOME, config_options, default_of, flags_of, parse_snr
from hil.config import parse_settings
from hil.errors import ConfigError
from hil.runs.config import SendConfig

__all__ = ["send"]


@click.command()
@click.argument("symbols", type=click.Path(path_type=Path))
@click.argument("bench", required=False)
@click.option(
    "--snr", "snr_db", callback=parse_snr, metavar="DB", help="SNR of each link: one, FIRST:LAST:STEP, a list.  [default: 15]"
)
@click.option(
    "--simulate", type=click.Choice(["awgn", "channel"]), help="Beside the air: AWGN, or the channel as it was measured."
)
@click.option(
    "--mat", type=click.Choice(["5", "7.3"]), default="5", show_default=True, help="Version of a .mat that is written."
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="File to write.  [default: SYMBOLS-received.h5, or .mat for a .mat]"
)
@click.option("--normalize", is_flag=True, default=None, help="Scale each transmitter to mean |x|² = 1 first.")
@click.option("--spread/--no-spread", default=None, help="Spread each task over carriers.  [default: spread]")
@click.option("--seed", type=int, help=default_of(SendConfig, "seed", "Of a simulated air."))
@click.option("--air-seed", type=int, help="The same by itself.  [default: follows from --seed; the bench file's for seed 1]")
@config_options
@click.option("--overwrite", is_flag=True, help="Replace files of the same name, once there are new ones.")
@click.option("--transmit", is_flag=True, help="Allow real transmitters to send, within the bench file's limits.")
@HOME
@click.option("--json", "as_json", is_flag=True, help="Print what was measured as JSON.")
def send(
    symbols: Path,
    config: Path | None,
    settings: tuple[str, ...],
    out: Path | None,
    mat: str,
    overwrite: bool,
    transmit: bool,
    home: Path | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Put SYMBOLS (.npy, .h5 or .mat with "symbols": complex [tx, task, use]) on the air of BENCH.

    Writes an .h5 or a .mat with symbols, valid, noise_var, channel, gain and more (docs/send.md), and beside it a capture of
    every received sample.
    """
    import torch

    from hil.captures.symbol_files import read_symbols
    from hil.results.document import rounded
    from hil.runs import face

    torch.set_num_threads(1)
    target = out or symbols.with_name(f"{symbols.stem}-received{'.mat' if symbols.suffix.lower() == '.mat' else '.h5'}")
    for path in (target, target.with_name(f"{target.stem}-capture.h5")) if target.name else ():
        if path.exists() and symbols.exists() and path.samefile(symbols):
            raise ConfigError(f"{path} is the file of the symbols, which would be overwritten; choose another --out")
    changes = {**parse_settings(settings, SendConfig), **flags_of(flags, {"spread": "frame.interleave"})}
    about = face.send(
        read_symbols(symbols),
        config=config,
        out=target,
        mat=mat,
        overwrite=overwrite,
        transmit=transmit,
        home=home,
        report=Display(quiet=as_json),
        **changes,
    ).about
    if as_json:
        click.echo(json.dumps(rounded({**about, "received": str(target)}), allow_nan=False))
        return
    for warning in about["warnings"]:
        click.echo(f"warning: {warning}")
    for point in about.get("points", [about]):
        click.echo(_line(point))
    click.echo(f"received: {target}")


def _line(point: dict[str, Any]) -> str:
    """What is said of one SNR."""
    measured, frames = ", ".join(f"{value:.2f}" for value in point["snr_db"]), point["frames"]
    words = (
        f"SNR {measured} dB, effective {point['snr_eff_db']:.2f} dB, EVM {point['evm_db']:.2f} dB, MSE {point['mse']:.4g}, "
        f"{frames['scored']} of {frames['sent']} frames"
    )
    if "simulated" not in point:
        return words
    beside = point["simulated"]
    return f"{words}; simulated ({beside['channel']}): EVM {beside['evm_db']:.2f} dB, MSE {beside['mse']:.4g}"
