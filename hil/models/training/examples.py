"""Training examples: what the trainer asks of a data set, held-out identities, and views of one identity redrawn each epoch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from hil.errors import DatasetError

__all__ = ["Boxed", "ByClass", "EachAlone", "Examples", "Pixels", "TrainingData", "draw_views", "split_identities"]

HELD_BYTES = 2 << 30
"""Training images that take no more are held in memory, larger sets are read batch by batch. Market-1501's 12,936 images of
256×128 take 1.3 GB."""


class TrainingData(Protocol):
    """The part of a data set that training reads; `hil.datasets.dataset.Dataset` fits."""

    @property
    def name(self) -> str:
        """What the data set is called."""
        ...

    @property
    def fingerprint(self) -> str:
        """Changes when the data do; stored with the weights."""
        ...

    @property
    def train(self) -> Any:
        """A split with `images` uint8 [image, C, H, W], indexed by int64 [n], or features, float32 [image, view, 1, p].

        Its `identities` and `cameras` are int [image].
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Some images of a split, with labels.

    Attributes:
        source: the split's images, uint8 [*, C, H, W], in memory or read when indexed.
        places: int64 [image], which of them.
        identities: int64 [image], as in the data set.
        cameras: int64 [image].
        labels: int64 [image], identities counted from 0 in ascending order.
        classes: number of identities.
        boxes: of the objects, float32 [image, n, 5], class below 0 where there is no further one, or a difficult one; None
            where they do not matter.
    """

    source: Any
    places: Tensor
    identities: Tensor
    cameras: Tensor
    labels: Tensor
    classes: int
    boxes: Tensor | None = None

    @staticmethod
    def of(split: Any, keep: Tensor) -> Examples:
        """The images of a split that are marked in `keep`, bool [image]."""
        identities = torch.as_tensor(split.identities).long()[keep]
        known, labels = torch.unique(identities, return_inverse=True)
        return Examples(
            source=split.images,
            places=keep.nonzero()[:, 0],
            identities=identities,
            cameras=torch.as_tensor(split.cameras).long()[keep],
            labels=labels,
            classes=len(known),
            boxes=split.objects[keep] if isinstance(split, Boxed) else None,
        )


class Pixels:
    """Training images on a device: held there if they fit, else read whenever they are indexed.

    Args:
        examples: whose images.
        device: where they are wanted.
    """

    def __init__(self, examples: Examples, device: torch.device) -> None:
        self._examples, self.device = examples, device
        self._held: Tensor | None = None
        if len(examples.places) * math.prod(examples.source.shape[1:]) * examples.source.dtype.itemsize <= HELD_BYTES:
            self._held = self._read(torch.arange(len(examples.places)))

    def __len__(self) -> int:
        return len(self._examples.places)

    def __getitem__(self, index: Tensor) -> Tensor:
        """The images at int64 [n], uint8 [n, C, H, W]."""
        return self._read(index) if self._held is None else self._held[index.to(self.device)]

    def _read(self, index: Tensor) -> Tensor:
        return torch.as_tensor(self._examples.source[self._examples.places[index]]).to(self.device)


def split_identities(split: Any, share: float, generator: torch.Generator) -> tuple[Examples, Examples]:
    """Divide a training split by identity into (kept, held out); junk and distractors (identity < 1) are left out.

    Args:
        split: see `TrainingData.train`.
        share: of the identities, held out; rounded.
        generator: decides which.

    Raises:
        DatasetError: fewer than two identities or four images are left to train on.
    """
    identities = torch.as_tensor(split.identities).long()
    person = identities > 0
    known = torch.unique(identities[person])
    held = known[torch.randperm(len(known), generator=generator)][: round(share * len(known))]
    chosen = torch.isin(identities, held)
    kept = Examples.of(split, person & ~chosen)
    if kept.classes < 2 or len(kept.labels) < 4:
        raise DatasetError(
            f"the training split leaves {kept.classes} identities with {len(kept.labels)} images after holding out "
            f"{len(held)} for validation; training needs at least 2 identities and 4 images (lower held_out in the recipe)."
        )
    return kept, Examples.of(split, chosen)


@dataclass(frozen=True, kw_only=True)
class EachAlone:
    """A split in which every image stands for itself, whatever its labels; see `TrainingData.train`."""

    images: Any
    identities: Tensor
    cameras: Tensor

    @staticmethod
    def of(split: Any) -> EachAlone:
        """Of any images."""
        count = len(split.images)
        nowhere = torch.zeros(count, dtype=torch.int64)
        return EachAlone(images=split.images, identities=torch.arange(1, count + 1), cameras=nowhere)


class ByClass(EachAlone):
    """A split in which an image stands for its class."""

    @staticmethod
    def of(split: Any) -> EachAlone:
        """Of images labelled ``class``; those of −1 are left out.

        Raises:
            DatasetError: they are not.
        """
        if "class" not in getattr(split, "labels", {}):
            raise DatasetError("a classifier needs training images with the label 'class'; these have none.")
        classes = split.labels["class"]
        return EachAlone(images=split.images, identities=classes + 1, cameras=torch.zeros_like(classes))


@dataclass(frozen=True, kw_only=True)
class Boxed(EachAlone):
    """A split in which every image stands for itself and its objects are known; `objects` as `Examples.boxes`."""

    objects: Tensor

    @staticmethod
    def of(split: Any) -> Boxed:
        """Of images with boxes.

        Raises:
            DatasetError: they have none.
        """
        boxes = getattr(split, "boxes", None)
        if boxes is None or not any(len(own) for own in boxes):
            raise DatasetError("a detector needs training images with boxes; these have none.")
        objects = torch.full((len(boxes), max(len(own) for own in boxes), 5), -1.0)
        for row, own in zip(objects, boxes, strict=True):
            row[: len(own)] = own
        alone = EachAlone.of(split)
        return Boxed(images=alone.images, identities=alone.identities, cameras=alone.cameras, objects=objects)


def draw_views(
    labels: Tensor, cameras: Tensor, generator: torch.Generator, *, views: int = 2, same_camera: bool = False
) -> Tensor:
    """One task for each image that has enough partners: the image, and others of its identity, each from a camera of its own.

    Args:
        labels: int64 [image], from 0.
        cameras: int64 [image].
        generator: draws partners and order.
        views: of a task.
        same_camera: partners are other images of the same camera instead (CUHK03).

    Returns:
        int64 [task, view], indices of images, in random order.

    Raises:
        DatasetError: no image has enough partners.
    """
    if same_camera:
        labels = torch.unique(torch.stack([labels, cameras], dim=1), dim=0, return_inverse=True)[1]
    apart = torch.arange(len(labels)) if same_camera else cameras
    order = torch.argsort(labels, stable=True)
    counts = torch.bincount(labels)
    starts = counts.cumsum(0) - counts
    kinds = torch.bincount(torch.unique(torch.stack([labels, apart], dim=1), dim=0)[:, 0])
    tasks = (kinds[labels] >= views).nonzero()
    if not len(tasks):
        where = "one camera" if same_camera else f"{views} cameras"
        other = "cross_camera" if same_camera else "same_camera"
        raise DatasetError(
            f"no training image has partners of its identity, from {where}, to form a task of {views} views with; "
            f"check the cameras of the data set, or take views by another rule: 'PATH?pairing={other}'."
        )
    for _ in range(1, views):
        partner = torch.full((len(tasks),), -1)
        pending = torch.arange(len(tasks))
        while len(pending):  # rejection: draw among the identity's images until it differs from all there are
            label = labels[tasks[pending, 0]]
            drawn = torch.rand(len(pending), generator=generator, dtype=torch.float64)
            found = order[starts[label] + (drawn * counts[label]).long()]
            good = (apart[found][:, None] != apart[tasks[pending]]).all(1)
            partner[pending[good]] = found[good]
            pending = pending[~good]
        tasks = torch.cat([tasks, partner[:, None]], dim=1)
    return tasks[torch.randperm(len(tasks), generator=generator)]
