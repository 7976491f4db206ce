"""Frames out of an endless stream: blocks of any size in, the same bits as from one piece.

Detection works on the absolute block grid of `hil.phy.detector`; a frame is received once all its samples are at hand.
Samples are copied once, slice by slice, into a buffer that stays in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hil.errors import ShapeError
from hil.phy.detector import Detector, Found
from hil.phy.frame import FrameFormat

__all__ = ["Searcher", "as_complex"]

_SLICE = 131072
Take = Callable[[NDArray[np.float32], int, Sequence[Found]], None]


class Searcher:
    """Buffers a stream, finds preambles and hands complete frames to `take` (samples, origin, preambles), in order.

    Args:
        form: the frame format.
        detector: finds its preamble.
        buffer: storage to use, float32; it is kept as `buffer`, or a larger one.
        take: called with float32 [2 n] samples, the index of the first of them in the stream, and the preambles.
    """

    def __init__(self, form: FrameFormat, detector: Detector, take: Take, buffer: NDArray[np.float32] | None = None) -> None:
        self._form, self._detector, self._take = form, detector, take
        before, after = detector.needs
        self._positions = detector.positions
        self._before = max(before, form.preamble_start + 2 * form.config.preamble_samples + 64)
        self._after = after
        if buffer is None or buffer.size < 2 * self._before:
            buffer = np.empty(2 * (self._before + self._positions + self._after), np.float32)
        buffer[: 2 * self._before] = 0
        self.buffer = buffer
        self._origin = -self._before
        self._filled = self._before
        self._block = 0
        self._last: Found | None = None
        self._waiting: list[Found] = []
        self._bad: list[int] = []
        self._total = 0
        self._kernels: Any = detector.kernels

    def push(self, samples: Tensor | NDArray[np.complex64]) -> None:
        """Take the next samples, complex64 [n].

        Raises:
            ShapeError: not complex64 or not one-dimensional.
        """
        array = samples.numpy() if isinstance(samples, Tensor) else samples
        if array.dtype != np.complex64 or array.ndim != 1:
            raise ShapeError(f"Argument 'samples' must be complex64 [n], not {array.dtype} {array.shape}.")
        values = np.ascontiguousarray(array).view(np.float32)
        for first in range(0, array.shape[0], _SLICE):
            part = values[2 * first : 2 * (first + _SLICE)]
            self._total += part.size // 2
            self._append(part)

    def finish(self) -> None:
        """The stream has ended: look at what the last block held back."""
        need = self._block + self._positions + self._after - (self._origin + self._filled)
        while self._block < self._total:
            self._append(np.zeros(2 * max(need, 0), np.float32))
            need = self._positions
        if self._last is not None:
            self._waiting.append(self._last)
            self._last = None
        self._release()
        self._waiting.clear()

    def _append(self, part: NDArray[np.float32]) -> None:
        count = part.size // 2
        need = 2 * (self._filled + count)
        if need > self.buffer.size:
            larger = np.empty(max(need, min(2 * self.buffer.size, need + 2 * _SLICE)), np.float32)
            larger[: 2 * self._filled] = self.buffer[: 2 * self._filled]
            self.buffer = larger
        target = self.buffer[2 * self._filled : need]
        if self._kernels.clean_copy(part, target):
            wrong = ~(np.abs(part.reshape(-1, 2)) <= 3e7).all(axis=1)
            self._bad += (wrong.nonzero()[0] + self._origin + self._filled).tolist()
        self._filled += count
        end = self._origin + self._filled
        while self._block + self._positions + self._after <= end:
            part = self.buffer[: 2 * self._filled]
            for found in sorted(self._detector.block(part, self._block - self._origin, self._origin)):
                self._settle(found)
            self._block += self._positions
            if self._last is not None and self._block - self._last.position >= self._form.config.preamble_samples + 16:
                self._waiting.append(self._last)
                self._last = None
        self._release()
        self._forget()

    def _settle(self, found: Found) -> None:
        """Of preambles that overlap only the strongest stays."""
        last = self._last
        if last is not None and found.position - last.position < self._form.config.preamble_samples:
            if found.metric > last.metric:
                self._last = found
            return
        if last is not None:
            self._waiting.append(last)
        self._last = found

    def _release(self) -> None:
        form = self._form
        reach = form.samples - form.preamble_start
        end = min(self._origin + self._filled, self._total)
        ready = []
        while self._waiting and self._waiting[0].position + reach <= end:
            found = self._waiting.pop(0)
            first = found.position - form.preamble_start
            if first >= 0 and not (self._bad and any(first <= bad < first + form.samples for bad in self._bad)):
                ready.append(found)
        if ready:
            self._take(self.buffer[: 2 * self._filled], self._origin, ready)

    def _forget(self) -> None:
        """Drop samples that nothing will ask for."""
        keep = self._block - self._before
        for found in (*self._waiting[:1], *((self._last,) if self._last else ())):
            keep = min(keep, found.position - self._form.preamble_start - 16)
        drop = keep - self._origin
        if drop > 0:
            rest = self._filled - drop
            self.buffer[: 2 * rest] = self.buffer[2 * drop : 2 * self._filled]
            self._origin += drop
            self._filled = rest
            self._bad = [bad for bad in self._bad if bad >= keep]


def as_complex(samples: NDArray[np.float32], first: int, count: int) -> Tensor:
    """A view of interleaved samples, complex64 [count]."""
    return torch.from_numpy(samples[2 * first : 2 * (first + count)].view(np.complex64))
