"""`hil send`: a stranger's symbols over any bench."""

from __future__ import annotations

import json
from pathlib import Path

import click

from hil.cli.display import Display
from hil.errors import ConfigError

__all__ = ["send"]


@click.command()
@click.argument("symbols", type=click.Path(path_type=Path))
@click.argument("bench", default="builtin")
@click.option("--snr", "snr_db", type=float, default=15.0, show_default=True, help="SNR of each link, dB.")
@click.option("--out", type=click.Path(path_type=Path), help="File to write.  [default: SYMBOLS-received.h5]")
@click.option("--normalize", is_flag=True, help="Scale each transmitter to mean |x|² = 1 first.")
@click.option("--interleave/--no-interleave", default=True, show_default=True, help="Spread each task over carriers.")
@click.option("--overwrite", is_flag=True, help="Replace files of the same name.")
@click.option("--transmit", is_flag=True, help="Allow real transmitters to send, within the bench file's limits.")
@click.option("--home", type=click.Path(path_type=Path), help="Your bench: a folder with radios/, ….")
@click.option("--json", "as_json", is_flag=True, help="Print what was measured as JSON.")
def send(
    symbols: Path,
    bench: str,
    snr_db: float,
    out: Path | None,
    normalize: bool,
    interleave: bool,
    overwrite: bool,
    transmit: bool,
    home: Path | None,
    as_json: bool,
) -> None:
    """Put SYMBOLS (.npy, or .h5 with a dataset "symbols": complex [tx, task, use]) on the air of BENCH.

    Writes an .h5 with symbols, valid, noise_var, channel and scale, and beside it a capture of every received sample.
    """
    import torch

    from hil.captures.symbol_files import read_symbols
    from hil.radios.bench import find_bench
    from hil.results import rounded
    from hil.send import normalised
    from hil.send import send as put_on_air

    torch.set_num_threads(1)
    target = out or symbols.with_name(f"{symbols.stem}-received.h5")
    capture = target.with_name(f"{target.stem}-capture.h5")
    there = [str(path) for path in (target, capture) if path.exists()]
    if there and not overwrite:
        raise ConfigError(f"{' and '.join(there)} exist already; choose another --out, or give --overwrite")
    values, scale = normalised(read_symbols(symbols), force=normalize)
    about = put_on_air(
        values,
        find_bench(bench, home),
        snr_db=snr_db,
        out=target,
        capture=capture,
        report=Display(quiet=as_json),
        transmit=transmit,
        interleave=interleave,
        scale=scale,
    )
    if as_json:
        click.echo(json.dumps(rounded(about | {"received": str(target)}), allow_nan=False))
        return
    measured = ", ".join(f"{value:.2f}" for value in about["snr_db"])
    frames = about["frames"]
    click.echo(f"SNR {measured} dB, effective {about['snr_eff_db']:.2f} dB, {frames['scored']} of {frames['sent']} frames")
    click.echo(f"received: {target}")
