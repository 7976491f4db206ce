"""Ranking a gallery: top-1, CMC and mAP of retrieved identities.

Distance is the sum over views of the squared Euclidean distance between a task's feature and a gallery image's feature of
the same branch, un-normalised. Junk (`hil.goals.retrieval.relevance`) takes no part in a ranking. Ties go to the lower gallery
index. The order is that of exact distances (`hil.goals.retrieval.nearness`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from hil.datasets.dataset import Split
from hil.errors import ShapeError
from hil.goals.retrieval.nearness import Doubles, Floats, Ints, Nearness
from hil.goals.retrieval.relevance import Relevance
from hil.goals.retrieval.shortcuts import Shortcuts
from hil.goals.retrieval.tasks import TaskSet

__all__ = ["Ranker", "Scores", "chance", "rank", "top1_only"]

CHUNK_BYTES = 128 << 20
"""Of nearness values that are looked at together."""
RULED_OUT_FROM = 1 << 31
"""Products in a comparison of all rows with all images, from which it pays to rule images out first."""
GROUP, GROUPS = 64, 4
"""Images of which one is looked at, to find how near the first ones are: at most so many, in so many groups a place."""


@dataclass(frozen=True, kw_only=True)
class Scores:
    """How well each task was answered.

    Attributes:
        top1: bool [task], the nearest counted gallery image is of the task's person.
        ap: float64 [task], average precision: mean over the person's images of the precision at each one's place.
        ap_trapezoid: the same as Market-1501's own code computes it: at each place the mean of the precision there and one
            place before (1 before the first).
        first: int64 [task], place of the first right answer, from 1.
    """

    top1: Tensor
    ap: Tensor
    ap_trapezoid: Tensor
    first: Tensor

    @property
    def mean_ap(self) -> float:
        """Mean average precision (mAP), 0…1."""
        return float(self.ap.mean())

    def cmc(self, places: int) -> Tensor:
        """Share of tasks with a right answer among the first k, for k = 1…places; float64 [places]."""
        steps = torch.arange(1, places + 1)
        return (self.first[:, None] <= steps[None, :]).to(torch.float64).mean(0)


@dataclass(frozen=True, kw_only=True)
class _Chunk:
    """Some rows.

    Attributes:
        rows: which.
        features: float32 [row, view, p].
        near: float32 [row, image], nearness; −∞ of junk.
        band: float64 [row], images that differ by no more are not told apart.
    """

    rows: slice
    features: Floats
    near: Floats
    band: Doubles


class Ranker:
    """A gallery that is ranked for many answers to the same tasks.

    Args:
        gallery: float32 [view, image, p], one feature an image and branch; kept.
        tasks: whose identities and cameras decide what is right and what is junk.
        split: the gallery's labels.
        views: how many views count.

    Raises:
        ShapeError: shapes do not fit, or a feature is not finite.
    """

    def __init__(self, gallery: Tensor, tasks: TaskSet, split: Split, *, views: int) -> None:
        if gallery.ndim != 3:
            raise ShapeError(f"Argument 'gallery' must be [view, image, p], not {list(gallery.shape)}.")
        if gallery.shape[1] != len(split):
            raise ShapeError(f"Argument 'gallery' must have one feature an image ({len(split)}), not {gallery.shape[1]}.")
        if not 1 <= views <= len(gallery):
            raise ShapeError(f"Argument 'views' must lie in 1…{len(gallery)}, not {views}.")
        _check_values("gallery", gallery)
        self._views, self._length = views, gallery.shape[2]
        self._relevance = Relevance.of(tasks.identities, tasks.cameras, split)
        self._nearness = Nearness(gallery[:views], self._relevance.junk)
        self._shortcuts = Shortcuts(self._nearness, self._relevance, self._compared)
        self._identities, self._asked = split.identities.numpy(), tasks.identities.numpy()

    def scores(self, features: Tensor, index: Tensor) -> Scores:
        """Rank the gallery for every row.

        Args:
            features: float32 [row, view, p]; views beyond those that count are not used.
            index: int64 [row], the task that each row answers.

        Raises:
            ShapeError: shapes do not fit, or a feature is not finite.

        Source: Zheng et al., Scalable Person Re-identification, ICCV 2015 (junk, mAP); Lo et al., Sec. V (sum over views).
        """
        never = len(self._identities) + 1
        first = np.full(len(features), never, np.int64)
        ap, trapezoid = np.zeros(len(features)), np.zeros(len(features))
        for chunk in self._chunks(features, index):
            row, image = (entry.numpy() for entry in self._relevance.entries(index[chunk.rows], right=True))
            bounds = np.searchsorted(row, np.arange(len(chunk.near) + 1)).tolist()
            places = np.empty(len(row), np.int64)
            for number, (start, end) in enumerate(pairwise(bounds)):
                places[start:end] = np.sort(self._places(chunk, number, image[start:end]))
            answered = np.unique(row)
            first[chunk.rows][answered] = places[np.searchsorted(row, answered)]
            ap[chunk.rows], trapezoid[chunk.rows] = _precision(row, places, len(chunk.near))
        return Scores(
            top1=torch.from_numpy(first == 1),
            ap=torch.from_numpy(ap),
            ap_trapezoid=torch.from_numpy(trapezoid),
            first=torch.from_numpy(first),
        )

    def nearest(self, features: Tensor, index: Tensor, places: int) -> Tensor:
        """The first so many images of each row's ranking, int64 [row, places]; −1 where fewer images count.

        Args:
            features: float32 [row, view, p].
            index: int64 [row], the task that each row answers.
            places: at least 1.
        """
        if places == 1 and len(features) * self._nearness.images * self._nearness.width >= RULED_OUT_FROM:
            self._check(features, index)
            return torch.from_numpy(self._shortcuts.nearest(features[:, : self._views], index))[:, None]
        return torch.from_numpy(self._compared(features, index, places))

    def top1(self, features: Tensor, index: Tensor) -> Tensor:
        """Whether the nearest image that counts is of the right person, bool [row]; as `scores` says, and faster.

        Args:
            features: float32 [row, view, p].
            index: int64 [row], the task that each row answers.
        """
        nearest = self.nearest(features, index, 1)[:, 0].numpy()
        right = self._identities[nearest] == self._asked[index.numpy()]
        return torch.from_numpy(right & (nearest >= 0))

    def _check(self, features: Tensor, index: Tensor) -> None:
        """Raise a `ShapeError` where they are no answers to the tasks."""
        if features.ndim != 3 or features.shape[2] != self._length:
            raise ShapeError(
                f"Arguments 'features' [task, view, p] and 'gallery' [view, image, p] must share p, not "
                f"{list(features.shape)} and {self._length}."
            )
        if features.shape[1] < self._views:
            raise ShapeError(f"Argument 'views' must lie in 1…{features.shape[1]}, not {self._views}.")
        if index.shape != (len(features),) or index.dtype != torch.int64:
            raise ShapeError(f"Argument 'index' must be int64 [{len(features)}], not {index.dtype} {list(index.shape)}.")
        if len(index) and not 0 <= int(index.min()) <= int(index.max()) < len(self._relevance):
            raise ShapeError(f"Argument 'index' must lie in 0…{len(self._relevance) - 1}.")
        _check_values("features", features)

    def _chunks(self, features: Tensor, index: Tensor) -> Iterator[_Chunk]:
        """The rows, as many at once as memory should hold."""
        self._check(features, index)
        most = max(1, CHUNK_BYTES // (4 * max(1, len(self._identities))))
        step = max(1, -(-len(features) // max(1, -(-len(features) // most))))
        memory = np.empty((min(step, len(features)), len(self._identities)), np.float32)
        for start in range(0, len(features), step):
            rows = slice(start, min(start + step, len(features)))
            own = features[rows, : self._views].numpy()
            near = memory[: len(own)]
            band = self._nearness.of(own, near)
            row, image = (entry.numpy() for entry in self._relevance.entries(index[rows], right=False))
            near[row, image] = -np.inf
            for place in np.flatnonzero(np.isinf(band)).tolist():
                near[place], band[place] = self._ordered(own, place, image[row == place]), 0
            yield _Chunk(rows=rows, features=own, near=near, band=band)

    def _compared(self, features: Tensor, index: Tensor, places: int) -> Ints:
        """The first images of each row, int64 [row, places], by comparing it with all of them."""
        found = np.full((len(features), places), -1, np.int64)
        for chunk in self._chunks(features, index):
            found[chunk.rows] = self._first(chunk) if places == 1 else self._foremost(chunk, places)
        return found

    def _ordered(self, features: Floats, row: int, junk: Ints) -> Floats:
        """0, −1, −2, … for the images of a row in their exact order, in the stead of a nearness that float32 cannot hold."""
        counted = ~self._relevance.junk.numpy()
        counted[junk] = False
        images = np.flatnonzero(counted)
        found = np.full(len(counted), -np.inf, np.float32)
        order = np.argsort(self._nearness.distances(features, np.full(len(images), row), images), kind="stable")
        found[images[order]] = -np.arange(len(images))
        return found

    def _places(self, chunk: _Chunk, row: int, images: Ints) -> Ints:
        """Places of some images in a row's ranking, from 1: one more than there are images before each."""
        near, band = chunk.near[row], chunk.band[row]
        own = near[images]
        low, high = (own - band).astype(np.float32), (own + band).astype(np.float32)
        ahead = np.array([np.count_nonzero(near > bound) for bound in high], np.int64)
        beside = np.array([np.count_nonzero(near >= bound) for bound in low], np.int64) - ahead
        doubtful = np.flatnonzero(beside > 1)
        if not len(doubtful):
            return ahead + 1
        close = [np.flatnonzero((near >= low[place]) & (near <= high[place])) for place in doubtful]
        known = np.unique(np.concatenate(close))
        distances = self._nearness.distances(chunk.features, np.full(len(known), row), known)
        for place, others in zip(doubtful.tolist(), close, strict=True):
            image = images[place]
            theirs, mine = distances[np.searchsorted(known, others)], distances[np.searchsorted(known, image)]
            ahead[place] += np.count_nonzero((theirs < mine) | ((theirs == mine) & (others < image)))
        return ahead + 1

    def _first(self, chunk: _Chunk) -> Ints:
        """The nearest image of each row, int64 [row, 1]; −1 where none counts."""
        near, everyone = chunk.near, np.arange(len(chunk.near))
        best = near.argmax(1)
        top = near[everyone, best]
        near[everyone, best] = -np.inf
        second = near.max(1)
        near[everyone, best] = top
        found = np.where(np.isneginf(top), -1, best)
        for row in np.flatnonzero((second >= top - chunk.band) & ~np.isneginf(second)).tolist():
            images = np.flatnonzero(near[row] >= np.float32(top[row] - chunk.band[row]))
            found[row] = images[self._nearness.distances(chunk.features, np.full(len(images), row), images).argmin()]
        return found[:, None]

    def _foremost(self, chunk: _Chunk, places: int) -> Ints:
        """The nearest images of each row in order, int64 [row, places]; −1 where there are no more."""
        near, count = chunk.near, chunk.near.shape[1]
        enough = (_reached(near, places) - chunk.band).astype(np.float32)
        row, image = np.divmod(np.flatnonzero(near >= enough[:, None]), count)
        value = near[row, image]
        counted = ~np.isneginf(value)
        row, image, value = row[counted], image[counted], value[counted].astype(np.float64)
        order = np.lexsort((image, -value, row))
        row, image, value = row[order], image[order], value[order]
        apart = np.ones(len(row), bool)
        apart[1:] = (row[1:] != row[:-1]) | (value[:-1] - value[1:] > chunk.band[row[1:]])
        group = apart.cumsum()
        doubtful = np.bincount(group)[group] > 1
        distance = np.zeros(len(row))
        distance[doubtful] = self._nearness.distances(chunk.features, row[doubtful], image[doubtful])
        order = np.lexsort((image, distance, group))
        place = np.arange(len(row)) - np.searchsorted(row, row)
        found = np.full((len(near), places), -1, np.int64)
        kept = place < places
        found[row[kept], place[kept]] = image[order][kept]
        return found


