"""`hil run`: the measurement."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from hil.cli.display import Display, parse_schemes, parse_snr
from hil.errors import ConfigError

__all__ = ["run"]

HELP_SNR = "Targets in dB: FIRST:LAST:STEP or a list with commas.  [default: -6:15:3]"


@click.command()
@click.argument("bench", default="builtin")
@click.option("--schemes", callback=parse_schemes, metavar="NAMES", help="single,oma,noma, weights files, or path.py:Class.")
@click.option("--snr", "snr_db", callback=parse_snr, metavar="DB", help=HELP_SNR)
@click.option("--dataset", metavar="SPEC", help="synthetic, market1501:PATH, cuhk03:PATH.  [default: synthetic]")
@click.option("--models", type=click.Path(path_type=Path), metavar="DIR", help="Folder of trained weights.")
@click.option("--tasks", type=int, help="Tasks per scheme and SNR, rounded up to whole frames.  [default: 2016]")
@click.option("--distinct-tasks", type=int, help="Distinct tasks among them.  [default: 1008]")
@click.option("--tasks-per-frame", type=int, help="Tasks in one frame.  [default: 84]")
@click.option(
    "--energy", type=click.Choice(["per_use", "per_device", "per_task"]), help="How power counts.  [default: per_use]"
)
@click.option("--gallery", type=click.Choice(["reconstructed", "raw"]), help="Gallery features.  [default: reconstructed]")
@click.option("--interleave/--no-interleave", default=None, help="Spread tasks over carriers.  [default: interleave]")
@click.option("--seed", type=int, help="Of tasks and simulations.  [default: 1]")
@click.option("--draws", type=int, help="Noise draws of the simulations.  [default: 20]")
@click.option("--simulate", type=click.Choice(["awgn"]), help="No radio at all: the mathematical channel.")
@click.option("--transmit", is_flag=True, help="Allow real transmitters to send, within the bench file's limits.")
@click.option("--name", help="Name of the run's folder.  [default: date and time]")
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Where runs go.")
@click.option("--home", type=click.Path(path_type=Path), help="Your bench: a folder with radios/, models/, ….")
@click.option("--json", "as_json", is_flag=True, help="Print results.json instead of the table.")
def run(bench: str, name: str | None, out: Path, home: Path | None, models: Path | None, as_json: bool, **options: Any) -> None:
    """Measure retrieval accuracy against SNR over the air of BENCH (default: the built-in, simulated one).

    Leaves results.json, report.html and capture.h5 in runs/NAME.
    """
    import time

    import torch

    from hil.config import validate
    from hil.experiment import ExperimentConfig, run_air, run_simulation
    from hil.radios.bench import find_bench
    from hil.report.html import write_report
    from hil.report.table import results_table, summary_lines
    from hil.results import write_results
    from hil.workload import load_workload

    torch.set_num_threads(1)
    simulate, transmit = options.pop("simulate"), options.pop("transmit")
    chosen = {key: value for key, value in options.items() if value not in (None, ())}
    config = validate(ExperimentConfig, {"bench": bench} | chosen, "hil run")
    config = config.resolved(config.schemes)
    bench_config = None if simulate else find_bench(bench, home)
    display = Display(quiet=as_json)
    folder = out / (name or time.strftime("%Y%m%d-%H%M%S"))
    work = load_workload(
        config.schemes,
        config.dataset,
        models=models,
        home=home,
        distinct_tasks=config.distinct_tasks,
        seed=config.seed,
        gallery=config.gallery,
    )
    config = config.resolved(tuple(work.scorers))
    _make(folder)
    capture = None if bench_config is None else folder / "capture.h5"
    if bench_config is None or capture is None:
        results = run_simulation(config, work, display)
    else:
        try:
            results = run_air(config, bench_config, work, capture=capture, report=display, transmit=transmit)
        except BaseException:
            if capture.is_file():
                click.echo(f"stopped; what was measured is kept: hil replay {capture}", err=True)
            raise
    results["finished"] = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    write_results(results, folder / "results.json")
    write_report(results, capture, folder / "report.html")
    if as_json:
        click.echo(json.dumps(results))
        return
    from rich.console import Console

    Console(width=None if display.terminal else 150).print(results_table(results))
    for line in summary_lines(results):
        click.echo(line)
    click.echo(f"report: {folder / 'report.html'}")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise ConfigError(f"cannot make the folder {folder}: {err.strerror}; choose another with --out") from err
