"""Superposed transmitters in rounds: sound, align, send a part of the point's frames; again where it no longer holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hil.calibration.alignment import Misalignment, misalignment
from hil.calibration.gate import GateConfig
from hil.phy.numerology import Numerology
from hil.phy.reception import FrameReception, Shape
from hil.points.aligning import Aligner, Alignment
from hil.points.carried import Carried
from hil.points.impaired import DONE
from hil.points.spec import PointSpec

__all__ = ["ALIGNED", "FLAGS", "UNALIGNED", "Looked", "Rounds", "RoundsHeard"]

ALIGNED, UNALIGNED = "aligned", "unaligned"
"""Bits of the ledger's flags: a frame before which transmitters were aligned anew; one that was kept though out of bounds."""
FLAGS = (*DONE, ALIGNED, UNALIGNED)
"""All bits of the ledger's flags."""
Make = Callable[[], tuple[Alignment, float]]
"""Sounds and aligns; and when that was (s, receiver's clock)."""


@dataclass(kw_only=True)
class Rounds:
    """The alignments of one point, each made when it is needed.

    Attributes:
        spec: the point; symbols: complex64 [tx, task, use]; fade: complex64 [tx, task] or None.
        make: makes one.
        aligner: learns from every frame.
        made: the alignments.
    """

    spec: PointSpec
    symbols: Tensor
    fade: Tensor | None
    make: Make
    aligner: Aligner
    made: list[Alignment] = field(default_factory=list)
    _carried: Carried | None = None
    _at: float = 0.0
    _latest: float = 0.0
    _refusals: int = 0
    _fresh: bool = False

    @property
    def gate(self) -> GateConfig:
        """The point's bounds."""
        return self.spec.gate or GateConfig()

    def part_over(self) -> None:
        """What is sent next gets an alignment of its own."""
        self._carried = None

    def carried(self) -> Carried:
        """The point's symbols as the next frame is to carry them: pre-equalised by the alignment in force, or by a new one.

        Raises:
            CalibrationError, RadioError: it could not be made.
        """
        stale = self._latest - self._at > self.aligner.coherence.holds_s(self.gate)
        if self._carried is None or stale:
            self.renew()
        assert self._carried is not None
        return self._carried

    def renew(self) -> None:
        """Align now."""
        alignment, self._at = self.make()
        self._latest = self._at
        self.made.append(alignment)
        self._carried = Carried.of(self.spec, self.symbols, alignment.precoder, self.fade)
        self.aligner.coherence.aligned()
        self._fresh = True

    @property
    def alignment(self) -> int:
        """Number of the one in force."""
        return len(self.made) - 1

    @property
    def flags(self) -> list[str]:
        """Of the frame that goes next: whether it is the first one of its alignment."""
        return [ALIGNED] if self._fresh else []

    @property
    def may_refuse(self) -> bool:
        """Whether a frame that is out of bounds is sent again."""
        return self._refusals < self.gate.repeats

    def sent(self, time_s: float | None, looked: Looked | None, *, refused: bool) -> None:
        """A frame is over.

        Args:
            time_s: when (s, receiver's clock); None: nobody heard.
            looked: at how its transmitters were aligned; None: it was not received.
            refused: it is out of bounds and to be sent again.
        """
        self._fresh = False
        if time_s is not None:
            self._latest = time_s
        if looked is not None and (looked.found.stepped or (refused and looked.found.power_db > self.gate.power_db)):
            self.aligner.forget_levels()  # what soundings before said of them would hide it
        if looked is not None and time_s is not None and not refused:  # a jump is refused, and says nothing of drift
            self.aligner.coherence.observe(time_s, looked.found)
            self.aligner.learn(looked.response, self.made[-1].precoder.weights, looked.snr, looked.symbols, looked.before)
        self._refusals = self._refusals + 1 if refused else 0
        if refused:
            self._carried = None


