"""Frames that cost little: how many a point has, and how they sound, so that most of what is sent is payload.

The shape of a static link's G is filtered over a point's frames (docs/decisions/0007): its first frame sounds it well, the
others hardly more than phase and delay. What is left is paid by the frame: silence, preamble, header and those few
symbols. So frames get longer, and fewer, as far as that takes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hil.phy.frame import estimate_cost_db
from hil.points.overhead import alignments_samples, uses_with_overhead
from hil.points.spec import PointSpec

__all__ = ["OVERHEAD", "economical", "estimate_error", "symbols_of_level"]

OVERHEAD = 1.28
"""Uses a task, all counted, over its own, that frames are to come to; pilots alone make 52/48 of it."""
COST_DB = 0.15
"""Effective SNR that channel estimation may cost in the mean over a point's frames; and at most, in any of them."""
MOST_COST_DB = 0.3
LEAST_FRAMES = 6
"""Of a point: with fewer, its interval hardly knows what tasks of a frame share."""
LEAST_SOUNDING = 8
"""Symbols a transmitter in every frame: they also tell carrier offset, front ends' faults and the link's SNR."""
OPENINGS = (None, 16, 24, 32, 48, 64, 96)
"""Symbols a transmitter in a point's first frame; None: as in the others."""
FITTED = 1.0
"""Complex numbers that each frame fits: half of one for its phase, half for its delay."""


def estimate_error(spec: PointSpec, frame: int) -> float:
    """Error power of a frame's channel estimate over the noise, in the mean over carriers.

    Args:
        spec: the point; frame: index among its frames, those before which were received.
    """
    receiver, active, own = spec.receptions[0].receiver, spec.frame.numerology.active, spec.frame.sounding_symbols
    opening = spec.opening_symbols or own
    if frame == 0 or not receiver.shape_memory:
        return receiver.taps / (active * (own if frame else opening))
    known = min(opening + (frame - 1) * own, receiver.shape_memory) + own
    return receiver.taps / (active * known) + FITTED / active * (1 / own - 1 / known)


def symbols_of_level(spec: PointSpec) -> float:
    """Sounding symbols a transmitter that the mean level of all frames' estimates rests on; infinite where each has its own.

    Every frame's level is a weighted mean of the symbols before it (docs/decisions/0007), so that an error of the first ones is
    in all of them, and no spread of frames shows it. The mean over frames is a weighted mean of independent symbols too: of so
    many equal ones as have its variance.
    """
    memory = spec.receptions[0].receiver.shape_memory
    if not memory:
        return math.inf
    own, count = spec.frame.sounding_symbols, spec.frames
    symbols = np.full(count, float(own))
    symbols[0] = spec.opening_symbols or own
    share, mean, known = np.zeros(count), np.zeros(count), 0.0
    for frame, new in enumerate(symbols):
        share *= known / (known + new)
        share[frame] = new / (known + new)
        known = min(known + new, memory)
        mean += share / count
    return float(1 / (mean**2 / symbols).sum())


def economical(spec: PointSpec, lowest_snr_db: float, *, longest: int) -> PointSpec:
    """The point with fewer sounding symbols, and with longer frames where these alone are not enough.

    Args:
        spec: as its SNR alone would have it; shorter frames than its are not looked at.
        lowest_snr_db: of the plan, which frames must bear.
        longest: most tasks in a frame.

    Returns:
        that of the shortest frames that come to `OVERHEAD` at the cost allowed; where none do, that of the least overhead.
        As many tasks are sent, or a few more that fill its last frame.
    """
    least = uses_with_overhead(spec, alignments_samples(spec))
    goal, best, price = OVERHEAD * len(spec.occupied[0]), spec, _Price.of(spec)
    for other in _others(spec, longest):
        if least <= goal:
            break
        overhead = price.uses(other)
        if overhead < least and _affordable(other, lowest_snr_db):
            best, least = other, overhead
    return best


def _affordable(spec: PointSpec, snr_db: float) -> bool:
    costs = [estimate_cost_db(snr_db, estimate_error(spec, index)) for index in range(spec.frames)]
    return max(costs) <= MOST_COST_DB and sum(costs) <= COST_DB * len(costs)


def _others(spec: PointSpec, longest: int) -> Iterator[PointSpec]:
    """Frames that get longer; of one length, those first that sound the least. Tasks fill them, if that can be."""
    tasks = spec.tasks
    shortest, sounding = spec.frame.tasks_per_frame, min(LEAST_SOUNDING, spec.frame.sounding_symbols)
    counts = [count for count in range(spec.frames, LEAST_FRAMES - 1, -1) if math.ceil(tasks / count) <= max(longest, shortest)]
    full = [count for count in counts if tasks % count == 0 and tasks // count >= shortest]
    for count in full or counts:
        per_frame = max(shortest, math.ceil(tasks / count))
        frame = spec.frame.model_copy(update={"tasks_per_frame": per_frame, "sounding_symbols": sounding})
        sent = per_frame * math.ceil(tasks / per_frame)
        for opening in OPENINGS:
            yield spec.model_copy(update={"frame": frame, "opening_symbols": opening, "tasks": sent})


@dataclass(frozen=True)
class _Price:
    """What `uses_with_overhead` says of points that differ in tasks and soundings only, without making their formats.

    Attributes:
        fixed: samples of a frame beside sounding and payload; alignment: samples of the point beside its frames.
        widths: uses of a task in each segment of the payload.
    """

    fixed: int
    alignment: int
    widths: tuple[int, ...]

    @classmethod
    def of(cls, spec: PointSpec) -> _Price:
        form = spec.format()
        fixed = form.sounding_start + form.header_symbols * form.numerology.symbol_samples
        return cls(fixed, alignments_samples(spec), tuple(len(segment.uses) for segment in form.segments))

    def uses(self, spec: PointSpec) -> float:
        numerology, frame, senders = spec.frame.numerology, spec.frame, len(spec.occupied)
        data = len(numerology.data_positions)
        payload = sum(math.ceil(frame.tasks_per_frame * width / data) for width in self.widths)
        symbols = spec.frames * (senders * frame.sounding_symbols + payload)
        symbols += senders * ((spec.opening_symbols or frame.sounding_symbols) - frame.sounding_symbols)
        samples = spec.frames * self.fixed + symbols * numerology.symbol_samples + self.alignment
        return samples * numerology.active / numerology.symbol_samples / spec.tasks
