"""Ranking a gallery for answers of which single views were given up: those left rank it alone."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from hil.datasets.dataset import Split
from hil.goals.retrieval.ranking import Ranker, Scores
from hil.goals.retrieval.tasks import TaskSet

__all__ = ["PartialRanker"]


class PartialRanker:
    """A `Ranker` for each set of views that is there; a view that is not has NaN for features.

    Junk stays that of the whole task, so that all answers to it are compared with the same images.

    Args:
        gallery: float32 [view, image, p].
        tasks: whose identities and cameras decide what is right and what is junk.
        split: the gallery's labels.
        views: how many views count.
    """

    def __init__(self, gallery: Tensor, tasks: TaskSet, split: Split, *, views: int) -> None:
        self._gallery, self._tasks, self._split = gallery[:views], tasks, split
        self._rankers: dict[tuple[bool, ...], Ranker] = {}

    def scores(self, features: Tensor, index: Tensor) -> Scores:
        """As `Ranker.scores`; features float32 [row, view, p], NaN in all of a view that was given up.

        Raises:
            ShapeError: shapes do not fit, or a row has no view whose features are finite.
        """
        found = {
            "top1": torch.zeros(len(features), dtype=torch.bool),
            "ap": torch.zeros(len(features), dtype=torch.float64),
            "ap_trapezoid": torch.zeros(len(features), dtype=torch.float64),
            "first": torch.zeros(len(features), dtype=torch.int64),
        }
        for rows, ranker, own in self._parts(features):
            said = ranker.scores(own, index[rows])
            for name, values in found.items():
                values[rows] = getattr(said, name)
        return Scores(**found)

    def top1(self, features: Tensor, index: Tensor) -> Tensor:
        """As `Ranker.top1`; see `scores`."""
        found = torch.zeros(len(features), dtype=torch.bool)
        for rows, ranker, own in self._parts(features):
            found[rows] = ranker.top1(own, index[rows])
        return found

    def _parts(self, features: Tensor) -> Iterator[tuple[Tensor, Ranker, Tensor]]:
        """Rows with the same views, who ranks them, and their features of these views."""
        views = len(self._gallery)
        given = ~features[:, :views].isnan().all(-1)
        given[~given.any(1)] = True  # nothing is left: the ranker refuses what is not finite
        for pattern in given.unique(dim=0):
            rows = (given == pattern).all(1).nonzero()[:, 0]
            key = tuple(pattern.tolist())
            if key not in self._rankers:
                self._rankers[key] = Ranker(self._gallery[pattern], self._tasks, self._split, views=sum(key))
            yield rows, self._rankers[key], features[rows, :views][:, pattern]
