"""A point's symbols as its frames carry them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hil.calibration.precode import Precoder
from hil.phy.transmit import FrameBuilder
from hil.points.fragments import cut
from hil.points.spec import PointSpec
from hil.points.spread import spreading_of
from hil.timing import timed

__all__ = ["Carried", "PointBuilder"]


class PointBuilder:
    """Builds a point's frames, of which the first may have a format of its own.

    Args:
        spec: the point; precoder: weights of all OFDM symbols, complex64 [tx, active carrier]; None for 1.
    """

    def __init__(self, spec: PointSpec, precoder: Tensor | None) -> None:
        scale, opening = torch.tensor(spec.power).sqrt(), spec.opening()
        self._usual = FrameBuilder(spec.format(), precoder=precoder, scale=scale)
        self._opening = None if opening is None else FrameBuilder(opening, precoder=precoder, scale=scale)
        self._first = spec.first_frame

    def build(self, symbols: Tensor, number: int) -> Tensor:
        """Frame `number` with its symbols, complex64 [tx, task, use]: complex64 [tx, n]."""
        builder = self._opening if self._opening is not None and number == self._first else self._usual
        return builder.build(symbols[None], [number])[0]


@dataclass(frozen=True, kw_only=True)
class Carried:
    """A point's symbols as its frames carry them, complex64 [tx, part, use], spread where they are.

    `tasks`: parts (tasks or fragments) a frame.
    """

    symbols: Tensor
    tasks: int
    builder: PointBuilder

    @classmethod
    def of(cls, spec: PointSpec, symbols: Tensor, precoder: Precoder | None, fade: Tensor | None) -> Carried:
        """Of symbols complex64 [tx, task, use], drawn fades multiplied in, pre-equalised where the transmitters are aligned."""
        faded = symbols if fade is None else symbols * fade[..., None]
        spreading, parts = spreading_of(spec), cut(faded, spec.cut())
        weights = precoder.weights if precoder is not None else None
        return cls(
            symbols=parts if spreading is None else spreading.spread(parts),
            tasks=spec.frame.tasks_per_frame,
            builder=PointBuilder(spec, weights),
        )

    @timed("transmitter")
    def frame(self, index: int, number: int) -> Tensor:
        """Frame `index` of the point under its number: complex64 [tx, n]."""
        rows = slice(index * self.tasks, (index + 1) * self.tasks)
        return self.builder.build(self.symbols[:, rows], number)
