"""Which images form a task: shuffled by a seed, each image in one task, so that the first n tasks are a fair sample."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from hil.datasets.dataset import Dataset, Split
from hil.errors import DatasetError
from hil.goals.contract import Tasks

__all__ = ["clusters_of", "draw_tasks", "sent_split"]


def sent_split(dataset: Dataset) -> tuple[str, Split]:
    """Name and images of the split whose images are sent (`Dataset.sent`)."""
    name = "query" if dataset.test is None else "test"
    return name, dataset.split(name)


def draw_tasks(dataset: Dataset, *, views: int, seed: int, limit: int | None, alike: Tensor | None = None) -> Tasks:
    """Tasks of the images that are sent, each image in at most one of them.

    Args:
        dataset: whose images are sent.
        views: images a task, distinct.
        seed: of the order.
        limit: how many tasks at most.
        alike: int64 [image]; the images of a task have the same value, and images with a negative one are left out (and
            counted); None: any images go together.

    Raises:
        DatasetError: no task is left, or `limit` or `views` is out of range.
    """
    if limit is not None and limit < 1:
        raise DatasetError(f"Argument 'limit' must be at least 1 or None, not {limit}.")
    if views < 1:
        raise DatasetError(f"Argument 'views' must be at least 1, not {views}.")
    name, split = sent_split(dataset)
    kinds = np.zeros(len(split), np.int64) if alike is None else alike.numpy()
    rng = np.random.Generator(np.random.PCG64(seed))
    order = rng.permutation(len(split))
    order = order[kinds[order] >= 0]
    sets, ends = [np.empty((0, views), np.int64)], [np.empty(0, np.int64)]
    for kind in np.unique(kinds[order]):
        places = np.flatnonzero(kinds[order] == kind)
        whole = len(places) // views
        grouped = places[: whole * views].reshape(whole, views)
        sets.append(order[grouped])
        ends.append(grouped[:, -1])
    # A task stands where its last image was drawn, so that no kind comes first.
    chosen = torch.from_numpy(np.concatenate(sets)[np.argsort(np.concatenate(ends), kind="stable")][:limit])
    if not len(chosen):
        together = "" if alike is None else " of one kind"
        raise DatasetError(
            f"Data set '{dataset.name}' has no task: a task needs {views} images{together} ('{name}': {len(split)})."
        )
    return Tasks(split=name, views=chosen, clusters=clusters_of(split, chosen), dropped=int((kinds < 0).sum()))


def clusters_of(split: Split, views: Tensor) -> Tensor:
    """What tasks hang together by: the identity of the first view where there are labels, else that image; int64 [task].

    Args:
        split: the images.
        views: int64 [task, view].
    """
    return split.labels["identity"][views[:, 0]] if "identity" in split.labels else views[:, 0].clone()
