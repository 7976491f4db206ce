"""A point's symbols as its frames carry them."""

from __future__ import annotations

from dataclasses import dataclass

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
    def of(cls, spec: PointSpec, symbols: Tensor, precoder: Precoder | None, fade: Tensor | None) -> Carried:
        """Of symbols complex64 [tx, task, use], drawn fades multiplied in, pre-equalised where the transmitters are aligned."""
        faded = symbols if fade is None else symbols * fade[..., None]
        weights = precoder.weights if precoder is not None else None
        form = spec.format()
        return cls(
            symbols=cut(faded, spec.cut()),
            tasks=form.tasks,
            builder=FrameBuilder(form, precoder=weights, scale=torch.tensor(spec.power).sqrt()),
        )

    @timed("transmitter")
    def frame(self, index: int, number: int) -> Tensor:
        """Frame `index` of the point under its number: complex64 [tx, n]."""
        rows = slice(index * self.tasks, (index + 1) * self.tasks)
        return self.builder.build(self.symbols[None, :, rows], [number])[0]