class Looked(NamedTuple):
    """What a frame says of its transmitters' alignment.

    Attributes:
        found: by how much they are off; response: complex64 [tx, active carrier], through the weights; snr: float32 [tx].
        symbols: sounding symbols of its own; before: float64 [tx], those that the response rests on beside them, if it was an
            alignment that told of them.
    """

    found: Misalignment
    response: Tensor
    snr: Tensor
    symbols: int
    before: NDArray[np.float64]


class RoundsHeard:
    """What a receiver makes of a point's alignments; the same live and in replay.

    Args:
        spec: the point.
        numerology: of its frames.
        judges: this is the receiver that transmitters are aligned at.
    """

    def __init__(self, spec: PointSpec, numerology: Numerology, *, judges: bool) -> None:
        self._gate = spec.gate if spec.aligned else None
        self._judges, self._numerology = judges, numerology
        self._symbols = spec.frame.sounding_symbols
        self._amplitude = torch.tensor(spec.power).sqrt()[:, None]
        self._several = (spec.alignments or 1) > 1
        self._told = spec.told and judges
        self._expected: dict[int, Shape] = {}
        self._with: dict[int, int] = {}
        self._found: dict[int, Misalignment] = {}
        self._unaligned: set[int] = set()
        self.gated = 0
        self.latest: Looked | None = None

    def expect(self, alignment: int, expected: Shape) -> None:
        """Be told what frames sent with an alignment will arrive as, at unit power."""
        self._expected[alignment] = expected

    def known(self, alignment: int | None, shape: Shape | None) -> Shape | None:
        """What the next frame's response is known by: what its alignment leads to expect, once; else `shape`, the last frame's.

        Whether channels stood still of late is kept from one alignment to the next.
        """
        expected = self._expected.pop(alignment, None) if self._told and alignment is not None else None
        if expected is None:
            return shape
        amplitude = self._amplitude.numpy()
        trust = expected.trust.copy()
        trust[:, :1] /= amplitude**2
        if shape is not None:
            trust[:, 1] = shape.trust[:, 1]
        return Shape(expected.response * amplitude, trust)

    def sent_with(self, number: int, alignment: int | None) -> None:
        """Frame `number` was sent with an alignment."""
        if alignment is not None:
            self._with[number] = alignment

    def hear(self, number: int, frame: FrameReception | None, alignment: int | None) -> bool:
        """Look at frame `number`, or at nothing where it was not received; whether it is out of bounds."""
        self.latest = None
        if self._gate is None or not self._judges or alignment is None or frame is None:
            return False
        response = frame.response / self._amplitude
        own = frame.signal / self._amplitude[:, 0].square()
        found = misalignment(response, self._numerology, snr=frame.snr, symbols=self._symbols, own=own)
        beside = frame.shape.trust[:, 0] - self._symbols if self._told else np.zeros(len(response))
        self.latest = Looked(found, response, frame.snr, self._symbols, beside)
        self._found[number] = found
        self._unaligned.discard(number)
        if found.beyond(self._gate) is None:
            return False
        self._unaligned.add(number)
        return True

    def block(self, number: int) -> int | None:
        """The alignment that a frame shares its error with, where there are several."""
        return self._with.get(number) if self._several else None

    def summary(self) -> dict[str, Any] | None:
        """For a row: how many alignments, how far off they were: rms over frames, the soundings' own noise included.

        That noise is not taken off: what a frame says of levels rests on the frames before it too, so that its own stated
        error would take off too much, and a misalignment would seem smaller than it is.
        """
        if not self._with:
            return None
        found = list(self._found.values())

        def rms(name: str) -> float | None:
            return float(np.sqrt(np.mean([getattr(one, name) ** 2 for one in found]))) if found else None

        return {
            "alignments": len(set(self._with.values())),
            "gated": self.gated,
            "kept_out_of_bounds": len(self._unaligned),
            "phase_deg": rms("phase_deg"),
            "power_db": rms("power_db"),
            "delay_samples": rms("delay_samples"),
        }
