"""The nearest of a few neighbours, in compiled code (numba). See `hil.goals.retrieval.neighbours`."""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["nearest"]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})
def _squared(a, b):
    """|a − b|² of float32 [p], in float64; the order of the sum is the compiler's."""
    total = 0.0
    for place in range(len(a)):
        difference = np.float64(a[place]) - np.float64(b[place])
        total += difference * difference
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def _apart(feature, stored, which):
    """|f − g| of float32 [view, p] and image `which` of float32 [view, image, p]."""
    total = 0.0
    for view in range(len(feature)):
        total += _squared(feature[view], stored[view, which])
    return np.sqrt(total)


@njit(cache=True, nogil=True, error_model="numpy")
def nearest(features, row, gallery, anchors, neighbours, away, slack, looked, found):
    """The nearest image of each feature, or OPEN where the neighbours do not tell.

    Args:
        features: float32 [n, view, p]; row: int64 [n], of the tables below; −1 where there is none.
        gallery: float32 [view, image, p]; anchors: float32 [view, row, p].
        neighbours: int64 [row, k], the images nearest to each, −1 after the last that counts.
        away: float64 [row, k], how far they are.
        slack: relative error of distances, float64.
        looked: after so many images, an answer whose list ends nearer than the nearest of them is given up.
        found: int64 [n], where the nearest images go.
    """
    most = neighbours.shape[1]
    for n in range(len(features)):
        found[n] = -2
        own = row[n]
        if own < 0:
            continue
        whole = neighbours[own, most - 1] < 0
        moved = _apart(features[n], anchors, own)
        least, best, tied, told = np.inf, -1, False, False
        for k in range(most):
            image = neighbours[own, k]
            if image < 0:
                told = True
                break
            bound = away[own, k] * (1 - slack) - moved * (1 + slack)
            if bound > least * (1 + slack):
                told = True
                break
            if k == looked and not whole and away[own, most - 1] - moved < least:
                break
            distance = _apart(features[n], gallery, image)
            if distance < least * (1 - slack):
                least, best, tied = distance, image, False
            elif distance <= least * (1 + slack):
                tied = True
        if not told and not whole:
            told = away[own, most - 1] * (1 - slack) - moved * (1 + slack) > least * (1 + slack)
        if told and not tied:
            found[n] = best
