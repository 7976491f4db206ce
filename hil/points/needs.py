"""What points need of air time, frame numbers and disk, known before the first sample."""

from __future__ import annotations

from collections.abc import Sequence

from hil.captures import CapturePlan, plan_capture
from hil.points.overhead import alignment_samples
from hil.points.spec import PointSpec

__all__ = [
    "FADING_FRAMES",
    "FADING_LOOKS",
    "LEAD_SAMPLES",
    "TAIL_SAMPLES",
    "capture_needs",
    "longest_burst",
    "sounding_frames",
]

LEAD_SAMPLES = 400
"""The frame starts at most so far into a burst's window (the session draws where); the receiver is not told."""
TAIL_SAMPLES = 64
FADING_FRAMES = 400
"""Sounding frames over which a link that fades is measured: 5 % of its mean power, 0.2 dB."""
FADING_LOOKS = 16
"""Frames that each step of the climb is judged by there."""


def sounding_frames(*, fading: bool) -> int:
    """Frame numbers kept for the first calibration."""
    return FADING_FRAMES + 16 * FADING_LOOKS if fading else 64


def capture_needs(points: Sequence[PointSpec], rate_hz: float, *, transmitters: int, receivers: int = 1) -> CapturePlan:
    """Samples, bytes and time of a run on a bench of so many transmitters and receivers."""
    samples = frames = symbols = received = 0
    for point in points:
        form = point.format()
        window = LEAD_SAMPLES + TAIL_SAMPLES
        samples += point.frames * (form.samples + window) + (point.opening() or form).samples - form.samples
        if point.superposed:
            alignments = (point.alignments or 1) * point.repeats
            samples += alignments * (alignment_samples(point, form.transmitters) + window)
            frames += alignments
        frames += point.frames
        uses = len(point.occupied[0])
        symbols += form.transmitters * point.tasks * uses
        received += point.tasks * uses
    first = sounding_frames(fading=any(point.fading == "air" for point in points))
    return plan_capture(
        samples=samples + first * 8000,
        sample_rate_hz=rate_hz,
        frames=frames + first,
        bursts=frames + first,
        transmitters=transmitters,
        receivers=receivers,
        symbols=symbols,
        received=received,
        other_bytes=sum(point.tasks * 24 for point in points),
    )


def longest_burst(point: PointSpec) -> int:
    """Samples of the longest burst that a point sends."""
    form = point.opening() or point.format()
    return max(form.samples, alignment_samples(point, form.transmitters) if point.superposed else 0)
