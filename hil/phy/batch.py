"""Frames received together: arrays of all of them, and a `FrameReception` of each when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hil.phy.frame import FrameFormat
from hil.phy.reception import FrameReception, ReceiverConfig, Rows
from hil.phy.tables import Tables

__all__ = ["FrameBatch"]


def _rows(count: int, form: FrameFormat, tables: Tables) -> Rows:
    transmitters, active, symbols = form.transmitters, tables.active, tables.rows
    uses = tables.cells.size
    return Rows(
        symbols=np.empty((count, 2 * uses), np.float32),
        channel=np.empty((count, transmitters, 2 * uses), np.float32),
        noise_var=np.empty((count, uses), np.float32),
        response=np.empty((count, transmitters, 2 * active), np.float32),
        carrier_error=np.empty((count, active), np.float32),
        symbol_error=np.empty((count, symbols), np.float32),
        stated=np.empty((count, symbols), np.float32),
        info=np.empty((count, 5)),
        links=np.empty((count, transmitters, 4)),
        starts=np.empty(count, np.int64),
        metric=np.empty(count),
        coarse=np.empty(count),
        mixed=np.empty((count, transmitters)),
        front=np.zeros((count, 4 + 2 * transmitters)),
        known=np.empty((count, transmitters, 2 * active), np.float32),
        trust=np.zeros((count, transmitters, 2)),
        memory=np.zeros((count, transmitters, 4)),
    )


class FrameBatch(Sequence[FrameReception]):
    """Frames received together, in order of time.

    Args:
        form: their format; config: of the receiver; tables: of both.
        room: frames to have room for at once; more is made as it is needed.
    """

    def __init__(self, form: FrameFormat, config: ReceiverConfig, tables: Tables, room: int = 1) -> None:
        self.form, self.config, self.tables = form, config, tables
        self._rows = _rows(room, form, tables)
        self._count = 0

    def more(self, count: int) -> Rows:
        """Room for `count` more frames, which belong to the batch from now on."""
        room = len(self._rows.metric)
        if count == room and not self._count:
            self._count = count
            return self._rows
        if self._count + count > room:
            larger = _rows(max(2 * room, self._count + count), self.form, self.tables)
            larger.part(slice(0, self._count)).put(np.arange(self._count), self._rows.part(slice(0, self._count)))
            self._rows = larger
        self._count += count
        return self._rows.part(slice(self._count - count, self._count))

    def drop(self, count: int, good: NDArray[np.bool_]) -> None:
        """Of the last `count` frames only those that are `good` stay."""
        kept = (self._count - count) + good.nonzero()[0]
        self._count += kept.size - count
        self._rows.put(np.arange(self._count - kept.size, self._count), self._rows.part(kept))

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> FrameReception: ...
    @overload
    def __getitem__(self, index: slice) -> list[FrameReception]: ...
    def __getitem__(self, index: int | slice) -> FrameReception | list[FrameReception]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self._count))]
        if not -self._count <= index < self._count:
            raise IndexError(f"frame {index} of {self._count}")
        judged = (self.tables.observed_carriers, self.tables.observed_symbols)
        return FrameReception(
            self._rows, index % self._count, self._uses, self.config.sample_rate_hz, judged, locked=self.tables.options.locked
        )

    @property
    def _uses(self) -> tuple[int, int]:
        return self.form.tasks, self.form.occupied.shape[1]

    @property
    def starts(self) -> Tensor:
        """First sample of each frame, int64 [frame]."""
        return torch.from_numpy(self._rows.starts[: self._count])

    @property
    def symbols(self) -> Tensor:
        """Equalised symbols, complex64 [frame, task, use]."""
        return torch.from_numpy(self._rows.symbols[: self._count].view(np.complex64)).view(-1, *self._uses)

    @property
    def noise_var(self) -> Tensor:
        """Noise variance of the symbols, float32 [frame, task, use]."""
        return torch.from_numpy(self._rows.noise_var[: self._count]).view(-1, *self._uses)

    @property
    def channel(self) -> Tensor:
        """What is left of each transmitter's channel in the symbols, complex64 [frame, tx, task, use]."""
        values = torch.from_numpy(self._rows.channel[: self._count].view(np.complex64))
        return values.view(self._count, -1, *self._uses)
