"""Looking only at the images around a task: many noisy answers to one task lie about one place.

Let a be the mean of a task's answers, and f one of them. An image g with |a − g| > |a − f| + |f − h| for any image h cannot be
the nearest to f (triangle inequality). So the few images that are nearest to a are listed once, with their distances, and an
answer walks along that list until the next image is too far away. Nothing is approximated: an answer of which the list does
not tell, or whose nearest images are as far as rounding tells, is left open. Source of the idea: Fukunaga and Narendra, A
Branch and Bound Algorithm for Computing k-Nearest Neighbors, 1975.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from hil.compiled import kernel
from hil.goals.retrieval.nearness import Doubles, Floats, Ints, Nearness

__all__ = ["FEWEST_ANSWERS", "OPEN", "Neighbours", "means_of"]

OPEN = -2
"""In place of an image: the list does not tell."""
MOST = 64
"""Images listed around a task."""
FEWEST_ANSWERS = 4
"""To a task, from which a list pays."""
SLACK = 1e-9
"""Relative error of distances, well above that of float64."""
LOOKED_AT = 4
"""After so many images, an answer whose list ends nearer than the nearest of them is given up."""
OUTGROWN = 1.5
"""Answers that lie so many times further from their tasks' anchors than from their own means want a list of their own."""


class Neighbours:
    """The images around some tasks.

    Args:
        nearness: of the gallery.
        tasks: int64 [row], ascending; anchors: float32 [row, view, p].
        images: the first `places` images of each anchor's ranking, int64 [row, places], −1 where fewer count.
        size: how many tasks there are in all.
    """

    def __init__(self, nearness: Nearness, tasks: Tensor, anchors: Tensor, images: Ints, size: int) -> None:
        self._nearness = nearness
        self._row = np.full(size, -1, np.int64)
        self._row[tasks.numpy()] = np.arange(len(tasks))
        self._anchors = np.ascontiguousarray(anchors.transpose(0, 1).numpy())
        self._images = images
        row = np.repeat(np.arange(len(tasks)), self._images.shape[1])
        squared = nearness.distances(anchors.numpy(), row, np.maximum(self._images, 0).ravel())
        self._away: Doubles = np.sqrt(squared).reshape(self._images.shape)

    @staticmethod
    def places(nearness: Nearness) -> int:
        """Images to list around a task."""
        return min(MOST, nearness.images)

    def serve(self, features: Tensor, index: Tensor, spread: float) -> bool:
        """Whether they still lie where the answers do: all tasks are known, and about as far as their own means.

        Args:
            features: float32 [row, view, p]; index: int64 [row]; spread: root mean square distance from their own means.
        """
        row = self._row[index.numpy()]
        if row.min(initial=0) < 0:
            return False
        moved = features.numpy() - self._anchors[:, row].transpose(1, 0, 2)
        return float(np.sqrt(np.einsum("nvp,nvp->", moved, moved, dtype=np.float64) / max(len(row), 1))) <= OUTGROWN * spread

    def nearest(self, features: Floats, index: Ints) -> Ints:
        """The nearest image that counts, int64 [row]; −1 where none counts, OPEN where the lists do not tell."""
        found = np.full(len(features), OPEN, np.int64)
        if (code := kernel("hil.goals.retrieval.neighbours_numba")) is not None:
            code.nearest(
                np.ascontiguousarray(features), self._row[index], self._nearness.gallery, self._anchors, self._images,
                self._away, SLACK, LOOKED_AT, found,
            )  # fmt: skip
        return found


def means_of(features: Tensor, index: Tensor) -> tuple[Tensor, Tensor, float]:
    """The tasks that are answered, int64 [task], the means of their answers, and how far answers lie from these.

    Args:
        features: float32 [row, view, p]; index: int64 [row].

    Returns:
        tasks, ascending; means, float32 [task, view, p]; root mean square distance, corrected for the means' own.
    """
    tasks, place, counts = index.unique(return_inverse=True, return_counts=True)
    sums = features.new_zeros(len(tasks), *features.shape[1:]).index_add_(0, place, features)
    means = sums / counts[:, None, None]
    free = max(len(index) - len(tasks), 1)
    left = features - means[place]
    return tasks, means, float((left.square().sum(dtype=torch.float64) / free).sqrt())
