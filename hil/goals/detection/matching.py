"""Which detections are right: each is matched to at most one true object of its class, the best scored first.

Corners are continuous coordinates, so a box from 2 to 5 is 3 wide. (VOC's tools count inclusive pixels: its readers add 1 to
right and bottom, and then get VOC's own overlap.)
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["COCO_THRESHOLDS", "VOC_THRESHOLD", "match_coco", "match_voc", "overlaps"]

VOC_THRESHOLD = 0.5
COCO_THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))


def overlaps(boxes: Tensor, truths: Tensor) -> Tensor:
    """Intersection over union of boxes (left, top, right, bottom), 0 of empty ones.

    Args:
        boxes: [task, n, 4].
        truths: [task, m, 4].

    Returns:
        float64 [task, n, m].
    """
    one, other = boxes.double()[:, :, None], truths.double()[:, None]
    sides = (torch.minimum(one[..., 2:], other[..., 2:]) - torch.maximum(one[..., :2], other[..., :2])).clamp_min(0)
    common = sides[..., 0] * sides[..., 1]
    areas = [(box[..., 2] - box[..., 0]).clamp_min(0) * (box[..., 3] - box[..., 1]).clamp_min(0) for box in (one, other)]
    union = areas[0] + areas[1] - common
    return torch.where(union > 0, common / union.clamp_min(1e-300), 0.0)


def match_voc(overlap: Tensor, difficult: Tensor, threshold: float = VOC_THRESHOLD) -> Tensor:
    """VOC: a detection stands for the object it overlaps most; the first one to do so well enough is right, others are wrong.

    One that stands for a difficult object is not counted at all.

    Args:
        overlap: float64 [task, detection, object], detections in order of falling score; negative where the classes differ or
            there is none.
        difficult: bool [task, object], objects that nobody must find.
        threshold: least overlap, inclusive.

    Returns:
        int8 [task, detection]: 1 right, 0 wrong, −1 not counted.

    Source: Everingham et al., The Pascal Visual Object Classes Challenge: A Retrospective, IJCV 2015, and its development kit.
    """
    if not overlap.shape[2]:
        return torch.zeros(overlap.shape[:2], dtype=torch.int8)
    best, place = overlap.max(2)
    claims = torch.nn.functional.one_hot(place, overlap.shape[2]) * (best >= threshold)[..., None]
    right = ((claims.cumsum(1) == 1) & (claims == 1)).any(2)
    passed = (best >= threshold) & difficult.gather(1, place)
    return right.to(torch.int8).masked_fill(passed, -1)


def match_coco(overlap: Tensor, difficult: Tensor, thresholds: tuple[float, ...] = COCO_THRESHOLDS) -> Tensor:
    """COCO: a detection takes the object it overlaps most among those that none before it took, a difficult one if need be.

    Args:
        overlap, difficult: as for `match_voc`.
        thresholds: least overlaps, inclusive, each matched by itself.

    Returns:
        int8 [task, detection, threshold]: 1 right, 0 wrong, −1 not counted.

    Source: Lin et al., Microsoft COCO, ECCV 2014, and its tools (cocoeval; difficult objects as those it ignores).
    """
    tasks, detections, objects = overlap.shape
    found = torch.zeros(tasks, detections, len(thresholds), dtype=torch.int8)
    if not objects:
        return found
    least = torch.tensor(thresholds, dtype=torch.float64)
    free = torch.ones(tasks, len(thresholds), objects, dtype=torch.bool)
    for place in range(detections):
        own = overlap[:, place, None].masked_fill(~free, -1.0)
        best, chosen = own.masked_fill(difficult[:, None], -1.0).max(2)  # [task, threshold]
        other, instead = own.masked_fill(~difficult[:, None], -1.0).max(2)
        right = best >= least
        passed = ~right & (other >= least)
        found[:, place] = right.to(torch.int8) - passed.to(torch.int8)
        taken = torch.zeros_like(free).scatter_(2, torch.where(right, chosen, instead)[..., None], (right | passed)[..., None])
        free &= ~taken
    return found