def _reached(near: Floats, places: int) -> Floats:
    """For each row a nearness that at least so many images reach, float32 [row]: of the maxima of many groups."""
    size = min(GROUP, near.shape[1] // (GROUPS * places))
    if size < 1:
        return np.full(len(near), -np.inf, np.float32)
    groups = near.shape[1] // size
    maxima = near[:, : groups * size].reshape(len(near), size, groups).max(1)
    reached: Floats = np.partition(maxima, groups - places, axis=1)[:, groups - places]
    return reached


def _precision(row: Ints, places: Ints, rows: int) -> tuple[Doubles, Doubles]:
    """Average precision of each row, float64 [row], and as Market-1501's code computes it; 0 without a right answer.

    Args:
        row: int64 [entry], ascending.
        places: int64 [entry], of right answers, ascending in each row.
        rows: how many.
    """
    found = np.arange(len(row)) - np.searchsorted(row, row) + 1.0
    here = found / places
    before = np.where(places == 1, 1.0, (found - 1) / np.maximum(places - 1, 1))
    counts = np.maximum(np.bincount(row, minlength=rows), 1)
    plain, trapezoid = (np.bincount(row, value, minlength=rows) / counts for value in (here, (here + before) / 2))
    return plain, trapezoid


def rank(features: Tensor, gallery: Tensor, tasks: TaskSet, split: Split, *, views: int) -> Scores:
    """Rank a gallery for every task once; see `Ranker`.

    Args:
        features: float32 [task, view, p], one row a task; views beyond `views` are not used.
        gallery: float32 [view, image, p], one feature an image and branch.
        tasks: whose identities and cameras decide what is right and what is junk.
        split: the gallery's labels.
        views: how many views count.

    Raises:
        ShapeError: shapes do not fit, or a feature is not finite.
    """
    if len(features) != len(tasks):
        raise ShapeError(f"Argument 'features' must have one row a task ({len(tasks)}), not {len(features)}.")
    return Ranker(gallery, tasks, split, views=views).scores(features, torch.arange(len(tasks)))


def top1_only(features: Tensor, gallery: Tensor, tasks: TaskSet, split: Split, *, task_index: Tensor, views: int) -> Tensor:
    """Whether the nearest counted image is the right person, for many noisy answers to the same tasks; see `Ranker`.

    Args:
        features: float32 [n, view, p].
        gallery: float32 [view, image, p].
        tasks: whose identities and cameras decide what is right and what is junk.
        split: the gallery's labels.
        task_index: int64 [n], the task that each row of `features` answers.
        views: how many views count.

    Returns:
        bool [n].

    Raises:
        ShapeError: shapes do not fit, or a feature is not finite.
    """
    return Ranker(gallery, tasks, split, views=views).top1(features, task_index)


def chance(tasks: TaskSet, split: Split) -> float:
    """Top-1 that a random ranking would have: the mean over tasks of right answers per counted image."""
    relevance = Relevance.of(tasks.identities, tasks.cameras, split)
    return float((relevance.positives.double() / relevance.counted.clamp_min(1)).sum()) / max(len(tasks), 1)


def _check_values(name: str, values: Tensor) -> None:
    if values.dtype != torch.float32:
        raise ShapeError(f"Argument '{name}' must be float32, not {values.dtype}.")
    if not bool(torch.isfinite(values).all()):
        raise ShapeError(f"Argument '{name}' must be finite; set the features of lost tasks to zero and count them as misses.")
