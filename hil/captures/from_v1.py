"""Format 1 -> 2: one receiver, named "rx", and at most four transmitters.

What format 1 was, frozen: nothing here follows later changes of the schema but the tables that it makes, which are those of
format 2. When there is a format 3, they move here as well.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.captures import schema
from hil.captures.derived import Derived, Tree, changed_text, constant_text
from hil.captures.rows import event_rows, ledger_rows
from hil.errors import CaptureFormatError
from hil.provenance import from_versions

__all__ = ["RECEIVER", "from_v1"]

RECEIVER = "rx"
GOAL = "retrieval"
"""The only one that format 1 knew."""
_TRANSMITTERS = 4
_PER_TRANSMITTER = ("snr_db", "cfo_hz", "delay_samples")
_NAMES = ("samples", "bursts", "frame_numbers", "ledger", "events", "committed", "points", "config", "versions", "models")
_COMMITTED = np.dtype([("samples", "<i8"), ("bursts", "<i8"), ("frame_numbers", "<i8"), ("frames", "<i8"), ("events", "<i8")])
_BURSTS = np.dtype(
    [
        ("point", "<i4"), ("kind", "u1"), ("start", "<i8"), ("offset", "<i8"), ("count", "<i8"), ("first_number", "<i8"),
        ("numbers", "<i4"), ("crc32", "<u4"),
    ]
)  # fmt: skip
_LEDGER = np.dtype(
    [
        ("point", "<i4"), ("burst", "<i4"), ("frame", "<i8"), ("kind", "u1"), ("status", "u1"), ("sent", "?"),
        ("detected", "?"), ("start", "<i8"), *((name, "<f4", (_TRANSMITTERS,)) for name in _PER_TRANSMITTER),
        ("evm_db", "<f4"), ("snr_eff_db", "<f4"), ("metric", "<f4"), ("clipped", "<i4"), ("late", "<i4"),
        ("underflow", "<i4"), ("overflow", "<i4"),
    ]
)  # fmt: skip
_EVENTS = np.dtype(
    [
        ("point", "<i4"), ("burst", "<i4"), ("kind", "S16"), ("radio", "S32"), ("channel", "<i4"), ("sample", "<i8"),
        ("count", "<i8"), ("detail", "S128"),
    ]
)  # fmt: skip


def from_v1(tree: Tree, path: Path) -> Tree:
    """A tree of format 2 that reads what one of format 1 holds.

    - `bursts`: exchange n is burst n, heard by receiver 0; `sent_at` is not known. `events` belong to exchanges.
    - `ledger`: receiver 0; as wide as the points have transmitters; what format 1 did not measure has its default.
    - `committed`: `frames` is called `ledger`, as the dataset.
    - `versions` -> `provenance`; no `sources`; one receiver, in `receivers` and in each point's.
    - `config.bench.receiver` -> `receivers`.
    - a point's `attrs.spec`: `access` goes, `receiver` and `full_scale` -> `receptions`.
    - `config.experiment`: `tasks_per_frame` and `interleave` -> `frame`, `gallery` -> the goal's `options`; `goals` is the one.
    - a point's `results` is one of its `rows`; `arrays` are named by goal and value.
    - a point's `received` [task, use] -> [receiver, task, use]; its `side` is empty.

    Raises:
        CaptureFormatError: something of format 1 is missing, or a table has other fields.
    """
    for name in _NAMES:
        if name not in tree:
            raise CaptureFormatError(f"{path}: '{name}' is missing; the file is damaged or no capture")
        if isinstance(tree[name], dict) != (name == "points"):
            raise CaptureFormatError(f"{path}: '{name}' must be a {'group' if name == 'points' else 'dataset'}")
    for name, dtype in (("bursts", _BURSTS), ("ledger", _LEDGER), ("events", _EVENTS), ("committed", _COMMITTED)):
        if tree[name].dtype != dtype:
            raise CaptureFormatError(f"{path}: the table '{name}' has other fields than version 1 has: {tree[name].dtype}")
    transmitters = _transmitters(tree["points"])
    new = {name: value for name, value in tree.items() if name != "versions"}
    return new | {
        f"@{schema.TRANSMITTERS_ATTRIBUTE}": transmitters,
        f"@{schema.FLAGS_ATTRIBUTE}": "[]",
        "bursts": _table(tree["bursts"], schema.BURSTS, _bursts),
        "ledger": _table(tree["ledger"], schema.ledger_dtype(transmitters), lambda old, _: _ledger(old, transmitters)),
        "events": _table(tree["events"], schema.EVENTS, _events),
        "committed": _table(tree["committed"], schema.COMMITTED, lambda old, _: old.astype(schema.COMMITTED)),
        "config": changed_text(tree["config"], _config),
        "provenance": changed_text(tree["versions"], lambda old: from_versions(old) if isinstance(old, dict) else old),
        "receivers": constant_text([RECEIVER]),
        "sources": constant_text({}),
        "points": {name: _point(value) if isinstance(value, dict) else value for name, value in tree["points"].items()},
    }


def _transmitters(points: Tree) -> int:
    """The most that any point has symbols for: `hil` stored a calibration for all of the bench before any other point."""
    symbols = [point["symbols"] for point in points.values() if isinstance(point, dict) and "symbols" in point]
    counts = [array.shape[0] for array in symbols if getattr(array, "ndim", 0) == 3]
    return min(max(counts, default=_TRANSMITTERS), _TRANSMITTERS) or _TRANSMITTERS


def _table(dataset: Any, dtype: np.dtype[Any], change: Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]) -> Derived:
    """A table whose rows are made of older ones; `change` also gets their indices."""

    def read(selection: Any) -> NDArray[Any]:
        return change(np.asarray(dataset[selection]), np.arange(dataset.shape[0])[selection])

    return Derived(dtype=dtype, shape=tuple(dataset.shape), read=read)


def _bursts(old: NDArray[Any], index: NDArray[Any]) -> NDArray[Any]:
    new = np.zeros(old.shape, schema.BURSTS)
    _copy(old, new)
    new["exchange"], new["sent_at"] = index, -1
    return new


def _ledger(old: NDArray[Any], transmitters: int) -> NDArray[Any]:
    new = ledger_rows([{}] * len(old), transmitters=transmitters, receiver=0)
    _copy(old, new, but=_PER_TRANSMITTER)
    for name in _PER_TRANSMITTER:
        new[name] = old[name][:, :transmitters]
    return new


def _events(old: NDArray[Any], _: NDArray[Any]) -> NDArray[Any]:
    new = event_rows([{}] * len(old))
    _copy(old, new, but=("burst",))
    new["exchange"] = old["burst"]
    return new


def _copy(old: NDArray[Any], new: NDArray[Any], but: tuple[str, ...] = ()) -> None:
    for name in old.dtype.names or ():
        if name not in but:
            new[name] = old[name]


def _point(tree: Tree) -> Tree:
    new = tree | {"receivers": constant_text([RECEIVER]), "side": {}}
    if "attrs" in tree and not isinstance(tree["attrs"], dict):
        new["attrs"] = changed_text(tree["attrs"], _attrs)
    if "results" in tree and not isinstance(tree["results"], dict):
        new["results"] = changed_text(tree["results"], _results)
    if isinstance(tree.get("arrays"), dict):
        new["arrays"] = _arrays(tree["arrays"])
    received: Any = tree.get("received")
    if getattr(received, "ndim", 0) == 2:
        shape = (1, *received.shape)
        new["received"] = Derived(dtype=received.dtype, shape=shape, read=lambda rows: np.asarray(received[()])[None][rows])
    return new


def _config(config: Any) -> Any:
    if not isinstance(config, dict):
        return config
    bench, experiment = config.get("bench"), config.get("experiment")
    if isinstance(bench, dict) and isinstance(bench.get("receiver"), dict):
        new = {("receivers" if key == "receiver" else key): value for key, value in bench.items()}
        config = config | {"bench": new | {"receivers": [{"name": RECEIVER, **bench["receiver"]}]}}
    if isinstance(experiment, dict):
        config = config | {"experiment": _experiment(experiment)}
    return config


def _experiment(old: Tree) -> Tree:
    """Frame settings in a table of their own; the one goal that there was, and its option."""
    moved = {"tasks_per_frame": "frame", "interleave": "frame", "gallery": "options"}
    new: Tree = {key: value for key, value in old.items() if key not in moved}
    new["frame"] = {key: old[key] for key in ("tasks_per_frame", "interleave") if key in old}
    new["goals"] = [GOAL]
    new["options"] = {GOAL: {"gallery": old["gallery"]}} if "gallery" in old else {}
    return new


def _results(old: Any) -> Any:
    """A point's row, as one of several."""
    return {"rows": [old], "ended": old.get("ended")} if isinstance(old, dict) and "top1" in old else old


def _arrays(old: Tree) -> Tree:
    names = {"hit": f"{GOAL}.top1", "ap": f"{GOAL}.map"}
    return {names.get(name, name): value for name, value in old.items()}


def _attrs(attrs: Any) -> Any:
    spec = attrs.get("spec") if isinstance(attrs, dict) else None
    if not isinstance(spec, dict):
        return attrs
    new = {key: value for key, value in spec.items() if key not in ("access", "receiver", "full_scale")}
    reception = {key: spec[key] for key in ("receiver", "full_scale") if key in spec}
    return attrs | {"spec": new | {"receptions": [{"name": RECEIVER, **reception}]}}
