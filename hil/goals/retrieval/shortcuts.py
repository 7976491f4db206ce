"""The nearest image of many rows without comparing each with the whole gallery, and never another one.

First by the images around a task, where there are several answers to each; what these leave open by ruling out most of the
gallery along a few axes; and where that does not pay either, by comparing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from hil.goals.retrieval.axes import Axes
from hil.goals.retrieval.nearness import Ints, Nearness
from hil.goals.retrieval.neighbours import FEWEST_ANSWERS, OPEN, Neighbours, means_of
from hil.goals.retrieval.relevance import Relevance

__all__ = ["Shortcuts"]

PASSED_BYTES = 16 << 20
"""Of nearness values that are passed over together."""
FEWEST_TOLD, NARROWER = 0.4, 0.6
"""A new list of images around tasks that tells of no more answers waits until these lie so many times closer together."""
MOST_LEFT = 64
"""One in so many images: a row of which more are left is compared with all of them."""


class Shortcuts:
    """Finds the nearest image of rows.

    Args:
        nearness: of the gallery.
        relevance: which of its images count for a task.
        compare: the first so many images of rows' rankings, int64 [row, places], by comparing them with the whole gallery.
    """

    def __init__(self, nearness: Nearness, relevance: Relevance, compare: Callable[[Tensor, Tensor, int], Ints]) -> None:
        self._nearness, self._relevance, self._compare = nearness, relevance, compare
        self._neighbours: Neighbours | None = None
        self._widest = float("inf")

    def nearest(self, features: Tensor, index: Tensor) -> Ints:
        """The nearest image of each row, int64 [row]; −1 where none counts.

        Args:
            features: float32 [row, view, p], of the views that count.
            index: int64 [row], the task that each row answers.
        """
        found = self._by_neighbours(features, index)
        if found is None:
            return self._by_axes(features, index)
        if len(left := np.flatnonzero(found == OPEN)):
            rest = torch.from_numpy(left)
            found[left] = self._by_axes(features[rest], index[rest])
        return found

    def _by_neighbours(self, features: Tensor, index: Tensor) -> Ints | None:
        """The nearest image of each row or OPEN, int64 [row]; None where looking around tasks does not pay."""
        if len(index) < FEWEST_ANSWERS * len(self._relevance):
            return None
        tasks, means, spread = means_of(features, index)
        if not spread <= self._widest:
            return None
        around = self._neighbours
        if around is not None and around.serve(features, index, spread):
            return around.nearest(features.numpy(), index.numpy())
        images = self._compare(means, tasks, Neighbours.places(self._nearness))
        self._neighbours = around = Neighbours(self._nearness, tasks, means, images, len(self._relevance))
        found = around.nearest(features.numpy(), index.numpy())
        self._widest = NARROWER * spread if (found != OPEN).mean() < FEWEST_TOLD else float("inf")
        return found

    @cached_property
    def _axes(self) -> Axes | None:
        """What rules images out, where that pays."""
        return Axes.of(self._nearness)

    def _by_axes(self, features: Tensor, index: Tensor) -> Ints:
        """The nearest image of each row, int64 [row], where most images are ruled out; −1 where none counts."""
        axes = self._axes
        if axes is None or not axes.fits(features.numpy()):
            return self._compare(features, index, 1)[:, 0]
        images = self._nearness.images
        step = max(1, min(PASSED_BYTES // (4 * images), len(features)))
        memory = np.empty((step, images), np.float32)
        found = np.full(len(features), -1, np.int64)
        crowded = np.zeros(len(features), bool)
        for start in range(0, len(features), step):
            rows = slice(start, min(start + step, len(features)))
            own = features[rows].numpy()
            junk, left_out = self._relevance.entries(index[rows], right=False)
            row, image = axes.left(own, memory[: len(own)], (junk.numpy(), left_out.numpy()))
            counts = np.bincount(row, minlength=len(own))
            crowded[rows] = counts > images // MOST_LEFT
            found[rows][row] = image  # of rows with one left, that is it
            several = (counts > 1) & ~crowded[rows]
            row, image = row[several[row]], image[several[row]]
            order = np.lexsort((image, self._nearness.distances(own, row, image), row))
            row, image = row[order], image[order]
            found[rows][row[::-1]] = image[::-1]
        if len(rest := np.flatnonzero(crowded)):
            of = torch.from_numpy(rest)
            found[rest] = self._compare(features[of], index[of], 1)[:, 0]
        return found
