"""`hil export`: a run's rows, per-task values, symbols and features for other tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hil.cli.options import JSON

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from hil.results.document import ResultsDocument

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
@click.option(
    "--features", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Features decoded of every task and the gallery's, float32, as .npz; needs data set and weights.",
)  # fmt: skip
@click.option("--dataset", metavar="SPEC", help="Of --features: where the data set lies now.")
@click.option(
    "--models", type=click.Path(path_type=Path), metavar="DIR", help="Of --features: the weights that were on the air."
)
@JSON
def export(
    runs: tuple[Path, ...],
    rows: Path | None,
    tasks: Path | None,
    symbols: Path | None,
    features: Path | None,
    dataset: str | None,
    models: Path | None,
    as_json: bool,
) -> None:
    """Write tables and arrays of each RUN (folder, name under runs/, results.json or capture) for other tools.

    Files .parquet need the extra parquet.
    """
    from hil.errors import ConfigError
    from hil.report.export import check_table, row_table, task_table, write_features, write_symbols, write_table
    from hil.report.runs import load_run, run_label

    of_captures = (tasks, symbols, features)
    if rows is None and of_captures == (None, None, None):
        raise ConfigError("say what to export: --rows FILE, --tasks FILE, --symbols FILE or --features FILE")
    _check_archives(symbols=symbols, features=features)
    if features is None and (dataset is not None or models is not None):
        raise ConfigError("--dataset and --models are for --features FILE; nothing else needs them")
    for path in (rows, tasks):
        if path is not None:
            check_table(path)
    made: list[dict[str, object]] = []
    found = {run_label(run, runs): load_run(run) for run in runs}
    captures = {} if of_captures == (None, None, None) else _captures(found)
    tables: tuple[tuple[Path | None, str, Callable[[], list[dict[str, Any]]]], ...] = (
        (rows, "rows", lambda: row_table({label: one[0] for label, one in found.items()})),
        (tasks, "tasks answered", lambda: task_table(captures)),
    )
    for path, what, make in tables:
        if path is not None:
            write_table(table := make(), path)
            made.append({"file": str(path), "rows": len(table)})
            _say(f"{path}: {len(table):,} {what}", as_json)
    if features is not None:
        import torch

        torch.set_num_threads(1)  # the bits of the run
    archives: tuple[tuple[Path | None, Callable[[Path], list[str]]], ...] = (
        (symbols, lambda path: write_symbols(captures, path)),
        (features, lambda path: write_features(captures, path, dataset=dataset, models=models)),
    )
    for path, write in archives:
        if path is not None:
            arrays = write(path)
            made.append({"file": str(path), "arrays": arrays})
            _say(f"{path}: {', '.join(arrays)}", as_json)
    if as_json:
        click.echo(json.dumps(made))


def _check_archives(**files: Path | None) -> None:
    """Refuse, before there is any work, a file that arrays are not written to."""
    from hil.errors import ConfigError

    for option, file in files.items():
        if file is not None and file.suffix != ".npz":
            raise ConfigError(f"--{option} are written as .npz, not {file.name!r}")


def _captures(found: Mapping[str, tuple[ResultsDocument, Path | None, Path]]) -> dict[str, Path]:
    """Of each run its capture.

    Raises:
        CaptureError: one has none.
    """
    from hil.errors import CaptureError

    for _, capture, folder in found.values():
        if capture is None:
            raise CaptureError(f"{folder} holds no capture.h5 (a run without radios has none); it has only --rows to export")
    return {label: capture for label, (_, capture, _) in found.items() if capture is not None}


def _say(text: str, as_json: bool) -> None:
    if not as_json:
        click.echo(text)
