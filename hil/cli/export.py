"""`hil export`: a run's rows, per-task values and symbols for other tools."""

from __future__ import annotations

import json
from pathlib import Path

import click

from hil.cli.options import JSON

__all__ = ["export"]


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN…")
@click.option("--rows", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Rows as .csv or .parquet.")
@click.option(
    "--tasks", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="How each task was answered over the air, as .csv or .parquet.",
)  # fmt: skip
@click.option(
    "--symbols", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Symbols sent and received, complex64, as .npz.",
)  # fmt: skip
@JSON
def export(runs: tuple[Path, ...], rows: Path | None, tasks: Path | None, symbols: Path | None, as_json: bool) -> None:
    """Write tables and arrays of each RUN (folder, name under runs/, results.json or capture) for other tools.

    Files .parquet need the extra parquet.
    """
    from hil.errors import CaptureError, ConfigError
    from hil.report.export import check_table, row_table, task_table, write_symbols, write_table
    from hil.report.runs import load_run, run_label

    if rows is None and tasks is None and symbols is None:
        raise ConfigError("say what to export: --rows FILE, --tasks FILE or --symbols FILE")
    if symbols is not None and symbols.suffix != ".npz":
        raise ConfigError(f"--symbols are written as .npz, not {symbols.name!r}")
    for path in (rows, tasks):
        if path is not None:
            check_table(path)
    made: list[dict[str, object]] = []
    found = {run_label(run, runs): load_run(run) for run in runs}
    if rows is not None:
        table = row_table({label: document for label, (document, _, _) in found.items()})
        write_table(table, rows)
        made.append({"file": str(rows), "rows": len(table)})
        _say(f"{rows}: {len(table):,} rows", as_json)
    captures = {}
    for label, (_, capture, folder) in found.items() if tasks is not None or symbols is not None else ():
        if capture is None:
            raise CaptureError(f"{folder} holds no capture.h5 (a run without radios has none); it has only --rows to export")
        captures[label] = capture
    if tasks is not None:
        table = task_table(captures)
        write_table(table, tasks)
        made.append({"file": str(tasks), "rows": len(table)})
        _say(f"{tasks}: {len(table):,} tasks answered", as_json)
    if symbols is not None:
        arrays = list(write_symbols(captures, symbols))
        made.append({"file": str(symbols), "arrays": arrays})
        _say(f"{symbols}: {', '.join(arrays)}", as_json)
    if as_json:
        click.echo(json.dumps(made))


def _say(text: str, as_json: bool) -> None:
    if not as_json:
        click.echo(text)
