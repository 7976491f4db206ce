"""Which images form a task, and which gallery images do not count for it.

A task is two or more views of one person. A scheme with fewer transmitters uses the first views of the same tasks, with the
same junk, so that all comparisons are paired. What fits together is the data set's `pairing`:

- ``cross_camera``: query images of different cameras.
- ``same_camera``: images of one camera. Where the query has fewer than are needed, as CUHK03's protocol has one a camera and
  person, each query image is a task, and its further views are gallery images of the person and camera, which the protocol
  leaves out of that task's ranking anyway.
- ``none``: no tasks of several views.

Where a data set has none of several views, each query image is a task for schemes of a single view.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from math import comb

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hil.datasets.dataset import JUNK, Dataset, Pairing, Split
from hil.errors import ConfigError, DatasetError
from hil.goals.contract import Tasks
from hil.goals.retrieval.relevance import Relevance

__all__ = ["BOTH", "TaskSet", "junk_mask", "make_tasks", "positive_mask", "single_tasks", "tasks_for"]

BOTH = "query+gallery"
"""The split of tasks whose further views are of the gallery."""
MOST_SETS = 20_000_000
"""Sets of views that are listed to draw tasks from."""

_RULES = {
    "cross_camera": "{views} query images of a person from {views} cameras",
    "same_camera": "{views} query images of a person from one camera, of which all but one may be of the gallery,",
}

Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class TaskSet:
    """Retrieval tasks.

    Attributes:
        views: int64 [task, view], indices into `split`.
        identities: int64 [task].
        cameras: int64 [task, view], of the views.
        dropped: sets of views left out because the gallery has no positive for them.
        split: ``query``, or `BOTH`, one after the other.
        queries: images of the query: views from there on are of the gallery.
    """

    views: Tensor
    identities: Tensor
    cameras: Tensor
    dropped: int = 0
    split: str = "query"
    queries: int = 0

    def __len__(self) -> int:
        return len(self.identities)

    @classmethod
    def of(cls, dataset: Dataset, tasks: Tasks) -> TaskSet:
        """Tasks that show one person each, chosen by this goal or by another.

        Raises:
            ConfigError: the views of a task show different people, or are of another split.
        """
        if tasks.split not in ("query", BOTH):
            raise ConfigError(f"retrieval needs tasks of the split 'query', not '{tasks.split}'")
        found = _task_set(dataset, tasks.views, tasks.split)
        if bool((dataset.split(tasks.split).identities[tasks.views] != found.identities[:, None]).any()):
            raise ConfigError("retrieval cannot judge these tasks: the views of a task show different people")
        return replace(found, dropped=tasks.dropped)

    def as_tasks(self) -> Tasks:
        """As a run sees them. Where views are of the gallery, labels say which: gallery_VIEW, −1 for one of the query."""
        labels = {"identity": self.identities}
        if self.split == BOTH:
            in_gallery = torch.where(self.views < self.queries, -1, self.views - self.queries)
            labels |= {f"gallery_{view}": in_gallery[:, view] for view in range(self.views.shape[1])}
        return Tasks(split=self.split, views=self.views, clusters=self.identities, labels=labels, dropped=self.dropped)

    @property
    def distinct(self) -> int:
        """Number of distinct tasks (sets of images)."""
        return len(torch.unique(self.views, dim=0))

    def subset(self, index: Tensor) -> TaskSet:
        """The tasks at `index`, int64 [n], in that order; repetitions are allowed."""
        return replace(self, views=self.views[index], identities=self.identities[index], cameras=self.cameras[index])


def tasks_for(dataset: Dataset, *, views: int, seed: int, limit: int | None) -> TaskSet:
    """Tasks for schemes of at most so many views: pairs at least, so that a single view answers the same tasks as a pair.

    For a single view alone, each query image where the data set has no pairs.

    Raises:
        DatasetError: no task is left, or an argument is out of range.
    """
    if views != 1:
        return make_tasks(dataset, views=views, seed=seed, limit=limit)
    _check_limit(limit)
    pairs = _drawn(dataset, 2, seed)
    return pairs.subset(torch.arange(len(pairs))[:limit]) if len(pairs) else single_tasks(dataset, seed=seed, limit=limit)


def make_tasks(dataset: Dataset, *, views: int = 2, seed: int = 0, limit: int | None = None) -> TaskSet:
    """All tasks of several views of a data set, or `limit` of them.

    All sets of `views` images of a person that fit ``dataset.pairing``, shuffled by `seed` (so that the first n of
    them are a fair sample), each with its views in seeded order. Sets without a positive are dropped and counted.

    Args:
        dataset: whose query and gallery are used.
        views: images a task, at least 2.
        seed: of the order and of the thinning.
        limit: how many tasks at most.

    Raises:
        DatasetError: no task is left, or `limit` or `views` is out of range.
    """
    _check_limit(limit)
    if views < 2:
        raise DatasetError(f"Argument 'views' must be at least 2, not {views}.")
    found = _drawn(dataset, views, seed)
    if not len(found):
        raise DatasetError(_no_task(dataset, views, found.dropped))
    return found.subset(torch.arange(len(found))[:limit])


def single_tasks(dataset: Dataset, *, seed: int = 0, limit: int | None = None) -> TaskSet:
    """Each query image that has a right answer, in an order drawn by `seed`.

    Raises:
        DatasetError: no task is left, or `limit` is out of range.
    """
    _check_limit(limit)
    people = (dataset.split("query").identities > 0).nonzero()[:, 0]
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(people))
    found = _answerable(dataset, _task_set(dataset, people[torch.from_numpy(order)][:, None], "query"))
    if not len(found):
        raise DatasetError(
            f"Data set '{dataset.name}' has no task: no query image's person is in the gallery from another camera "
            f"({len(people)} query images of people)."
        )
    return found.subset(torch.arange(len(found))[:limit])


def _check_limit(limit: int | None) -> None:
    if limit is not None and limit < 1:
        raise DatasetError(f"Argument 'limit' must be at least 1 or None, not {limit}.")


def _no_task(dataset: Dataset, views: int, dropped: int) -> str:
    """Why there is no task of so many views, and what there is."""
    others: tuple[Pairing, ...] = ("cross_camera", "same_camera")
    counts = {other: len(_drawn(replace(dataset, pairing=other), views, 0)) for other in others if other != dataset.pairing}
    ways = [f"pairing={other} gives {count} tasks ('PATH?pairing={other}')" for other, count in counts.items() if count]
    way = " and ".join(ways) or "each query image is a task for schemes of one transmitter, choose such --schemes"
    if dataset.pairing == "none":
        return f"Data set '{dataset.name}' has no task of {views} views, as its pairing is 'none'; {way}."
    rule = _RULES[dataset.pairing].format(views=views)
    return (
        f"Data set '{dataset.name}' has no task: a task needs {rule} and a gallery image "
        f"of that person from another camera ({len(dataset.split('query'))} query images, {dropped} sets without a positive); "
        f"{way}."
    )


def _drawn(dataset: Dataset, views: int, seed: int) -> TaskSet:
    """All tasks of several views, shuffled; perhaps none."""
    query, gallery = dataset.split("query"), dataset.split("gallery")
    rng = np.random.Generator(np.random.PCG64(seed))
    sets, extended = np.empty((0, views), np.int64), np.empty((0, views), np.int64)
    if dataset.pairing != "none":
        sets = _sets(dataset, query, views)
    if dataset.pairing == "same_camera" and gallery is not query:
        extended = _extended(query, gallery, views, np.random.Generator(np.random.PCG64([seed, views])))
    found = np.concatenate([sets, extended])
    fixed = np.arange(len(found)) >= len(sets)  # the query's image comes first
    order = np.argsort(rng.random(len(found)), kind="stable")
    found, fixed = found[order], fixed[order]
    if views == 2:
        flip = (rng.random(len(found)) < 0.5) & ~fixed
        found[flip] = found[flip][:, ::-1]
    else:
        turns = np.argsort(rng.random(found.shape), axis=1, kind="stable")
        turns[fixed] = np.arange(views)
        found = np.take_along_axis(found, turns, axis=1)
    split = BOTH if len(extended) else "query"
    return _answerable(dataset, _task_set(dataset, torch.from_numpy(found), split))


def _task_set(dataset: Dataset, views: Tensor, split: str) -> TaskSet:
    images = dataset.split(split)
    return TaskSet(
        views=views,
        identities=images.identities[views[:, 0]],
        cameras=images.cameras[views],
        split=split,
        queries=len(dataset.split("query")),
    )


def _answerable(dataset: Dataset, tasks: TaskSet) -> TaskSet:
    """Those that have a right answer; the others are counted."""
    keep = Relevance.of(tasks.identities, tasks.cameras, dataset.split("gallery")).positives > 0
    return replace(tasks.subset(keep.nonzero()[:, 0]), dropped=len(tasks) - int(keep.sum()))


def _sets(dataset: Dataset, query: Split, views: int) -> Ints:
    """All unordered sets of query images that may form a task, int64 [set, view], in the order of the query."""
    identities, cameras = query.identities.numpy(), query.cameras.numpy()
    order = np.argsort(identities, kind="stable")
    bounds = np.flatnonzero(np.diff(identities[order])) + 1
    groups = [group for group in np.split(order, bounds) if len(group) >= views and identities[group[0]] > 0]
    number = sum(comb(len(group), views) for group in groups)
    if number > MOST_SETS:
        raise DatasetError(
            f"Data set '{dataset.name}' has {number} sets of {views} query images of a person, more than the {MOST_SETS} that "
            "tasks are drawn from; keep fewer images a person in the query."
        )
    found: list[Ints] = [np.empty((0, views), np.int64)]
    for group in groups:
        sets = group[np.array(list(combinations(range(len(group)), views)))].astype(np.int64)
        steps = np.diff(np.sort(cameras[sets], axis=1), axis=1)
        found.append(sets[(steps == 0).all(1) if dataset.pairing == "same_camera" else (steps > 0).all(1)])
    return np.concatenate(found)


def _extended(query: Split, gallery: Split, views: int, rng: np.random.Generator) -> Ints:
    """Query images with too few others of their person and camera, each with images of the gallery, int64 [set, view].

    Args:
        query: the first view of each set.
        gallery: the others, counted on after the query's images.
        views: images a set.
        rng: draws which of the gallery.
    """
    people = torch.cat([query.identities, gallery.identities])
    seen = torch.stack([people, torch.cat([query.cameras, gallery.cameras])], dim=1)
    kind = torch.unique(seen, dim=0, return_inverse=True)[1].numpy()
    asked, stored = kind[: len(query)], kind[len(query) :]
    alone = np.flatnonzero((np.bincount(asked)[asked] < views) & (query.identities.numpy() > 0))
    order = np.argsort(stored, kind="stable")
    starts = np.searchsorted(stored[order], asked[alone])
    counts = np.searchsorted(stored[order], asked[alone], side="right") - starts
    enough = counts >= views - 1
    found = np.empty((int(enough.sum()), views), np.int64)
    for row, (image, start, count) in enumerate(zip(alone[enough], starts[enough], counts[enough], strict=True)):
        others = order[start + rng.permutation(count)[: views - 1]]
        found[row] = [image, *(len(query) + others)]
    return found


def junk_mask(tasks: TaskSet, gallery: Split) -> Tensor:
    """Gallery images that do not count: the task's person from any camera of the task, and junk. bool [task, image]."""
    same = tasks.identities[:, None] == gallery.identities[None, :]
    seen = (tasks.cameras[:, :, None] == gallery.cameras[None, None, :]).any(1)
    return (same & seen) | (gallery.identities == JUNK)[None, :]


def positive_mask(tasks: TaskSet, gallery: Split) -> Tensor:
    """Gallery images that are right answers: the task's person, from no camera of the task. bool [task, image]."""
    same = tasks.identities[:, None] == gallery.identities[None, :]
    return same & ~junk_mask(tasks, gallery)
