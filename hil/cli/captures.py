"""`hil captures`: check captures, look into them, keep them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hil.cli.options import JSON, show_files

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hil.captures import Capture, PointRecord

__all__ = ["captures"]


@click.group()
def captures() -> None:
    """Check, describe, keep and share captures."""


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
                click.echo(f"{report.path}: ok ({state}); {_listed(report.counts)}")
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
    click.echo(f"receivers {', '.join(found['receivers'])}; {found['transmitters']} transmitters")
    click.echo(_listed(found["committed"]))
    for name, value in found["provenance"].items():
        click.echo(f"  {name} {_in_line(value)}")
    for name, source in found["sources"].items():
        click.echo(f"  code {name} {source}")
    for point in found["points"]:
        state = "not finished" if not point["finished"] else "valid" if point["valid"] else "not valid"
        several = len(point["frames_by_receiver"]) > 1
        frames = "; ".join(
            (f"{name}: " if several else "")
            + (", ".join(f"{count} {status}" for status, count in counts.items()) or "no frames")
            for name, counts in point["frames_by_receiver"].items()
        )
        click.echo(f"point {point['index']} {point['name']}: {point['bursts']} bursts; {frames}; {state}")


@captures.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--sigmf", is_flag=True, required=True, help="As SigMF recordings, one a receiver (needs the extra sigmf).")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder.  [default: FILE's]")
@JSON
def export(file: Path, sigmf: bool, out: Path | None, as_json: bool) -> None:
    """Write FILE for other tools: NAME.RECEIVER.sigmf-meta and .sigmf-data, and NAME.hil.h5 with what SigMF does not hold."""
    from hil.captures.sigmf_files import export_sigmf
    from hil.runs.face import capture_of

    source = capture_of(file)
    show_files(export_sigmf(source, out or source.parent), as_json=as_json)


@captures.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Capture to make.  [default: NAME.h5 beside FILE]")
@JSON
def import_(file: Path, out: Path | None, as_json: bool) -> None:
    """Make the capture again that FILE (a .sigmf-meta, or the .hil.h5) was exported from, to the last bit.

    Samples, tables and settings are the same; the HDF5 file around them may be laid out otherwise.
    """
    from hil.captures.sigmf_files import import_sigmf, rest_of

    rest = rest_of(file)
    made = import_sigmf(rest, out or rest.with_name(f"{rest.name.removesuffix('.hil.h5')}.h5"))
    show_files([made], as_json=as_json)


@captures.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--name", help="Name to keep it under; the run's name if not given.")
@click.option("--note", default="", help="What it shows, for the manifest.")
@click.option("--whole", is_flag=True, help="Copy into a folder there, with weights, bench, calibration and versions.")
@click.option("--home", type=click.Path(path_type=Path, file_okay=False), help="Folder whose captures/ is meant.")
@JSON
def keep(run: Path, name: str | None, note: str, whole: bool, home: Path | None, as_json: bool) -> None:
    """Move RUN's capture into captures/ and list it, with its checksum, in the manifest there.

    RUN is a folder, a name under runs/, or a capture. With --whole it is copied, into a folder that a colleague can replay.
    """
    from hil import captures as package
    from hil.places import folders
    from hil.runs.folder import find_run

    if whole:
        from hil.runs.parcel import keep_whole

        found = find_run(run)
        made = keep_whole(found, folders("captures", home)[0] / (name or found.resolve().stem), home=home)
        _kept(made, f"replay it anywhere with: hil replay {made} --models {made / 'models'}", as_json=as_json)
        return
    kept = package.keep(find_run(run), folders("captures", home)[0], name=name, note=note)
    _kept(kept, f"listed in {kept.parent / 'manifest.json'}", as_json=as_json)


def _kept(made: Path, remark: str, *, as_json: bool) -> None:
    if as_json:
        show_files([made], as_json=True)
    else:
        click.echo(f"{made} ({remark})")


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items())


def _in_line(value: Any) -> Any:
    if isinstance(value, dict):
        value = ", ".join(f"{name} {item}" for name, item in value.items())
    return "not known" if value is None or value == "" else value


def _info(capture: Capture) -> dict[str, Any]:
    bursts, ledger = capture.burst_table(), capture.ledger()
    return {
        "path": str(capture.path),
        "version": capture.file_version,
        "complete": capture.complete,
        "receivers": list(capture.receivers),
        "transmitters": capture.transmitters,
        "flags": list(capture.flags),
        "committed": capture.counts,
        "events": len(capture.events()),
        "config": capture.config,
        "provenance": capture.provenance,
        "models": capture.models,
        "sources": {name: source.sha256 for name, source in capture.sources.items()},
        "points": [_point(capture, point, bursts, ledger) for point in capture.points],
        "results": capture.results,
    }


def _point(capture: Capture, point: PointRecord, bursts: NDArray[Any], ledger: NDArray[Any]) -> dict[str, Any]:
    import numpy as np

    own, rows = bursts[bursts["point"] == point.index], ledger[ledger["point"] == point.index]
    by_receiver = {name: rows[rows["receiver"] == capture.receivers.index(name)] for name in point.receivers}
    return {
        "index": point.index,
        "name": point.name,
        "receivers": list(point.receivers),
        "exchanges": len(np.unique(own["exchange"])),
        "bursts": len(own),
        "frames": _fates(rows),
        "frames_by_receiver": {name: _fates(heard) for name, heard in by_receiver.items()},
        "finished": point.finished,
        "valid": point.valid,
        "received_sha256": point.received_sha256,
        "attrs": point.attrs,
        "results": point.results,
    }


def _fates(ledger: NDArray[Any]) -> dict[str, int]:
    """How many rows there are of each status."""
    from hil.captures import FrameStatus

    status = ledger["status"].tolist()
    return {code.name.lower(): count for code in FrameStatus if (count := status.count(code))}
