"""The goal detection: objects in the image of the first view, found and named.

The headline, mean average precision, is no mean over tasks: a task's values are its detections (class, score, right or wrong)
and how many objects of each class it has, and every number, interval and comparison aggregates them anew. Images are judged by
a task network. A lost task has no detections. Difficult objects need not be found, and a detection of one is not counted.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from hil.datasets.dataset import Dataset, kinds_of
from hil.errors import ConfigError, ModelError
from hil.goals.answers import blanked, expected, sent_images
from hil.goals.contract import Goal, GoalOptions, Metric, PerTask, Tasks
from hil.goals.detection.matching import match_coco, match_voc, overlaps
from hil.goals.detection.precision import MAP50, MAP50_VOC07, MAP_COCO
from hil.goals.network import NetworkOptions, TaskNetwork, refusal
from hil.goals.sampling import draw_tasks, sent_split
from hil.models.card import OutputKind
from hil.models.contract import Boxes, Images, Output, Scheme

__all__ = ["Detection", "DetectionJudge", "DetectionOptions"]

MATCHED_AT_ONCE = 1 << 20
"""Pairs of a detection and an object compared at once: bounds memory."""


class DetectionOptions(NetworkOptions):
    """What may be chosen of detection: the task network."""


class DetectionJudge:
    """Matches detections with true objects.

    Args:
        dataset: at the scheme's image size.
        tasks: the distinct tasks.
        views: images a task that the scheme sends; the first one is judged.
        network: that judges images.

    Raises:
        ConfigError: the images have no boxes, or the network is one of other classes.
    """

    def __init__(self, dataset: Dataset, tasks: Tasks, *, views: int, network: TaskNetwork | None) -> None:
        self._split, self._network = dataset.split(tasks.split), network
        self._sent = sent_images(tasks, views)[:, 0]
        if self._split.boxes is None:
            raise ConfigError(f"detection cannot judge these tasks: no boxes in '{tasks.split}'")
        rows = [self._split.boxes[place] for place in self._sent.tolist()]
        most = max((len(row) for row in rows), default=0)
        self._truths = torch.zeros(len(rows), most, 4)
        self._classes = torch.full((len(rows), most), -1)
        self._difficult = torch.zeros(len(rows), most, dtype=torch.bool)
        for task, row in enumerate(rows):
            kinds, difficult = kinds_of(row)
            self._truths[task, : len(row)] = row[:, :4]
            self._classes[task, : len(row)], self._difficult[task, : len(row)] = kinds, difficult
        count = max(len(dataset.classes), int(self._classes.max()) + 1 if self._classes.numel() else 0)
        counted = self._classes.masked_fill(self._difficult, -1)
        if network is not None and network.classes is not None and network.classes != count:
            raise ConfigError(
                f"the task network finds objects of {network.classes} classes, and data set '{dataset.name}' has {count}; give "
                f"a network trained for it: hil train full-detector-voc --dataset SPEC --set classes={count}"
            )
        self._objects = (counted[..., None] == torch.arange(count)).sum(1)

    def score(self, output: Output, index: Tensor, lost: Tensor) -> PerTask:
        """Each row's detections, which of them are right by VOC and by COCO, and how many objects there are.

        Raises:
            ModelError: the output holds neither boxes nor images that a network can judge.
        """
        return self._matched(self._boxes(output, lost), index, lost, coco=True)

    def headline(self, output: Output, index: Tensor) -> PerTask:
        """The same without COCO's matches."""
        kept = torch.zeros(len(index), dtype=torch.bool)
        return self._matched(self._boxes(output, kept), index, kept, coco=False)

    def references(self) -> Mapping[str, float | PerTask]:
        """``uncoded``: the task network on the images that were sent. There is no chance: any box might be guessed."""
        if self._network is None:
            return {}
        everyone = torch.arange(len(self._sent))
        kept = torch.zeros(len(everyone), dtype=torch.bool)
        return {"uncoded": self._matched(self._network.boxes(self._split.float_images(self._sent)), everyone, kept, coco=True)}

    def _boxes(self, output: Output, lost: Tensor) -> Boxes:
        if self._network is not None and isinstance(output, Images):
            return self._network.boxes(blanked(output.images[:, 0], lost))
        return expected(output, Boxes, "detection")

    def _matched(self, found: Boxes, index: Tensor, lost: Tensor, *, coco: bool) -> PerTask:
        boxes, scores, labels = _checked(found, len(index), lost)
        order = scores.argsort(dim=1, descending=True, stable=True)
        boxes, scores, labels = (
            boxes.gather(1, order[..., None].expand(-1, -1, 4)),
            scores.gather(1, order),
            labels.gather(1, order),
        )
        names = ("voc", "coco") if coco else ("voc",)
        parts: dict[str, list[Tensor]] = {name: [] for name in names}
        step = max(1, MATCHED_AT_ONCE // max(1, boxes.shape[1] * self._truths.shape[1]))
        for rows in torch.arange(len(index)).split(step):
            classes, difficult = self._classes[index[rows]], self._difficult[index[rows]]
            alike = (labels[rows][:, :, None] == classes[:, None]) & (scores[rows] > 0)[..., None]
            overlap = overlaps(boxes[rows], self._truths[index[rows]]).masked_fill(~alike, -1.0)
            parts["voc"].append(match_voc(overlap, difficult))
            if coco:
                parts["coco"].append(match_coco(overlap, difficult))
        right = {name: torch.cat(part) for name, part in parts.items()}
        return PerTask(values={"score": scores, "label": labels, "objects": self._objects[index], **right}, scored=~lost)


def _checked(found: Boxes, count: int, lost: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes, scores and labels that fit each other; of lost tasks none."""
    boxes, scores, labels = found.boxes, found.scores, found.labels
    shape = scores.shape
    if len(shape) != 2 or shape[0] != count or boxes.shape != (*shape, 4) or labels.shape != shape:
        raise ModelError(
            f"the decoder must give boxes [{count}, n, 4], scores and labels [{count}, n] (task, detection), "
            f"not {list(boxes.shape)}, {list(shape)}, {list(labels.shape)}"
        )
    if labels.dtype != torch.int64:
        raise ModelError(f"the decoder must give labels of int64, not {labels.dtype}")
    boxes, scores = blanked(boxes, lost), blanked(scores, lost)
    if not bool(torch.isfinite(boxes).all()) or not bool(((scores >= 0) & (scores <= 1)).all()):
        raise ModelError("the decoder must give finite boxes, and scores in 0…1 (0 where there is no further box)")
    return boxes, scores, blanked(labels, lost)


class Detection(Goal):
    """Which objects are where? See `hil.goals.contract.Goal`."""

    name = "detection"
    version = 2
    needs: OutputKind = "boxes"
    requires: tuple[type, ...] = ()
    options: type[GoalOptions] = DetectionOptions
    metrics: tuple[Metric, ...] = (MAP50, MAP50_VOC07, MAP_COCO)

    def lacks(self, dataset: Dataset) -> str:
        """Images with boxes are needed, and at least one box."""
        name, split = sent_split(dataset)
        if split.boxes is None:
            return f"no boxes in '{name}'"
        return "" if any((boxes[:, 4] >= 0).any() for boxes in split.boxes) else f"not one box in '{name}'"

    def refuses(self, scheme: Scheme, options: GoalOptions) -> str:
        """Boxes are needed, or images and a task network."""
        return refusal(self.name, self.needs, scheme, options)

    def tasks(self, dataset: Dataset, *, views: int, seed: int, limit: int | None) -> Tasks:
        """Sets of `views` images, in an order drawn by `seed`; each in one task at most; the first one is judged."""
        return draw_tasks(dataset, views=views, seed=seed, limit=limit)

    def judge(self, scheme: Scheme, dataset: Dataset, tasks: Tasks, options: GoalOptions) -> DetectionJudge:
        """Be ready to match.

        Raises:
            ConfigError: the images of the tasks have no boxes, or the network cannot be loaded.
        """
        if not isinstance(options, DetectionOptions):
            raise ConfigError(f"detection needs DetectionOptions, not {type(options).__name__}")
        return DetectionJudge(dataset, tasks, views=scheme.plan.transmitters, network=options.network())
