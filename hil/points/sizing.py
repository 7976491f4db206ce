"""Frames that cost little: how many a point has, and how they sound, so that most of what is sent is payload.

The shape of a static link's G is filtered over a point's frames (docs/decisions/0007): its first frame sounds it well, or the
alignment before it did, the others hardly more than phase and delay. What is left is paid by the frame: silence, preamble,
header and those few symbols. So frames get longer, and fewer, as far as that takes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hil.phy.frame import estimate_cost_db
from hil.points.order import pieces
from hil.points.overhead import alignment_symbols, alignments_samples, uses_with_overhead
from hil.points.spec import PointSpec
from hil.units import power_to_db

__all__ = ["OVERHEAD", "economical", "estimate_costs_db", "estimate_errors", "symbols_of_level"]

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


def _soundings(spec: PointSpec) -> Iterator[tuple[int, bool]]:
    """Every sounding that the receiver is told of, in order: symbols of a transmitter, and whether it is a frame's."""
    own = spec.frame.sounding_symbols
    if not spec.told:
        yield spec.opening_symbols or own, True
        yield from [(own, True)] * (spec.frames - 1)
        return
    aligning = alignment_symbols(spec)
    for visit in range(spec.repeats):
        for symbols, frames in zip(aligning, pieces(spec, visit), strict=False):
            yield symbols, False
            yield from [(own, True)] * len(frames)


def estimate_errors(spec: PointSpec) -> list[float]:
    """Error power of each frame's channel estimate over the noise, in the mean over carriers, if all before it are received."""
    receiver, active = spec.receptions[0].receiver, spec.frame.numerology.active
    errors, known = [], 0
    for own, is_frame in _soundings(spec):
        rests = known + own
        if is_frame:
            fitted = FITTED / active * (1 / own - 1 / rests) if known else 0.0
            errors.append(receiver.taps / (active * rests) + fitted)
        known = min(rests, receiver.shape_memory)
    return errors


def estimate_costs_db(spec: PointSpec, lowest_snr_db: float) -> list[float]:
    """Effective SNR that channel estimation costs in each frame.

    Args:
        spec: the point.
        lowest_snr_db: of the plan, at which it is reckoned: frames of all points sound alike. Alignments sound for the SNR of
            their point, so where these tell the receiver what to expect, it is that.
    """
    snr_db = spec.snr_db_target + power_to_db(min(spec.power)) if spec.told else lowest_snr_db
    return [estimate_cost_db(snr_db, error) for error in estimate_errors(spec)]


def symbols_of_level(spec: PointSpec) -> float:
    """Sounding symbols a transmitter that the mean level of all frames' estimates rests on; infinite where each has its own.

    Every frame's level is a weighted mean of the symbols before it (docs/decisions/0007), so that an error of the first ones is
    in all of them, and no spread of frames shows it. The mean over frames is a weighted mean of independent symbols too: of so
    many equal ones as have its variance.
    """
    memory = spec.receptions[0].receiver.shape_memory
    if not memory:
        return math.inf
    soundings = list(_soundings(spec))
    symbols = np.array([new for new, _ in soundings], float)
    share, mean, known = np.zeros(len(symbols)), np.zeros(len(symbols)), 0.0
    for index, (new, is_frame) in enumerate(soundings):
        share *= known / (known + new)
        share[index] = new / (known + new)
        known = min(known + new, memory)
        if is_frame:
            mean += share / spec.frames
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
    costs = estimate_costs_db(spec, snr_db)
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
        for opening in OPENINGS[:1] if spec.told else OPENINGS:
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
