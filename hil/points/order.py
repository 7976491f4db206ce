"""In which order the frames of points at one SNR go on the air: at random, so that what drifts favours none of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from hil.points.simulate import seed_of
from hil.points.spec import PointSpec

__all__ = ["Slot", "in_order", "pieces"]


@dataclass(frozen=True, kw_only=True)
class Slot:
    """Frames of one point that go on the air one after the other.

    Attributes:
        point: its index among those that share the air.
        frames: indices of the point's frames, from 0.
    """

    point: int
    frames: range


def pieces(spec: PointSpec, visit: int = 0) -> list[range]:
    """The pieces that a point is sent in at one of its visits: single frames, or where each alignment has some, all of these.

    Args:
        spec: the point.
        visit: 0 … `spec.repeats` − 1; each has as many frames.
    """
    count = spec.frames // spec.repeats
    first = visit * count
    cuts = min(spec.alignments or 1, count) if spec.aligned else count
    edges = [first + count * cut // cuts for cut in range(cuts + 1)]
    return [range(begin, end) for begin, end in pairwise(edges)]


def in_order(specs: Sequence[PointSpec], *, seed: int, visit: int = 0, interleave: bool = True) -> list[Slot]:
    """The order in which points at one SNR share the air.

    Piece k of n comes at a time drawn evenly from k/n … (k + 1)/n of the whole: at any time every point is as far as the others
    (randomised blocks), whatever its number of pieces, and each point's own pieces stay in order.

    Args:
        specs: the points.
        seed: of the run.
        visit: to the points, as in `pieces`.
        interleave: False: one point after the other.
    """
    slots = [Slot(point=point, frames=piece) for point, spec in enumerate(specs) for piece in pieces(spec, visit)]
    if not interleave or len(specs) < 2:
        return slots
    target = specs[0].snr_db_target
    draw = np.random.Generator(np.random.Philox(key=seed_of(seed, "order", target, visit)))
    counts = [sum(slot.point == point for slot in slots) for point in range(len(specs))]
    inside = [piece for count in counts for piece in range(count)]
    times = [(piece + draw.random()) / counts[slot.point] for slot, piece in zip(slots, inside, strict=True)]
    return [slots[index] for index in np.argsort(times, kind="stable")]
