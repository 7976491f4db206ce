"""How the tasks of a run were answered, from its capture: what a comparison of runs is made of. No network is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hil.captures import Capture, PointRecord
from hil.config import validate
from hil.goals.contract import PerTask
from hil.points.spec import PointSpec
from hil.results.document import Row, parse_results

__all__ = ["Answered", "answered"]

_SHARED = ("task", "cluster")
"""Labels that number a run's own tasks; the others say which images they are."""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """One point over the air, as one goal judged it at one receiver.

    Attributes:
        row: of the result, its SNR against the noise of the run; spec: of the point; record: what the open capture holds of it.
        tasks: how each task that was sent was answered.
        names: of each, what tells it from all others of the data set.
        clusters: int64 [task], of the run.
        block: int64 [task], what its error may share with others'.
    """

    row: Row
    spec: PointSpec
    record: PointRecord
    tasks: PerTask
    names: list[tuple[int, ...]]
    clusters: NDArray[np.int64]
    block: NDArray[np.int64]


def answered(capture: Capture) -> Iterator[Answered]:
    """Every point of a capture that was measured to its end, in the order measured.

    Args:
        capture: open, complete or not; its rows are of the whole run, or of each point where that was cut short.
    """
    stored = capture.results
    whole = parse_results(stored, str(capture.path)).points if stored is not None else None
    for record in capture.points:
        if record.attrs.get("kind") != "point" or not record.valid or (record.results or {}).get("ended") is not None:
            continue
        spec = validate(PointSpec, record.attrs["spec"], f"point '{record.name}'")
        rows = whole if whole is not None else [Row.model_validate(row) for row in _rows(record)]
        for row in rows:
            mine = row.source == "air" and (row.model_extra or {}).get("point", record.index) == record.index
            if mine and (row.scheme, row.snr_db_target, row.energy) == (spec.scheme, spec.snr_db_target, spec.energy):
                yield _point(capture, record, spec, row)


def _rows(record: PointRecord) -> list[Mapping[str, Any]]:
    return [row for row in (record.results or {}).get("rows", []) if "metrics" in row]


def _point(capture: Capture, record: PointRecord, spec: PointSpec, row: Row) -> Answered:
    prefix = ".".join(part for part in (row.goal, row.receiver) if part) + "."
    values = {
        name.removeprefix(prefix): torch.from_numpy(array)
        for name, array in record.arrays.items()
        if name.startswith(prefix) and "." not in name.removeprefix(prefix)
    }
    labels = record.labels
    columns = [labels[name] for name in sorted(labels) if name not in _SHARED]
    everyone = torch.ones(spec.tasks, dtype=torch.bool)
    return Answered(
        row=row,
        spec=spec,
        record=record,
        tasks=PerTask(values=values, scored=everyone),
        names=list(zip(*(column.tolist() for column in columns), strict=True)),
        clusters=np.asarray(labels["cluster"], np.int64),
        block=_blocks(capture, record, spec, row.receiver or spec.receptions[0].name),
    )


def _blocks(capture: Capture, record: PointRecord, spec: PointSpec, receiver: str) -> NDArray[np.int64]:
    """Of each task the number of its first frame, or of the fade that held it, int64 [task]."""
    numbers = spec.first_frame + np.arange(spec.tasks) * spec.fragments // spec.frame.tasks_per_frame
    if spec.fade_samples is None:
        return np.asarray(numbers, np.int64)
    begins = {int(one.frame_numbers[0]): one.start for one in capture.bursts(record.index, receiver) if len(one.frame_numbers)}
    blocks = [begins[number] // spec.fade_samples if number in begins else -1 - number for number in numbers.tolist()]
    return np.array(blocks, np.int64)
