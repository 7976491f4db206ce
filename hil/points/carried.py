"""A point's symbols as its frames carry them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from hil.calibration.precode import Precoder
from hil.phy.transmit import FrameBuilder
from hil.points.fragments import cut
from hil.points.spec import PointSpec
from hil.timing import timed

__all__ = ["Carried"]


@dataclass(frozen=True, kw_only=True)
class Carried:
    """A point's symbols, complex64 [tx, part, use], as its frames carry them, so many parts (tasks or fragments) a frame."""

    symbols: Tensor
    tasks: int
    builder: FrameBuilder

    @classmethod
    def of(cls, spec: PointSpec, symbols: Tensor, fade: Tensor | None) -> Carried:
        """Of symbols complex64 [tx, task, use], drawn fades multiplied in."""
        faded = symbols if fade is None else symbols * fade[..., None]
        return cls(symbols=cut(faded, spec.cut()), tasks=spec.frame.tasks_per_frame, builder=_builder(spec, None))

    def aligned(self, spec: PointSpec, precoder: Precoder) -> Carried:
        """The same pre-equalised."""
        return replace(self, builder=_builder(spec, precoder))

    @timed("transmitter")
    def frame(self, index: int, number: int) -> Tensor:
        """Frame `index` of the point under its number: complex64 [tx, n]."""
        rows = slice(index * self.tasks, (index + 1) * self.tasks)
        return self.builder.build(self.symbols[None, :, rows], [number])[0]


def _builder(spec: PointSpec, precoder: Precoder | None) -> FrameBuilder:
    weights = None if precoder is None else precoder.weights
    return FrameBuilder(spec.format(), precoder=weights, scale=torch.tensor(spec.power).sqrt())
