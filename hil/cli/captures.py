"""`hil captures`: check captures, look into them, keep them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from hil.captures import Capture

__all__ = ["captures"]


@click.group()
def captures() -> None:
    """Check, describe and keep captures."""


@captures.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE…")
@click.option("--json", "as_json", is_flag=True, help="Reports as JSON.")
@click.pass_context
def verify(ctx: click.Context, files: tuple[Path, ...], as_json: bool) -> None:
    """Read every committed byte of FILEs and check that it agrees with itself; exit code 1 if it does not."""
    from dataclasses import asdict, replace

    from hil import captures as package

    reports = []
    for file in files:
        report = package.verify(file)
        listed = package.manifest_problem(file)
        reports.append(replace(report, problems=(*report.problems, listed)) if listed else report)
    if as_json:
        click.echo(json.dumps([asdict(report) | {"ok": report.ok} for report in reports], indent=2))
    else:
        for report in reports:
            for problem in report.problems:
                click.echo(f"{report.path}: {problem}", err=True)
            if report.ok:
                state = "complete" if report.complete else "incomplete, usable"
                state += ", killed inside a commit" if report.pending_journal else ""
                counts = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in report.counts.items())
                click.echo(f"{report.path}: ok ({state}); {counts}")
    if not all(report.ok for report in reports):
        ctx.exit(1)


@captures.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="All of it, with the configuration, as JSON.")
def info(file: Path, as_json: bool) -> None:
    """Say what FILE holds."""
    from hil.captures import Capture

    with Capture.open(file) as capture:
        found = _info(capture)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    click.echo(f"{file}: capture version {found['version']}, {'complete' if found['complete'] else 'incomplete'}")
    click.echo(", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in found["committed"].items()))
    for name, version in found["versions"].items():
        click.echo(f"  {name} {version}")
    for point in found["points"]:
        state = "not finished" if not point["finished"] else "valid" if point["valid"] else "not valid"
        frames = ", ".join(f"{count} {status}" for status, count in point["frames"].items()) or "no frames"
        click.echo(f"point {point['index']} {point['name']}: {point['bursts']} bursts; {frames}; {state}")


@captures.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--name", help="Name to keep it under; the run's name if not given.")
@click.option("--note", default="", help="What it shows, for the manifest.")
@click.option("--home", type=click.Path(path_type=Path, file_okay=False), help="Folder whose captures/ is meant.")
def keep(run: Path, name: str | None, note: str, home: Path | None) -> None:
    """Move RUN's capture into captures/ and list it, with its checksum, in the manifest there.

    RUN is a folder, a name under runs/, or a capture.
    """
    from hil import captures as package
    from hil.places import folders

    if not run.exists() and (Path("runs") / run).exists():
        run = Path("runs") / run
    kept = package.keep(run, folders("captures", home)[0], name=name, note=note)
    click.echo(f"{kept} (listed in {kept.parent / 'manifest.json'})")


def _info(capture: Capture) -> dict[str, Any]:
    import numpy as np

    from hil.captures import FrameStatus

    bursts, ledger = capture.burst_table(), capture.ledger()
    points = []
    for point in capture.points:
        status = ledger["status"][ledger["point"] == point.index]
        points.append(
            {
                "index": point.index,
                "name": point.name,
                "bursts": int(np.count_nonzero(bursts["point"] == point.index)),
                "frames": {code.name.lower(): int(n) for code in FrameStatus if (n := np.count_nonzero(status == code))},
                "finished": point.finished,
                "valid": point.valid,
                "received_sha256": point.received_sha256,
                "attrs": point.attrs,
                "results": point.results,
            }
        )
    return {
        "path": str(capture.path),
        "version": capture.file_version,
        "complete": capture.complete,
        "committed": dict(capture.committed),
        "events": len(capture.events()),
        "config": capture.config,
        "versions": capture.versions,
        "models": capture.models,
        "points": points,
        "results": capture.results,
    }
