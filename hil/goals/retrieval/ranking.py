"""Gallery and ranking: top-1, CMC and mAP of retrieved identities.

Distance is the sum over views of the squared Euclidean distance between a task's feature and a gallery image's feature of
the same branch, un-normalised. Junk (`hil.goals.retrieval.tasks.junk_mask`) takes no part in a ranking. Ties go to the lower
gallery index.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hil.datasets.dataset import JUNK, Split
from hil.errors import ShapeError
from hil.goals.retrieval.tasks import TaskSet, junk_mask, positive_mask

__all__ = ["Scores", "chance", "rank", "top1_only"]

CHUNK = 256  # tasks ranked at once: always as many (padded), so that no bit hangs on how many there are


@dataclass(frozen=True, kw_only=True)
class Scores:
    """How well each task was answered.

    Attributes:
        top1: bool [task], the nearest counted gallery image is of the task's person.
        ap: float64 [task], average precision: mean over the person's images of the precision at each one's place.
        first: int64 [task], place of the first right answer, from 1.
    """

    top1: Tensor
    ap: Tensor
    first: Tensor

    @property
    def mean_ap(self) -> float:
        """Mean average precision (mAP), 0…1."""
        return float(self.ap.mean())

    def cmc(self, places: int) -> Tensor:
        """Share of tasks with a right answer among the first k, for k = 1…places; float64 [places]."""
        steps = torch.arange(1, places + 1)
        return (self.first[:, None] <= steps[None, :]).to(torch.float64).mean(0)


def rank(features: Tensor, gallery: Tensor, tasks: TaskSet, split: Split, *, views: int) -> Scores:
    """Rank the gallery for every task.

    Args:
        features: float32 [task, view, p], one row a task; views beyond `views` are not used.
        gallery: float32 [view, image, p], one feature an image and branch.
        tasks: whose identities and cameras decide what is right and what is junk.
        split: the gallery's labels.
        views: how many views count.

    Raises:
        ShapeError: shapes do not fit, or a feature is not finite.

    Source: Zheng et al., Scalable Person Re-identification, ICCV 2015 (junk, mAP); Lo et al., Sec. V (sum over views).
    """
    _check(features, gallery, split, views)
    if len(features) != len(tasks):
        raise ShapeError(f"Argument 'features' must have one row a task ({len(tasks)}), not {len(features)}.")
    norms = _gallery_norms(gallery, views)
    parts: list[tuple[Tensor, Tensor, Tensor]] = []
    for start in range(0, len(tasks), CHUNK):
        some = tasks.subset(torch.arange(start, min(start + CHUNK, len(tasks))))
        nearness = _distances(features[start : start + CHUNK], gallery, norms, views)[: len(some)]
        parts.append(_score(nearness, junk_mask(some, split), positive_mask(some, split)))
    if not parts:
        return Scores(
            top1=torch.zeros(0, dtype=torch.bool), ap=torch.zeros(0, dtype=torch.float64), first=torch.zeros(0).long()
        )
    first = torch.cat([part[1] for part in parts])
    return Scores(top1=torch.cat([part[0] for part in parts]), ap=torch.cat([part[2] for part in parts]), first=first)


def top1_only(features: Tensor, gallery: Tensor, tasks: TaskSet, split: Split, *, task_index: Tensor, views: int) -> Tensor:
    """Whether the nearest counted image is the right person, for many noisy answers to the same tasks.

    Faster than `rank`, and with the same top-1: no sorting, and junk is struck out image by image.

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
    _check(features, gallery, split, views)
    if task_index.shape != (len(features),) or task_index.dtype != torch.int64:
        raise ShapeError(
            f"Argument 'task_index' must be int64 [{len(features)}], not {task_index.dtype} {list(task_index.shape)}."
        )
    if len(task_index) and not 0 <= int(task_index.min()) <= int(task_index.max()) < len(tasks):
        raise ShapeError(f"Argument 'task_index' must lie in 0…{len(tasks) - 1}.")
    norms = _gallery_norms(gallery, views)
    always = (split.identities == JUNK).nonzero()[:, 0]
    norms[always] = torch.inf
    rows, columns = _own_junk(tasks, split)
    starts = torch.searchsorted(rows, torch.arange(len(tasks) + 1))
    hits = torch.empty(len(features), dtype=torch.bool)
    for start in range(0, len(features), CHUNK):
        asked = task_index[start : start + CHUNK]
        distances = _distances(features[start : start + CHUNK], gallery, norms, views)
        counts = starts[asked + 1] - starts[asked]
        row = torch.repeat_interleave(torch.arange(len(asked)), counts)
        offset = torch.arange(len(row)) - torch.repeat_interleave(counts.cumsum(0) - counts, counts)
        distances[row, columns[starts[asked][row] + offset]] = torch.inf
        nearest = distances.argmin(1)[: len(asked)]
        hits[start : start + CHUNK] = split.identities[nearest] == tasks.identities[asked]
    return hits


