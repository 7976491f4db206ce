"""Average precision written again from the descriptions, image by image in plain Python: slow, and shares no code with hil."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def iou(one: Sequence[float], other: Sequence[float]) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return width * height / (sum(areas) - width * height)


def curve(scenes, kind, threshold, *, coco):
    """Recall and precision after each detection of a class in falling score, and how many objects there are."""
    total = sum(int(((scene.classes == kind) & ~scene.difficult).sum()) for scene in scenes)
    entries = []
    for scene in scenes:
        objects = [tuple(map(float, box)) for box, own in zip(scene.objects, scene.classes, strict=True) if own == kind]
        taken = [False] * len(objects)
        hard = [bool(mark) for mark, own in zip(scene.difficult, scene.classes, strict=True) if own == kind]
        own = [i for i in np.argsort(-scene.scores, kind="stable") if scene.labels[i] == kind]
        for i in own:
            shared = [iou(tuple(map(float, scene.boxes[i])), box) for box in objects]
            if coco:  # the best of those that are free, a difficult one only where no other will do
                shared = [value if not used else -1.0 for value, used in zip(shared, taken, strict=True)]
                plain = [-1.0 if mark else value for value, mark in zip(shared, hard, strict=True)]
                if max(plain, default=-1.0) >= threshold:
                    shared = plain
                elif shared:
                    shared = [value if mark else -1.0 for value, mark in zip(shared, hard, strict=True)]
            best = int(np.argmax(shared)) if shared else -1
            if best >= 0 and shared[best] >= threshold and hard[best]:
                taken[best] = True
                continue
            right = best >= 0 and shared[best] >= threshold and not taken[best]
            if right:
                taken[best] = True
            entries.append((float(scene.scores[i]), right))
    entries.sort(key=lambda entry: -entry[0])
    right = np.cumsum([hit for _, hit in entries])
    return right / max(total, 1), right / np.arange(1, len(entries) + 1), total


def average_precision(recall, precision, points):
    """Area under the best precision at each recall or beyond; `points` None: at every change of recall."""
    if points is None:
        recall = np.concatenate([[0.0], recall, [1.0]])
        precision = np.concatenate([[0.0], precision, [0.0]])
        for i in range(len(precision) - 2, -1, -1):
            precision[i] = max(precision[i], precision[i + 1])
        steps = np.flatnonzero(recall[1:] != recall[:-1])
        return float(sum((recall[i + 1] - recall[i]) * precision[i + 1] for i in steps))
    return float(np.mean([max(precision[recall >= point], default=0.0) for point in points]))


def mean_ap(scenes, classes, *, thresholds, points, coco):
    """Mean over the classes that occur and over thresholds."""
    found = []
    for kind in range(classes):
        for threshold in thresholds:
            recall, precision, total = curve(scenes, kind, threshold, coco=coco)
            if total:
                found.append(average_precision(recall, precision, points))
    return float(np.mean(found)) if found else float("nan")


def voc(scenes, classes):
    return mean_ap(scenes, classes, thresholds=[0.5], points=None, coco=False)


def voc07(scenes, classes):
    return mean_ap(scenes, classes, thresholds=[0.5], points=[k / 10 for k in range(11)], coco=False)


def coco(scenes, classes):
    return mean_ap(scenes, classes, thresholds=[0.5 + 0.05 * k for k in range(10)], points=np.linspace(0, 1, 101), coco=True)
