"""Which query images form a task, and which gallery images do not count for it.

A task is two views of one person. Schemes with one transmitter use view 0 of the same tasks, with the same junk, so that
all comparisons are paired.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hil.datasets.dataset import JUNK, Dataset, Split
from hil.errors import DatasetError

__all__ = ["TaskSet", "junk_mask", "make_tasks", "positive_mask"]


@dataclass(frozen=True, kw_only=True)
class TaskSet:
    """Retrieval tasks.

    Attributes:
        views: int64 [task, 2], indices into ``dataset.query``.
        identities: int64 [task].
        cameras: int64 [task, 2], of the two views.
        dropped: pairs left out because the gallery has no positive for them.
    """

    views: Tensor
    identities: Tensor
    cameras: Tensor
    dropped: int = 0

    def __len__(self) -> int:
        return len(self.identities)

    @property
    def distinct(self) -> int:
        """Number of distinct tasks (pairs of images)."""
        return len(torch.unique(self.views, dim=0))

    def subset(self, index: Tensor) -> TaskSet:
        """The tasks at `index`, int64 [n], in that order; repetitions are allowed."""
        return TaskSet(
            views=self.views[index], identities=self.identities[index], cameras=self.cameras[index], dropped=self.dropped
        )


def make_tasks(dataset: Dataset, *, seed: int = 0, limit: int | None = None) -> TaskSet:
    """All tasks of a data set, or `limit` of them.

    All unordered pairs of query images of a person that fit ``dataset.pairing``, shuffled by `seed` (so that the first n
    of them are a fair sample), each with its two views in seeded order. Pairs without a positive are dropped and counted.

    Args:
        dataset: whose query and gallery are used.
        seed: of the order and of the thinning.
        limit: how many tasks at most.

    Raises:
        DatasetError: no task is left, or `limit` is not positive.
    """
    if limit is not None and limit < 1:
        raise DatasetError(f"Argument 'limit' must be at least 1 or None, not {limit}.")
    pairs = _pairs(dataset)
    rng = np.random.Generator(np.random.PCG64(seed))
    pairs = pairs[np.argsort(rng.random(len(pairs)), kind="stable")]
    flip = rng.random(len(pairs)) < 0.5
    pairs[flip] = pairs[flip][:, ::-1]
    views = torch.from_numpy(pairs)
    tasks = TaskSet(views=views, identities=dataset.query.identities[views[:, 0]], cameras=dataset.query.cameras[views])
    keep = _has_positive(tasks, dataset.gallery)
    dropped = len(tasks) - int(keep.sum())
    kept = tasks.subset(keep.nonzero()[:, 0][:limit])
    if not len(kept):
        rule = "two cameras" if dataset.pairing == "cross_camera" else "one camera"
        raise DatasetError(
            f"Data set '{dataset.name}' has no task: a task needs two query images of a person from {rule} and a gallery "
            f"image of that person from another camera ({len(dataset.query)} query images, {dropped} pairs without a positive)."
        )
    return TaskSet(views=kept.views, identities=kept.identities, cameras=kept.cameras, dropped=dropped)


def _pairs(dataset: Dataset) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """All unordered pairs of query images that may form a task, int64 [pair, 2], in the order of the query."""
    identities = dataset.query.identities.numpy()
    cameras = dataset.query.cameras.numpy()
    order = np.argsort(identities, kind="stable")
    bounds = np.flatnonzero(np.diff(identities[order])) + 1
    found: list[np.ndarray[tuple[int, int], np.dtype[np.int64]]] = [np.empty((0, 2), np.int64)]
    for group in np.split(order, bounds):
        first, second = np.triu_indices(len(group), 1)
        pair = np.stack([group[first], group[second]], axis=1).astype(np.int64)
        same = cameras[pair[:, 0]] == cameras[pair[:, 1]]
        pair = pair[same if dataset.pairing == "same_camera" else ~same]
        if len(group) and identities[group[0]] > 0:
            found.append(pair)
    return np.concatenate(found)


def _has_positive(tasks: TaskSet, gallery: Split, chunk: int = 512) -> Tensor:
    """Whether the gallery has a counted image of the task's person, bool [task]."""
    parts = [
        positive_mask(tasks.subset(torch.arange(start, min(start + chunk, len(tasks)))), gallery).any(1)
        for start in range(0, len(tasks), chunk)
    ]
    return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.bool)


def junk_mask(tasks: TaskSet, gallery: Split) -> Tensor:
    """Gallery images that do not count: the task's person from any camera of the task, and junk. bool [task, image]."""
    same = tasks.identities[:, None] == gallery.identities[None, :]
    seen = (tasks.cameras[:, :, None] == gallery.cameras[None, None, :]).any(1)
    return (same & seen) | (gallery.identities == JUNK)[None, :]


def positive_mask(tasks: TaskSet, gallery: Split) -> Tensor:
    """Gallery images that are right answers: the task's person, from no camera of the task. bool [task, image]."""
    same = tasks.identities[:, None] == gallery.identities[None, :]
    return same & ~junk_mask(tasks, gallery)
