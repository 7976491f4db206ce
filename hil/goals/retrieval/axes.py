"""Ruling out most of a gallery: along the few axes on which its images differ most, and by a bound of all the others.

Features of trained networks lie close to a plane of few dimensions. With f = f₁ + f₂ and g = g₁ + g₂, where the first parts lie
in that plane and the second ones stand upright on it, f·g ≤ f₁·g₁ + |f₂||g₂| (Cauchy and Schwarz). So a much narrower matrix
product says how near each image is at most, and only the few images that may be nearer than the likeliest one are compared in
full. Nothing is approximated: what is ruled out cannot be the nearest. Source of the idea: Fukunaga and Narendra, A Branch and
Bound Algorithm for Computing k-Nearest Neighbors, 1975.
"""

from __future__ import annotations

import numpy as np

from hil.goals.retrieval.nearness import SMALLEST, UNIT, Doubles, Floats, Ints, Nearness, squares

__all__ = ["Axes"]

MOST_AXES = 96
STEP = 8
"""Their number is a multiple of it."""
REST = 0.02
"""Share of the gallery's spread that the other axes may have."""
LOOKED_AT = 4096
"""Images that axes are chosen by."""
ROUNDS = 3
SEED = 20261128
FEWEST_IMAGES = 256
"""Smaller galleries are compared as fast in full."""
LARGEST = 1e15
"""Of features, so that no float32 overflows."""


class Axes:
    """Rules out images of a gallery that cannot be the nearest.

    Args:
        nearness: of the gallery.
        basis: orthonormal float32 [width, axis], the width being that of all views side by side.
    """

    def __init__(self, nearness: Nearness, basis: Floats) -> None:
        self._nearness, self._basis = nearness, np.ascontiguousarray(basis)
        count = basis.shape[1]
        self._stored = np.empty((nearness.images, count + 3), np.float32)
        self._rounding = 4 * (float(np.sqrt(nearness.width)) + 8) * UNIT
        for start, centred in nearness.blocks():
            self._project(centred, self._stored[start : start + len(centred)])
        self._stored[:, count + 1 :] = nearness.halves

    @classmethod
    def of(cls, nearness: Nearness) -> Axes | None:
        """Of a gallery; None where too many axes would be needed for it to pay."""
        most = min(MOST_AXES, nearness.width // 2) // STEP * STEP
        if nearness.images < FEWEST_IMAGES or most < STEP or nearness.largest > LARGEST:
            return None
        basis, rest = _principal(nearness.some(LOOKED_AT), most)
        enough = np.flatnonzero(rest[STEP - 1 :: STEP] <= REST)
        return cls(nearness, basis[:, : STEP * (int(enough[0]) + 1)]) if len(enough) else None

    def _project(self, centred: Floats, out: Floats) -> Doubles:
        """Parts along the axes, and the length of the rest, no shorter than it is; returns |x|² of all, float64 [row]."""
        count = self._basis.shape[1]
        whole, inside = squares(centred), centred @ self._basis
        out[:, :count] = inside
        out[:, count] = np.sqrt(np.maximum(whole - squares(inside), 0) + self._rounding * whole)
        return whole

    def fits(self, features: Floats) -> bool:
        """Whether float32 holds what is computed of features [row, view, p]."""
        return float(np.abs(features).max(initial=0.0)) <= LARGEST

    def left(self, features: Floats, memory: Floats, without: tuple[Ints, Ints]) -> tuple[Ints, Ints]:
        """Pairs of row and image among which the nearest image of each row is, ascending; none of a row where none counts.

        Args:
            features: float32 [row, view, p].
            memory: float32 [row, image], to work in.
            without: row and image of pairs that do not count.
        """
        rows, near = np.ones((len(features), self._stored.shape[1]), np.float32), memory
        squared = self._project(self._nearness.side_by_side(features), rows)
        np.matmul(rows, self._stored.T, out=near)
        near[without] = -np.inf
        likely = near.argmax(1)
        largest, everyone = self._nearness.largest, np.arange(len(near))
        doubt = self._rounding * (np.sqrt(squared) * largest + largest**2 / 2) + self._nearness.width * SMALLEST
        least = (squared - self._nearness.distances(features, everyone, likely)) / 2 - doubt
        least[np.isneginf(near[everyone, likely])] = np.inf
        row, image = np.divmod(np.flatnonzero(near >= least.astype(np.float32)[:, None]), near.shape[1])
        return row, image


def _principal(centred: Floats, count: int) -> tuple[Floats, Doubles]:
    """Axes of most spread, float32 [width, count], and the share of it that is on the axes after each, float64 [count].

    Source: Halko, Martinsson and Tropp, Finding structure with randomness, 2011 (subspace iteration).
    """
    rng = np.random.Generator(np.random.PCG64(SEED))
    basis = rng.standard_normal((centred.shape[1], count), np.float32)
    for _ in range(ROUNDS):
        basis = np.linalg.qr(centred.T @ (centred @ basis))[0]
    seen = (centred @ basis).astype(np.float64)
    spread, turn = np.linalg.eigh(seen.T @ seen)
    axes = np.linalg.qr(basis.astype(np.float64) @ turn[:, ::-1])[0].astype(np.float32)
    total = max(float(squares(centred).sum()), 1e-30)
    return axes, 1 - np.cumsum(spread[::-1]) / total
