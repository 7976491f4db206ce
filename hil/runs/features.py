"""Decoded features of a capture's points and the gallery's, as plain arrays: whoever has them can rank by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.captures import Capture
from hil.goals.contract import Compares
from hil.points.contender import Contender
from hil.runs.answers import Answered, answered
from hil.runs.replay import check_labels, collect_point, config_of, open_work
from hil.runs.steps import Key, decoded_point, point_key
from hil.runs.work import Work, point_labels

__all__ = ["feature_arrays"]

Arrays = dict[str, NDArray[Any]]


def feature_arrays(capture: Capture, *, dataset: str | None = None, models: Path | None = None) -> Arrays:
    """Features of every point that was measured to its end, received and decoded again, under each goal that compares them.

    Args:
        capture: open.
        dataset: where the data set lies now; models: folder of the weights that were on the air.

    Returns:
        a row each task sent, ``POINT/GOAL.features`` float32 [task, view, p], 0 where ``….lost`` bool [task]; ``….task``
        int64 [task], the distinct task; its labels, ``….identity`` int64 [task], ``….camera`` int64 [task, view] (of all the
        task's views, also of those that the scheme does not send); ``….snr_db_target`` and ``….snr_mean_db`` float64 []. For
        each scheme ``SCHEME/GOAL.gallery`` float32 [view, image, p] and ``….gallery_identity``, ``….gallery_camera`` int64
        [image]. Where a scheme has one output a receiver, its name stands behind the goal's: ``GOAL.RECEIVER.features``.

    Raises:
        HilError: data set or weights at hand are not those of the run.
    """
    changes = {"dataset": dataset, "models": None if models is None else str(models)}
    work = open_work(capture, config_of(capture, {key: value for key, value in changes.items() if value is not None}))
    arrays: Arrays = {}
    rows: dict[int, list[Answered]] = {}
    for one in answered(capture):
        rows.setdefault(one.record.index, []).append(one)
    for points in rows.values():
        for name, values in _of_point(capture, work, points):
            arrays[f"{points[0].record.name}/{name}"] = values
    for scheme in dict.fromkeys(points[0].spec.scheme for points in rows.values()):
        for goal, judge in _comparing(work.contenders[scheme]).items():
            arrays |= {f"{scheme}/{point_key((goal, None), name)}": part.numpy() for name, part in judge.stored().items()}
    return arrays


def _of_point(capture: Capture, work: Work, rows: list[Answered]) -> Iterator[tuple[str, NDArray[Any]]]:
    """A point's arrays by their names, of all rows that were made of it."""
    spec, record = rows[0].spec, rows[0].record
    contender = work.contenders[spec.scheme]
    judges = _comparing(contender)
    if not judges:
        return
    check_labels(record, point_labels(work, spec))
    collections, sent, _ = collect_point(capture, record, spec)
    decoded = decoded_point(contender, spec, sent, collections)
    index = spec.task_index()
    by_key: dict[Key, Answered] = {(one.row.goal, one.row.receiver): one for one in rows}
    for goal, judge in judges.items():
        for name, output in decoded.outputs.items():
            key, lost = (goal, contender.label(name)), decoded.lost[name]
            if (found := by_key.get(key)) is None:
                continue  # not judged by this goal in the run
            parts = {"features": judge.features(output, lost), "lost": lost, "task": index, **judge.labels(index)}
            yield from ((point_key(key, part), values.numpy()) for part, values in parts.items())
            for part, value in (("snr_db_target", found.row.snr_db_target), ("snr_mean_db", found.row.snr_mean_db)):
                yield point_key(key, part), np.array(np.nan if value is None else value, np.float64)


def _comparing(contender: Contender) -> dict[str, Compares]:
    return {goal: judge for goal, judge in contender.judges.items() if isinstance(judge, Compares)}
