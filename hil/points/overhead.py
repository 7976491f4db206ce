"""Channel uses a task, with all that is sent and kept silent for it."""

from __future__ import annotations

import torch

from hil.phy.frame import FrameFormat
from hil.points.spec import PointSpec

__all__ = ["ALIGNMENT_SOUNDING", "alignment_samples", "uses_with_overhead"]

ALIGNMENT_SOUNDING = 64
"""Sounding symbols a transmitter with which superposed transmitters are aligned."""


def alignment_samples(spec: PointSpec, transmitters: int) -> int:
    """Samples of one frame with which so many transmitters are aligned."""
    frame = spec.frame.model_copy(update={"tasks_per_frame": 0, "sounding_symbols": ALIGNMENT_SOUNDING})
    return FrameFormat(frame, torch.ones((transmitters, 1), dtype=torch.bool)).samples


def uses_with_overhead(spec: PointSpec, alignment: int = 0) -> float:
    """Complex channel uses a task, all of its frames counted: silent symbol, preamble, sounding, header, pilots, fillers.

    A use is one active carrier of one OFDM symbol, as for q; what lasts n samples takes n · active/(N + CP) of them. So the
    cyclic prefix and the guard carriers, which payload has as well, are in neither figure.

    Args:
        spec: the point.
        alignment: samples sent before it to align superposed transmitters.
    """
    numerology = spec.frame.numerology
    form, opening = spec.format(), spec.opening()
    samples = spec.frames * form.samples + alignment
    if opening is not None:
        samples += opening.samples - form.samples
    return samples * numerology.active / numerology.symbol_samples / spec.tasks
