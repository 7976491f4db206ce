"""Ten things as shapes: what a pixel of each is made of, from its place in the thing's box.

A thing fills its box: u runs from −1 at its left edge to 1 at its right one, v from −1 at its top to 1 at its bottom. A
shape is a distance to its edge, negative inside, in half sides of the box. Only +, −, ×, ÷, √ and comparisons are used, which
round alike everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from hil.datasets.streams import Floats

__all__ = ["CLASSES", "GROUPS", "SHAPES", "WIDTHS", "Part"]

Part = tuple[int, Floats]
"""Tone (0: the thing's colour, 1: its second one, 2: dark), and distance, float32 [thing, row, column]."""


def _box(u: Floats, v: Floats, left: float, right: float, top: float, bottom: float) -> Floats:
    across = np.maximum(np.float32(left) - u, u - np.float32(right))
    return np.asarray(np.maximum(across, np.maximum(np.float32(top) - v, v - np.float32(bottom))), np.float32)


def _ellipse(u: Floats, v: Floats, x: float, y: float, a: float, b: float) -> Floats:
    across, down = (u - np.float32(x)) / np.float32(a), (v - np.float32(y)) / np.float32(b)
    return np.asarray((np.sqrt(across * across + down * down) - np.float32(1)) * np.float32(min(a, b)), np.float32)


def _wedge(along: Floats, across: Floats, tip: float, base: float, half: float) -> Floats:
    """A triangle with its tip at `tip` of one axis, and a base of half width `half` at `base`."""
    share = (along - np.float32(tip)) / np.float32(base - tip)
    sides = (np.abs(across) - np.float32(half) * share) * np.float32(0.7)
    end = (share - np.float32(1)) * np.float32(abs(base - tip))
    return np.asarray(np.maximum(sides, end), np.float32)


def _house(u: Floats, v: Floats) -> Sequence[Part]:
    return (
        (0, _box(u, v, -0.85, 0.85, -0.1, 1.0)),
        (1, _wedge(v, u, -1.0, 0.0, 1.0)),
        (2, _box(u, v, -0.2, 0.2, 0.4, 1.0)),
    )


def _car(u: Floats, v: Floats) -> Sequence[Part]:
    return (
        (0, _box(u, v, -1.0, 1.0, -0.1, 0.6)),
        (0, _box(u, v, -0.6, 0.5, -1.0, 0.0)),
        (1, _box(u, v, -0.4, 0.3, -0.75, -0.2)),
        (2, _ellipse(u, v, -0.55, 0.6, 0.26, 0.4)),
        (2, _ellipse(u, v, 0.55, 0.6, 0.26, 0.4)),
    )


def _boat(u: Floats, v: Floats) -> Sequence[Part]:
    hull = np.maximum(np.abs(u) - (np.float32(1) - (v - np.float32(0.3)) * np.float32(0.6)), _box(u, v, -1, 1, 0.3, 1.0))
    return (
        (2, _box(u, v, -0.08, 0.04, -1.0, 0.4)),
        (1, _wedge(v, u - np.float32(0.04), -1.0, 0.2, 0.8)),
        (0, np.asarray(hull, np.float32)),
    )


def _tower(u: Floats, v: Floats) -> Sequence[Part]:
    return (
        (0, _box(u, v, -0.7, 0.7, -0.7, 1.0)),
        (0, _box(u, v, -1.0, 1.0, -0.75, -0.5)),
        (0, _box(u, v, -1.0, -0.5, -1.0, -0.6)),
        (0, _box(u, v, 0.5, 1.0, -1.0, -0.6)),
        (1, _box(u, v, -0.7, 0.7, -0.15, 0.05)),
        (1, _box(u, v, -0.7, 0.7, 0.4, 0.6)),
    )


def _cup(u: Floats, v: Floats) -> Sequence[Part]:
    ring = np.maximum(_ellipse(u, v, 0.5, -0.1, 0.5, 0.6), -_ellipse(u, v, 0.5, -0.1, 0.28, 0.36))
    return (
        (0, np.asarray(ring, np.float32)),
        (0, _box(u, v, -1.0, 0.5, -1.0, 1.0)),
        (1, _box(u, v, -1.0, 0.5, -0.3, 0.2)),
    )


def _tree(u: Floats, v: Floats) -> Sequence[Part]:
    return (
        (2, _box(u, v, -0.16, 0.16, 0.2, 1.0)),
        (0, _ellipse(u, v, 0.0, -0.3, 1.0, 0.7)),
        (1, _ellipse(u, v, -0.3, -0.5, 0.35, 0.3)),
    )


def _flower(u: Floats, v: Floats) -> Sequence[Part]:
    petals = _ellipse(u, v, 0.0, -0.6, 0.38, 0.4)
    for x, y in ((0.0, 0.6), (-0.6, 0.0), (0.6, 0.0)):
        petals = np.minimum(petals, _ellipse(u, v, x, y, 0.4, 0.4))
    return ((0, petals), (1, _ellipse(u, v, 0.0, 0.0, 0.36, 0.36)))


def _fish(u: Floats, v: Floats) -> Sequence[Part]:
    return (
        (1, _wedge(u, v, 0.1, 1.0, 0.9)),
        (0, _ellipse(u, v, -0.25, 0.0, 0.75, 0.95)),
        (2, _ellipse(u, v, -0.65, -0.2, 0.1, 0.16)),
    )


def _mushroom(u: Floats, v: Floats) -> Sequence[Part]:
    cap = np.maximum(_ellipse(u, v, 0.0, 0.0, 1.0, 1.0), v - np.float32(0.1))
    return (
        (1, _box(u, v, -0.3, 0.3, 0.0, 1.0)),
        (0, np.asarray(cap, np.float32)),
        (1, _ellipse(u, v, -0.35, -0.4, 0.18, 0.18)),
        (1, _ellipse(u, v, 0.3, -0.3, 0.2, 0.2)),
    )


def _butterfly(u: Floats, v: Floats) -> Sequence[Part]:
    wings = np.minimum(_ellipse(u, v, -0.55, -0.4, 0.45, 0.6), _ellipse(u, v, 0.55, -0.4, 0.45, 0.6))
    low = np.minimum(_ellipse(u, v, -0.45, 0.5, 0.4, 0.5), _ellipse(u, v, 0.45, 0.5, 0.4, 0.5))
    return ((0, wings), (1, low), (2, _ellipse(u, v, 0.0, 0.0, 0.13, 0.8)))


SHAPES: tuple[Callable[[Floats, Floats], Sequence[Part]], ...] = (
    _house, _car, _boat, _tower, _cup, _tree, _flower, _fish, _mushroom, _butterfly,
)  # fmt: skip
"""By class: parts to be painted one over the other."""
CLASSES = tuple(shape.__name__.removeprefix("_") for shape in SHAPES)
GROUPS = ("made", "grown")
"""Coarse groups: classes 0 to 4 were made by people, 5 to 9 grew."""
WIDTHS = (1.0, 1.6, 1.1, 0.55, 1.0, 0.8, 1.0, 1.6, 1.0, 1.2)
"""By class: width over height of the box."""
