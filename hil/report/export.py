"""A run's rows, how each task was answered, symbols and features, as plain tables and arrays for other tools."""

from __future__ import annotations

import csv
import importlib
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hil.captures import Capture
from hil.errors import ConfigError
from hil.files import replace_file, replacing
from hil.results.document import ResultsDocument, Row, rounded
from hil.runs.answers import answered
from hil.runs.features import feature_arrays

__all__ = ["check_table", "row_table", "task_table", "write_features", "write_symbols", "write_table"]

Table = list[dict[str, Any]]


def row_table(runs: Mapping[str, ResultsDocument]) -> Table:
    """Every row of every run, flat: a key a column, ends of intervals as ``KEY_low`` and ``KEY_high``, lists as ``KEY_0`` ….

    Args:
        runs: short name -> results.
    """
    table = [{"run": label, **_flat(row)} for label, document in runs.items() for row in document.points]
    keys = _keys(table)
    parts = tuple(f"{key.removesuffix('_ci')}_low" if key.endswith("_ci") else f"{key}_" for key in keys)
    empty = {key for key in keys if all(row.get(key) is None for row in table)}
    whole = {key for key, part in zip(keys, parts, strict=True) if key in empty and any(one.startswith(part) for one in keys)}
    return [{key: value for key, value in row.items() if key not in whole} for row in table]


def _keys(table: Sequence[Mapping[str, Any]]) -> list[str]:
    """Columns, in the order of their first row."""
    return list(dict.fromkeys(key for row in table for key in row))


def _flat(row: Row) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in rounded(row.model_dump(mode="json")).items():
        if key in ("metrics", "options", "pictures"):
            continue
        found |= _columns(key, value)
    for name, metric in row.metrics.items():
        found |= _columns(name, metric.value) | _columns(f"{name}_ci", list(metric.ci or (None, None)))
    return found


def _columns(key: str, value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return {f"{key}_{name}": own for name, own in value.items()}
    if key.endswith("_ci") and isinstance(value, list) and len(value) == 2 and not any(isinstance(end, list) for end in value):
        stem = key.removesuffix("_ci")
        return {f"{stem}_low": value[0], f"{stem}_high": value[1]}
    if isinstance(value, list):
        return {name: own for place, item in enumerate(value) for name, own in _columns(f"{key}_{place}", item).items()}
    return {key: value}


def task_table(captures: Mapping[str, Path]) -> Table:
    """How every task that was sent over the air was answered, a row each.

    Args:
        captures: short name of a run -> its capture.
    """
    return [one for label, path in captures.items() for one in _tasks(label, path)]


def _tasks(label: str, path: Path) -> Iterator[dict[str, Any]]:
    with Capture.open(path) as capture:
        for point in answered(capture):
            row, values = point.row, point.tasks.values
            plain = {name: value.double().tolist() for name, value in values.items() if value.ndim == 1}
            for task, name in enumerate(point.names):
                yield {
                    "run": label, "scheme": row.scheme, "goal": row.goal, "receiver": row.receiver,
                    "snr_db_target": row.snr_db_target, "snr_mean_db": row.snr_mean_db, "task": task,
                    **{f"label_{place}": item for place, item in enumerate(name)},
                    "cluster": int(point.clusters[task]), "frame": int(point.block[task]),
                    **{key: own[task] for key, own in plain.items()},
                }  # fmt: skip


def check_table(path: Path) -> None:
    """Whether a table can be written to a file, before the work of making it.

    Raises:
        ConfigError: neither ``.csv`` nor ``.parquet``, or no library for it.
    """
    if path.suffix not in (".csv", ".parquet"):
        raise ConfigError(f"a table is written as .csv or .parquet, not {path.name!r}")
    if path.suffix == ".parquet":
        try:
            importlib.import_module("pyarrow.parquet")
        except ImportError as err:  # some versions want another NumPy, and say so
            raise ConfigError(f"Parquet needs pyarrow: pip install 'hil[parquet]'; or export .csv ({err})") from err


def write_table(table: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write a table; the suffix says how: ``.csv`` or ``.parquet``.

    Raises:
        ConfigError: another suffix, nothing to write, or no library for it.
        OutputError: it cannot be written.
    """
    if not table:
        raise ConfigError("there is nothing to export: no row, or no task that was answered over the air")
    check_table(path)
    columns = _keys(table)
    if path.suffix == ".csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
        replace_file(path, text.getvalue().encode("utf-8", "backslashreplace"))
        return
    import pyarrow
    import pyarrow.parquet

    whole = pyarrow.table({name: [row.get(name) for row in table] for name in columns})
    with replacing(path) as new:
        pyarrow.parquet.write_table(whole, new)


def write_symbols(captures: Mapping[str, Path], path: Path) -> list[str]:
    """Write what was sent and received of every point as an ``.npz``.

    Arrays are named ``RUN/POINT/sent`` (complex64 [tx, task, use]) and ``RUN/POINT/received`` (complex64
    [receiver, task, use]).

    Returns:
        the arrays' names.

    Raises:
        ConfigError: no finished point.
        OutputError: it cannot be written.
    """
    arrays: dict[str, Any] = {}
    for label, source in captures.items():
        with Capture.open(source) as capture:
            for record in capture.points:
                received = record.received
                if received is not None:
                    arrays |= {f"{label}/{record.name}/sent": record.symbols, f"{label}/{record.name}/received": received}
    return _write_arrays(arrays, path, "the captures hold no finished point")


def write_features(
    captures: Mapping[str, Path], path: Path, *, dataset: str | None = None, models: Path | None = None
) -> list[str]:
    """Write the decoded features of every point, and the gallery's, as an ``.npz``.

    Names are ``RUN/POINT/GOAL.…`` and ``RUN/SCHEME/GOAL.…``; `hil.runs.features` says which.

    Args:
        captures: short name of a run -> its capture.
        path: of the file.
        dataset: where the data set lies now; models: folder of the weights that were on the air.

    Returns:
        the arrays' names.

    Raises:
        ConfigError: no finished point's features are compared with others.
        HilError: data set or weights are not those of a run.
    """
    arrays: dict[str, Any] = {}
    for label, source in captures.items():
        with Capture.open(source) as capture:
            found = feature_arrays(capture, dataset=dataset, models=models)
            arrays |= {f"{label}/{name}": values for name, values in found.items()}
    return _write_arrays(arrays, path, "no finished point has features that are compared with a gallery")


def _write_arrays(arrays: Mapping[str, Any], path: Path, nothing: str) -> list[str]:
    if not arrays:
        raise ConfigError(f"there is nothing to export: {nothing}")
    content = io.BytesIO()  # a disk that is full would leave an archive half open, which complains at its end
    np.savez(content, **arrays)
    replace_file(path, content.getvalue())
    return list(arrays)
