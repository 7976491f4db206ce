"""Which query images form a task, and which gallery images do not count for it.

A task is two or more views of one person. A scheme with fewer transmitters uses the first views of the same tasks, with the
same junk, so that all comparisons are paired.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from hil.datasets.dataset import JUNK, Dataset, Split
from hil.errors import ConfigError, DatasetError
from hil.goals.contract import Tasks

__all__ = ["TaskSet", "junk_mask", "make_tasks", "positive_mask"]


@dataclass(frozen=True, kw_only=True)
class TaskSet:
    """Retrieval tasks.

    Attributes:
        views: int64 [task, view], indices into ``dataset.query``.
        identities: int64 [task].
        cameras: int64 [task, view], of the views.
        dropped: sets of views left out because the gallery has no positive for them.
    """

    views: Tensor
    identities: Tensor
    cameras: Tensor
    dropped: int = 0

    def __len__(self) -> int:
        return len(self.identities)

    @classmethod
    def of(cls, dataset: Dataset, tasks: Tasks) -> TaskSet:
        """Tasks that show one person each, chosen by this goal or by another.

        Raises:
            ConfigError: the views of a task show different people.
        """
        query = dataset.split("query")
        identities = query.identities[tasks.views]
        if bool((identities != identities[:, :1]).any()):
            raise ConfigError("retrieval cannot judge these tasks: the views of a task show different people")
        return cls(views=tasks.views, identities=identities[:, 0], cameras=query.cameras[tasks.views], dropped=tasks.dropped)

    def as_tasks(self) -> Tasks:
        """As a run sees them."""
        return Tasks(
            split="query",
            views=self.views,
            clusters=self.identities,
            labels={"identity": self.identities},
            dropped=self.dropped,
        )

    @property
    def distinct(self) -> int:
        """Number of distinct tasks (sets of images)."""
        return len(torch.unique(self.views, dim=0))

    def subset(self, index: Tensor) -> TaskSet:
        """The tasks at `index`, int64 [n], in that order; repetitions are allowed."""
        return TaskSet(
            views=self.views[index], identities=self.identities[index], cameras=self.cameras[index], dropped=self.dropped
        )


def make_tasks(dataset: Dataset, *, views: int = 2, seed: int = 0, limit: int | None = None) -> TaskSet:
    """All tasks of a data set, or `limit` of them.

    All sets of `views` query images of a person that fit ``dataset.pairing``, shuffled by `seed` (so that the first n of
    them are a fair sample), each with its views in seeded order. Sets without a positive are dropped and counted.

    Args:
        dataset: whose query and gallery are used.
        views: images a task, at least 2.
        seed: of the order and of the thinning.
        limit: how many tasks at most.

    Raises:
        DatasetError: no task is left, or `limit` or `views` is out of range.
    """
    if limit is not None and limit < 1:
        raise DatasetError(f"Argument 'limit' must be at least 1 or None, not {limit}.")
    if views < 2:
        raise DatasetError(f"Argument 'views' must be at least 2, not {views}.")
    query, gallery = dataset.split("query"), dataset.split("gallery")
    found = _sets(query, views, same_camera=dataset.pairing == "same_camera")
    rng = np.random.Generator(np.random.PCG64(seed))
    found = found[np.argsort(rng.random(len(found)), kind="stable")]
    if views == 2:
        flip = rng.random(len(found)) < 0.5
        found[flip] = found[flip][:, ::-1]
    else:
        found = np.take_along_axis(found, np.argsort(rng.random(found.shape), axis=1, kind="stable"), axis=1)
    chosen = torch.from_numpy(found)
    tasks = TaskSet(views=chosen, identities=query.identities[chosen[:, 0]], cameras=query.cameras[chosen])
    keep = _has_positive(tasks, gallery)
    dropped = len(tasks) - int(keep.sum())
    kept = tasks.subset(keep.nonzero()[:, 0][:limit])
    if not len(kept):
        rule = f"{views} cameras" if dataset.pairing == "cross_camera" else "one camera"
        raise DatasetError(
            f"Data set '{dataset.name}' has no task: a task needs {views} query images of a person from {rule} and a gallery "
            f"image of that person from another camera ({len(query)} query images, {dropped} sets without a positive)."
        )
    return TaskSet(views=kept.views, identities=kept.identities, cameras=kept.cameras, dropped=dropped)


def _sets(query: Split, views: int, *, same_camera: bool) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """All unordered sets of query images that may form a task, int64 [set, view], in the order of the query."""
    identities, cameras = query.identities.numpy(), query.cameras.numpy()
    order = np.argsort(identities, kind="stable")
    bounds = np.flatnonzero(np.diff(identities[order])) + 1
    found: list[np.ndarray[tuple[int, int], np.dtype[np.int64]]] = [np.empty((0, views), np.int64)]
    for group in np.split(order, bounds):
        if len(group) < views or identities[group[0]] <= 0:
            continue
        sets = group[np.array(list(combinations(range(len(group)), views)))].astype(np.int64)
        seen = np.sort(cameras[sets], axis=1)
        steps = np.diff(seen, axis=1)
        found.append(sets[(steps == 0).all(1) if same_camera else (steps > 0).all(1)])
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
