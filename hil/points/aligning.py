"""Align superposed transmitters by sounding them, and learn from every sounding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hil.calibration.align_clocks import ClockMatch
from hil.calibration.align_shape import ResponseShape
from hil.calibration.alignment import Coherence
from hil.calibration.links import LinkCalibration, Sounder
from hil.calibration.precode import Precoder, align
from hil.errors import CalibrationError
from hil.phy.frame import FrameConfig
from hil.phy.reception import FrameReception, Shape
from hil.points.overhead import LEVEL_ERROR, PHASE_ERROR, sounding_for
from hil.points.spec import PointSpec
from hil.radios.bench import BenchConfig
from hil.units import db_to_power

__all__ = ["ALIGNMENT_TRIES", "Aligner", "Alignment", "clock_match"]

ALIGNMENT_TRIES = 3
"""Sounding frames sent at most for an alignment; as many frame numbers are kept free ahead of each point."""


class Alignment(NamedTuple):
    """Superposed transmitters as they are aligned.

    Attributes:
        precoder: the weights.
        expected: what frames sent through them at unit power arrive as, and how many of their sounding symbols that rests on.
        samples: sent for it.
    """

    precoder: Precoder
    expected: Shape
    samples: int


class Aligner:
    """What is known of how a bench's transmitters can be aligned.

    Attributes:
        coherence: for how long an alignment holds.
    """

    def __init__(self) -> None:
        self.coherence = Coherence()
        self._shapes: dict[int, ResponseShape] = {}  # by how many transmitters are superposed: the bench's first ones

    def forget_levels(self) -> None:
        """Transmitters are set to other levels."""
        for shape in self._shapes.values():
            shape.forget_levels()

    def align(
        self,
        spec: PointSpec,
        sounder: Callable[[FrameConfig, int, int], Sounder],
        noise: float,
        listened: Callable[[bool], None],
    ) -> Alignment:
        """Sound every transmitter of a point alone, and align them.

        The first time at length; where the shape of their responses is known, few symbols tell the rest. Where they say that
        it is another one, at length again.

        Args:
            spec: the point.
            sounder: of frames like this with so many sounding symbols for each of so many transmitters.
            noise: power a carrier.
            listened: told whether a sounding was heard.

        Raises:
            CalibrationError: the soundings were lost.
        """
        count, samples = len(spec.occupied), 0
        if count not in self._shapes:
            self._shapes[count] = ResponseShape(spec.frame.numerology, spec.receptions[0].receiver.taps)
        shape = self._shapes[count]
        while True:
            symbols = sounding_for(spec, PHASE_ERROR if shape.known else LEVEL_ERROR)
            heard, sent = _sounded(spec, sounder(spec.frame, symbols, count), listened)
            samples += sent
            at_length = not shape.known
            if shape.learn(heard.response, heard.snr, symbols) or at_length:
                snr, response = db_to_power(spec.snr_db_target), shape.of(heard.response)
                precoder = align(response, noise, snr)
                trust = np.stack([shape.weight / snr, np.ones(len(response))], axis=1)
                arriving = torch.view_as_real(response * precoder.weights).flatten(1).numpy()
                return Alignment(precoder, Shape(arriving, trust), samples)
            shape.forget()

    def learn(self, response: Tensor, weights: Tensor, snr: Tensor, symbols: int, before: NDArray[np.float64]) -> None:
        """Take in what a frame says.

        Args:
            response: complex64 [tx, active carrier], through the weights; snr: as `ResponseShape.learn` takes it.
            symbols: sounding symbols of its own; before: float64 [tx], those that its response rests on beside them.
        """
        if len(response) in self._shapes:
            self._shapes[len(response)].learn(response / weights, snr, symbols, before=before, anew=False)


def _sounded(spec: PointSpec, sounder: Sounder, listened: Callable[[bool], None]) -> tuple[FrameReception, int]:
    """What the first receiver made of a sounding frame, and how many samples were sent for it."""
    for attempt in range(1, ALIGNMENT_TRIES + 1):
        heard = sounder.sound(spec.first_frame - attempt)[sounder.receivers[0]]
        listened(heard is not None)
        if heard is not None:
            return heard, attempt * sounder.form.samples
    raise CalibrationError(
        f"{ALIGNMENT_TRIES} sounding frames in a row were lost at {spec.snr_db_target:g} dB; look at the ledger"
    )


def clock_match(spec: PointSpec, bench: BenchConfig, links: Sequence[LinkCalibration]) -> ClockMatch | None:
    """What makes superposed transmitters on free oscillators sound as if on one; None where nothing is to be done.

    Args:
        spec: the point.
        bench: as it truly is.
        links: to the first receiver, by transmitter.
    """
    if not (spec.match_clocks and spec.superposed) or bench.clock == "shared":
        return None
    return ClockMatch(
        offsets_hz=tuple(link.cfo_hz for link in links[: len(spec.occupied)]),
        sample_rate_hz=bench.sample_rate_hz,
        center_freq_hz=bench.center_freq_hz,
    )