def _check(features: Tensor, gallery: Tensor, split: Split, views: int) -> None:
    if features.ndim != 3 or gallery.ndim != 3 or features.shape[2] != gallery.shape[2]:
        raise ShapeError(
            f"Arguments 'features' [task, view, p] and 'gallery' [view, image, p] must share p, not "
            f"{list(features.shape)} and {list(gallery.shape)}."
        )
    if not 1 <= views <= min(features.shape[1], gallery.shape[0]):
        raise ShapeError(f"Argument 'views' must lie in 1…{min(features.shape[1], gallery.shape[0])}, not {views}.")
    if gallery.shape[1] != len(split):
        raise ShapeError(f"Argument 'gallery' must have one feature an image ({len(split)}), not {gallery.shape[1]}.")
    for name, values in (("features", features), ("gallery", gallery)):
        if values.dtype != torch.float32:
            raise ShapeError(f"Argument '{name}' must be float32, not {values.dtype}.")
        if not bool(torch.isfinite(values).all()):
            raise ShapeError(
                f"Argument '{name}' must be finite; set the features of lost tasks to zero and count them as misses."
            )


def _gallery_norms(gallery: Tensor, views: int) -> Tensor:
    """Sum over views of |g|², float32 [image]."""
    return gallery[:views].square().sum(2).sum(0)


def _distances(features: Tensor, gallery: Tensor, norms: Tensor, views: int) -> Tensor:
    """Distances less |f|² (the same for every image): float32 [CHUNK, image]; missing rows are computed for zero features."""
    rows = torch.zeros(CHUNK, views, features.shape[2])
    rows[: len(features)] = features[:, :views]
    distances = norms[None, :].expand(CHUNK, -1)
    for view in range(views):
        distances = torch.addmm(distances, rows[:, view], gallery[view].T, alpha=-2.0)
    return distances


def _score(distances: Tensor, junk: Tensor, positive: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Top-1, place of the first right answer, and average precision of each row.

    Only the places of the right answers matter: each is one more than the number of nearer images (on a tie, of images
    with a lower index), so nothing is sorted but those few places.
    """
    distances = distances.masked_fill(junk, torch.inf)
    most = max(1, int(positive.sum(1).max()))
    right, columns = positive.to(torch.uint8).topk(most, dim=1)
    index = torch.arange(distances.shape[1])
    never = distances.shape[1] + 1
    places = torch.full_like(columns, never)
    for k in range(most):
        column = columns[:, k, None]
        own = distances.gather(1, column)
        nearer = (distances < own) | ((distances == own) & (index < column))
        places[:, k] = torch.where(right[:, k].bool(), nearer.sum(1) + 1, never)
    places = places.sort(dim=1).values
    found = places < never
    precision = torch.arange(1, most + 1, dtype=torch.float64) / places * found
    ap = precision.sum(1) / found.sum(1).clamp_min(1)
    return places[:, 0] == 1, places[:, 0], ap


def _own_junk(tasks: TaskSet, split: Split, chunk: int = 512) -> tuple[Tensor, Tensor]:
    """Junk images that show a task's own person, as rows (tasks, ascending) and columns (images); int64 [entry] each."""
    rows, columns = [], []
    for start in range(0, len(tasks), chunk):
        some = tasks.subset(torch.arange(start, min(start + chunk, len(tasks))))
        found = (junk_mask(some, split) & (split.identities != JUNK)[None, :]).nonzero()
        rows.append(found[:, 0] + start)
        columns.append(found[:, 1])
    return torch.cat(rows), torch.cat(columns)


def chance(tasks: TaskSet, split: Split, chunk: int = 512) -> float:
    """Top-1 that a random ranking would have: the mean over tasks of right answers per counted image."""
    total = 0.0
    for start in range(0, len(tasks), chunk):
        some = tasks.subset(torch.arange(start, min(start + chunk, len(tasks))))
        counted = (~junk_mask(some, split)).sum(1).clamp_min(1)
        total += float((positive_mask(some, split).sum(1).double() / counted).sum())
    return total / max(len(tasks), 1)
