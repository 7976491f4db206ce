"""`hil sweep`: a grid of runs, replays, scores or trainings."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from hil.cli.display import Display
from hil.cli.options import HOME, JSON

__all__ = ["sweep"]


@click.command()
@click.argument("file", metavar="SWEEP.toml", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--workers", type=click.IntRange(1), help="Jobs at a time.  [default: one a core]")
@click.option("--cluster", metavar="WHERE", help="Through dask.distributed: local, slurm, or a scheduler's address.")
@click.option(
    "--slurm",
    "slurm",
    multiple=True,
    metavar="KEY=VALUE",
    help="Of --cluster slurm: an argument of dask_jobqueue's SLURMCluster, such as queue=long or memory=8GB.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the sweep.  [default: sweeps/NAME of the file]")
@click.option("--dry-run", is_flag=True, help="Say which jobs there are and which are done, and stop.")
@HOME
@JSON
def sweep(
    file: Path,
    workers: int | None,
    cluster: str | None,
    slurm: tuple[str, ...],
    out: Path | None,
    dry_run: bool,
    home: Path | None,
    as_json: bool,
) -> None:
    """Do every job of a grid, each in a folder of its own, and write results.csv of all; asked again, do what is left.

    SWEEP.toml has verb ("run", "replay", "score" or "train"), a table [grid] of settings with lists of values, and a
    table [fixed] of settings that all jobs share; [cluster] of --cluster slurm. Exit code 1 if a job failed.
    """
    from hil.config import parse_settings
    from hil.errors import ConfigError
    from hil.runs.sweep import load_sweep, prepare, write_table
    from hil.runs.workers import locally, on_cluster

    display = Display()
    if slurm and cluster != "slurm":
        raise ConfigError("--slurm is of --cluster slurm; give both, or neither")
    options = parse_settings(slurm, flag="--slurm")
    folder = out or Path("sweeps") / file.stem
    config, jobs = load_sweep(file, folder)
    left = [job for job in jobs if not job.done]
    display.say(f"{len(jobs)} jobs in {folder}, {len(jobs) - len(left)} of them done")
    if dry_run:
        states = {job.folder.name: "done" if job.done else "left" for job in jobs}
        if as_json:
            click.echo(json.dumps({"out": str(folder), "jobs": states}))
        for name, state in states.items() if not as_json else ():
            click.echo(f"{state}  {name}")
        return
    for job in left:
        prepare(job, home)
    count = workers or os.cpu_count() or 1
    failed: dict[str, str] = {}
    folder.mkdir(parents=True, exist_ok=True)
    ended = on_cluster(left, cluster, count, {**config.cluster, **options}, display.say) if cluster else locally(left, count)
    with display.stage("jobs", len(left)) as progress:
        for job, why in ended:
            progress(1)
            if why:
                failed[job.folder.name] = why
                display.say(f"{job.folder.name}: failed: {why}")
            write_table(jobs, folder / "results.csv")
    rows = write_table(jobs, folder / "results.csv")
    table = folder / "results.csv"
    if as_json:
        states = {job.folder.name: "failed" if job.folder.name in failed else "done" for job in jobs}
        told = {"out": str(folder), "table": str(table), "rows": rows, "jobs": states, "failures": failed}
        click.echo(json.dumps(told))
    else:
        lost = f", {len(failed)} failed" if failed else ""
        click.echo(f"{table}: {rows} rows of {len(jobs) - len(failed)} jobs{lost}")
    if failed:
        click.get_current_context().exit(1)
