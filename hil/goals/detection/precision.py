"""Average precision from detections of many tasks: the area under precision over recall, in three interpolations.

A task drawn w times counts w times, its objects and its detections. Detections of equal score are taken together: precision is
looked at only after the last of them, so the order of tasks plays no part (the references take equal scores in the order of
images; of distinct scores the numbers are the same).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from hil.goals.contract import Metric
from hil.goals.detection.matching import COCO_THRESHOLDS

__all__ = ["MAP50", "MAP50_VOC07", "MAP_COCO", "Interpolation", "mean_average_precision"]

Interpolation = Literal["all", "11", "101"]
"""``all``: the area under the curve (VOC 2010 and later); ``11``: recalls 0, .1, … (VOC 2007); ``101``: 0, .01, … (COCO)."""

POINTS: Mapping[Interpolation, Tensor] = {
    "11": torch.arange(11, dtype=torch.float64) / 10,
    "101": torch.from_numpy(np.linspace(0, 1, 101)),
}

AGGREGATED_AT_ONCE = 1 << 21
"""Weights (drawing × detection) worked on at once: bounds memory."""


def mean_average_precision(interpolation: Interpolation, matched: str, values: Mapping[str, Tensor], weights: Tensor) -> Tensor:
    """Mean over classes, and over thresholds of overlap, of the average precision; NaN where no object was drawn.

    Args:
        interpolation: of precision over recall.
        matched: name of the value that says which detections are right (1), wrong (0), or not counted (−1): [task, n] or
            [task, n, threshold].
        values: of the tasks: ``score`` [task, n], 0 for no detection; ``label`` int64 [task, n]; ``objects`` int64
            [task, class], true objects of each class; `matched`.
        weights: float64 [..., task].

    Returns:
        float64 [...].
    """
    flat = weights.reshape(-1, weights.shape[-1])
    real = values["score"] > 0
    task, place = real.nonzero(as_tuple=True)
    score, label = values["score"][task, place], values["label"][task, place]
    verdict = values[matched][task, place].double()
    verdict = verdict if verdict.ndim == 2 else verdict[:, None]  # [detection, threshold]
    objects = flat @ values["objects"].double()  # [drawing, class]
    total = torch.zeros(len(flat), dtype=torch.float64)
    order = score.argsort(descending=True, stable=True)
    for number in values["objects"].any(0).nonzero()[:, 0].tolist():
        own = order[label[order] == number]
        if not len(own):
            continue
        last = torch.ones(len(own), dtype=torch.bool)
        last[:-1] = score[own][1:] != score[own][:-1]
        step = max(1, AGGREGATED_AT_ONCE // len(own))
        for rows in torch.arange(len(flat)).split(step):
            drawn, there = flat[rows][:, task[own]], objects[rows, number]
            each = [
                _average_precision(drawn * (one >= 0), one.clamp_min(0), there, last, interpolation) for one in verdict[own].T
            ]
            total[rows] += torch.stack(each).mean(0)
    return (total / (objects > 0).sum(1)).view(weights.shape[:-1])


def _average_precision(drawn: Tensor, right: Tensor, objects: Tensor, last: Tensor, interpolation: Interpolation) -> Tensor:
    """Average precision of one class at one threshold.

    Args:
        drawn: float64 [drawing, detection], how often each counts, in order of falling score.
        right: float64 [detection], 1 where it is.
        objects: float64 [drawing], how many there are; the result is 0 where there is none.
        last: bool [detection], the last one of its score.
        interpolation: of precision over recall.
    """
    hits = drawn * right
    found = hits.cumsum(1)
    precision = (found / drawn.cumsum(1).clamp_min(1e-12)) * last
    envelope = precision.flip(1).cummax(1).values.flip(1)  # the best precision at this recall or a higher one
    there = objects.clamp_min(1e-12)
    if interpolation == "all":
        return (hits * envelope).sum(1) / there
    points = POINTS[interpolation].expand(len(drawn), -1).contiguous()
    first = torch.searchsorted(found / there[:, None], points)  # the first detection that reaches each recall
    padded = torch.cat([envelope, envelope.new_zeros(len(drawn), 1)], dim=1)
    return torch.where(objects > 0, padded.gather(1, first).mean(1), 0.0)


MAP50 = Metric(
    name="map50",
    unit="share",
    better="higher",
    worst=0.0,
    headline=True,
    title="mAP@.5",
    aggregate=partial(mean_average_precision, "all", "voc"),
)
"""VOC 2010 and later: overlap .5, all points of the curve."""

MAP50_VOC07 = Metric(
    name="map50_voc07",
    unit="share",
    better="higher",
    worst=0.0,
    title="mAP@.5 (VOC 2007)",
    aggregate=partial(mean_average_precision, "11", "voc"),
)
"""VOC 2007: overlap .5, 11 points."""

MAP_COCO = Metric(
    name="map_coco",
    unit="share",
    better="higher",
    worst=0.0,
    title=f"mAP@[{COCO_THRESHOLDS[0]:.2g}:{COCO_THRESHOLDS[-1]:.2g}]",
    aggregate=partial(mean_average_precision, "101", "coco"),
)
"""COCO: mean over overlaps .5, .55, …, .95, 101 points; all sizes, every detection counts (its tools stop at 100 an image)."""
