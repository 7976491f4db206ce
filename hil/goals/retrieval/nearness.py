"""How near the images of a gallery are to features: fast where that tells them apart, exact where it does not.

|f − g|² orders a gallery as −(f·g − |g|²/2) does, a matrix product. In float32 it loses what is left of large numbers that
nearly cancel, and its last bits hang on the processor. So features are taken less the gallery's mean, the product's error is
bounded, and images that lie closer together than the bound are compared by distances in float64. The order is therefore that
of exact distances of the features as given, on every machine and however many rows there are.

Source of the bound: Higham and Mary, A New Approach to Probabilistic Rounding Error Analysis, 2019: √n·u holds where n·u is the
worst case.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["SMALLEST", "UNIT", "Doubles", "Floats", "Ints", "Nearness", "squares"]

UNIT = 2.0**-24
"""Rounding unit of float32."""
LARGEST, SMALLEST = 1e37, 2.0**-126
"""Of float32 numbers: above it sums may overflow, below it they lose bits."""
BLOCK_BYTES = 32 << 20
"""Of gallery features that the mean is taken from at once."""
PAIRS_BYTES = 32 << 20
"""Of float64 features that exact distances are computed of at once."""

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]


class Nearness:
    """Nearness of gallery images, f·g − |g|²/2 summed over views; what is nearer has more.

    Args:
        gallery: finite float32 [view, image, p]; kept, not copied.
        left_out: bool [image], images that are infinitely far.

    Attributes:
        gallery: float32 [view, image, p], as given.
        images: how many; width: length of a feature of all views together.
        halves: float32 [image, 2], −|g|²/2 as the sum of two; largest: the largest |g|. Both less the gallery's mean.
    """

    def __init__(self, gallery: Tensor, left_out: Tensor) -> None:
        self.gallery = gallery.numpy()
        views, self.images, self._length = self.gallery.shape
        self.width = views * self._length
        self._columns = min(self.images, max(1, BLOCK_BYTES // (4 * (self.width + 2))))
        self._centre = self.gallery.mean(1, dtype=np.float64).astype(np.float32)
        self.halves, self.largest = self._norms(left_out.numpy())

    def _norms(self, left_out: NDArray[np.bool_]) -> tuple[Floats, float]:
        """−|g|²/2 as the sum of two float32 [image, 2], and the largest |g|."""
        halves = np.empty(self.images)
        for start, centred in self.blocks():
            halves[start : start + len(centred)] = squares(centred) / -2
        with np.errstate(over="ignore", invalid="ignore"):
            high = np.where(left_out, -np.inf, halves).astype(np.float32)
            low = np.where(left_out, 0, halves - high).astype(np.float32)
        return np.stack([high, low], axis=1), float(np.sqrt(-2 * halves.min(initial=0.0)))

    def blocks(self, room: int = 0) -> Iterator[tuple[int, Floats]]:
        """The gallery less its mean, some images at a time in one place, with the first one's index.

        Args:
            room: columns to leave free after the features.

        Yields:
            first image, and float32 [n, width + room].
        """
        block = np.empty((self._columns, self.width + room), np.float32)
        for start in range(0, self.images, max(1, self._columns)):
            yield start, self._centred(self.gallery[:, start : start + self._columns], block)

    def some(self, most: int) -> Floats:
        """Images evenly over the gallery less its mean, float32 [n, width], no more than `most`."""
        chosen = self.gallery[:, :: max(1, -(-self.images // most))]
        return self._centred(chosen, np.empty((chosen.shape[1], self.width), np.float32))

    def side_by_side(self, features: Floats) -> Floats:
        """Features float32 [row, view, p] less the gallery's mean, their views side by side, float32 [row, width]."""
        return self._centred(features.transpose(1, 0, 2), np.empty((len(features), self.width), np.float32))

    def _centred(self, features: Floats, block: Floats) -> Floats:
        """Features [view, n, p] less the mean, their views side by side, in the first rows of a block; returns these.

        Columns beyond their width are left as they are.
        """
        rows = block[: features.shape[1]]
        for view, own in enumerate(features):
            np.subtract(own, self._centre[view], out=rows[:, view * self._length : (view + 1) * self._length])
        return rows

    def of(self, features: Floats, near: Floats) -> Doubles:
        """Nearness of every image to every row, and what two images of a row must differ by to be told apart.

        Args:
            features: float32 [row, view, p].
            near: float32 [row, image], where the nearness goes; memory that was used before is much faster.

        Returns:
            float64 [row], infinite where float32 does not do.
        """
        rows = np.ones((len(features), self.width + 2), np.float32)
        with np.errstate(over="ignore", invalid="ignore"):
            self._centred(features.transpose(1, 0, 2), rows)
            for start, centred in self.blocks(2):
                some = slice(start, start + len(centred))
                centred[:, -2:] = self.halves[some]
                np.matmul(rows, centred.T, out=near[:, some])
            norms = np.sqrt(squares(rows[:, :-2]))
            scale = norms * self.largest + self.largest**2 / 2
            apart = 2 * (np.sqrt(self.width) + 4) * UNIT * scale + self.width * SMALLEST
        return np.where(scale < LARGEST, apart, np.inf)

    def distances(self, features: Floats, row: Ints, image: Ints) -> Doubles:
        """Exact squared distances of pairs, in float64.

        Args:
            features: float32 [row, view, p].
            row, image: int64 [pair].
        """
        found = np.zeros(len(row))
        step = max(1, PAIRS_BYTES // (16 * self._length))
        for start in range(0, len(row), step):
            some = slice(start, start + step)
            for view, stored in enumerate(self.gallery):
                difference = features[row[some], view].astype(np.float64)
                difference -= stored[image[some]]
                found[some] += np.einsum("ij,ij->i", difference, difference)
        return found


def squares(rows: Floats) -> Doubles:
    """|x|² of each row of [row, p], in float64."""
    found: Doubles = np.einsum("ij,ij->i", rows, rows, dtype=np.float64)
    return found
