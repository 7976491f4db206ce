"""Channel uses a task, with all that is sent and kept silent for it."""

from __future__ import annotations

import math

import torch

from hil.phy.frame import FrameFormat
from hil.points.spec import PointSpec
from hil.units import db_to_power

__all__ = [
    "ALIGNMENT_SOUNDING", "FIRST_SOUNDING", "LEVEL_ERROR", "PHASE_ERROR", "alignment_samples", "alignment_symbols",
    "alignments_samples", "sounding_for", "uses_with_overhead",
]  # fmt: skip

ALIGNMENT_SOUNDING = 64
"""Sounding symbols a transmitter, at most, with which superposed transmitters are aligned."""
FIRST_SOUNDING = 96
"""The same of captures that do not say how many samples were sent."""
LEAST_SOUNDING = 8
LEVEL_ERROR = 2400.0
"""Symbols × carriers × SNR from which levels of two transmitters are known to 0.18 dB: a point's first alignment."""
PHASE_ERROR = 200.0
"""The same of their phases, to 4.1°, where all else is known: its later ones (`hil.calibration.align_shape`)."""


def alignment_samples(spec: PointSpec, transmitters: int, symbols: int = FIRST_SOUNDING) -> int:
    """Samples of one frame with which so many transmitters are aligned, by so many sounding symbols each."""
    frame = spec.frame.model_copy(update={"tasks_per_frame": 0, "sounding_symbols": symbols})
    return FrameFormat(frame, torch.ones((transmitters, 1), dtype=torch.bool)).samples


def alignments_samples(spec: PointSpec) -> int:
    """Samples that all alignments of a point take where nothing is refused, the first one at length; 0 without any."""
    if not spec.aligned:
        return 0
    return sum(alignment_samples(spec, len(spec.occupied), one) for one in alignment_symbols(spec))


def alignment_symbols(spec: PointSpec) -> list[int]:
    """Sounding symbols a transmitter of each alignment of a visit to the point, the first one's at length."""
    later = (spec.alignments or 1) - 1
    return [sounding_for(spec, LEVEL_ERROR), *[sounding_for(spec, PHASE_ERROR)] * later]


def sounding_for(spec: PointSpec, cells: float) -> int:
    """Sounding symbols a transmitter with which so many cells × SNR are heard, at the point's SNR."""
    needed = math.ceil(cells / spec.frame.numerology.active / db_to_power(spec.snr_db_target))
    return min(max(needed, LEAST_SOUNDING), ALIGNMENT_SOUNDING)


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
