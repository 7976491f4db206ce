"""Frames out of an endless stream: blocks of any size in, the same bits as from one piece.

Detection works on the absolute block grid of `hil.phy.detector`; a frame is received once all its samples are at hand.
Samples are copied once, slice by slice, into a buffer that stays in the processor's cache. Where the end of the samples is
known, positions from which no frame would be complete are not looked at: a window of one frame costs a search of its lead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.phy.detector import Detector
from hil.phy.frame import FrameFormat
from hil.phy.frontend import mean_level
from hil.phy.search import Hit

__all__ = ["Searcher"]

_SLICE = 131072
_LEVEL = 4096
"""Samples of a block, its first ones, whose mean is kept from the detector."""
Floats = NDArray[np.float32]
Take = Callable[[Floats, int, Sequence[Hit]], None]


class Searcher:
    """Buffers a stream, finds preambles and hands complete frames to `take` (samples, origin, preambles), in order.

    Args:
        form: the frame format.
        detector: finds its preamble.
        take: called with float32 [2 n] samples, the index of the first of them in the stream, and the preambles.
        buffer: storage to use, float32; it is kept as `buffer`, or a larger one.
        leveller: kernels of `hil.phy.frontend.level_off`, by which a DC offset is kept from the detector; None: it is not.
    """

    def __init__(
        self, form: FrameFormat, detector: Detector, take: Take, buffer: Floats | None = None, leveller: Any = None
    ) -> None:
        self._leveller = leveller
        self._detector, self._take = detector, take
        self._preamble, self._lead = form.config.preamble_samples, form.preamble_start
        self._body = form.samples - form.preamble_start
        self._before = max(detector.before, self._lead + 2 * self._preamble + 64)
        if buffer is None or buffer.size < 2 * self._before:
            buffer = np.empty(2 * (self._before + detector.after(detector.positions)), np.float32)
        buffer[: 2 * self._before] = 0
        self.buffer = buffer
        self._origin = -self._before
        self._filled = self._before
        self._block = 0
        self._last: Hit | None = None
        self._waiting: list[Hit] = []
        self._bad: list[int] = []
        self._total = 0
        self._kernels: Any = detector.kernels

    def push(self, samples: NDArray[np.complex64] | NDArray[np.int16], *, full_scale: float = 1.0, last: bool = False) -> None:
        """Take the next samples, complex64 [n] or int16 [n, 2] to be divided by `full_scale`; `last`: none follow."""
        values = np.ascontiguousarray(samples).reshape(-1)
        values = values if values.dtype == np.int16 else values.view(np.float32)
        count = values.size // 2
        end = self._total + count if last else None
        for first in range(0, count, _SLICE):
            self._append(values[2 * first : 2 * (first + _SLICE)], full_scale)
            self._search(end)
            if not last or first + _SLICE < count:
                self._release()
                self._forget()
        if last:
            self._flush()

    def finish(self) -> None:
        """The stream has ended: look at what the last block held back."""
        self._search(self._total)
        self._flush()

    def _flush(self) -> None:
        if self._last is not None:
            self._waiting.append(self._last)
            self._last = None
        self._release()
        self._waiting.clear()

    def _append(self, part: NDArray[Any], full_scale: float) -> None:
        self._reserve(self._filled + part.size // 2)
        target = self.buffer[2 * self._filled : 2 * self._filled + part.size]
        if part.dtype == np.int16:
            self._kernels.scaled_copy(part, np.float32(full_scale), target)
        elif self._kernels.clean_copy(part, target):
            wrong = ~(np.abs(part.reshape(-1, 2)) <= 3e7).all(axis=1)
            self._bad += (wrong.nonzero()[0] + self._total).tolist()
        self._filled += part.size // 2
        self._total += part.size // 2

    def _reserve(self, count: int) -> None:
        """Room for `count` samples in all."""
        if 2 * count > self.buffer.size:
            larger = np.empty(max(2 * count, min(2 * self.buffer.size, 2 * (count + _SLICE))), np.float32)
            larger[: 2 * self._filled] = self.buffer[: 2 * self._filled]
            self.buffer = larger

    def _search(self, end: int | None) -> None:
        """Look at all blocks whose samples are at hand; where the stream ends at `end`, at all from which a frame fits.

        What overlaps a preamble decides whether it counts, so positions are looked at up to a preamble further.
        """
        detector = self._detector
        while True:
            count = detector.positions
            if end is not None:
                count = min(count, end - self._body + self._preamble + 64 - self._block)
            if count <= 0:
                break
            need = self._block + detector.after(count) - self._origin
            last = self._block + _LEVEL if end is None else min(self._block + _LEVEL, end)
            if self._leveller is not None and last > self._total:
                break
            if need > self._filled:
                if end is None or end > self._total:
                    break
                self._reserve(need)
                self.buffer[2 * self._filled : 2 * need] = 0
            part = self._levelled(self.buffer[: 2 * max(need, self._filled)], last)
            for found in sorted(detector.block(part, self._block - self._origin, self._origin, count)):
                self._settle(found)
            self._block += detector.positions
            if self._last is not None and self._block - self._last.position >= self._preamble + 16:
                self._waiting.append(self._last)
                self._last = None

    def _levelled(self, part: Floats, last: int) -> Floats:
        """The samples at hand for the detector, without the mean of a block's first ones (up to `last`) where that is large."""
        if self._leveller is None:
            return part
        block = part[2 * (self._block - self._origin) : 2 * (last - self._origin)]
        level = mean_level(block, self._leveller)
        if level is None:
            return part
        levelled = part.copy()
        begin, end = 2 * max(0, -self._origin), 2 * (self._total - self._origin)  # zeros around the stream stay
        levelled[begin:end].reshape(-1, 2)[:] -= level
        return levelled

    def _settle(self, found: Hit) -> None:
        """Of preambles that overlap only the strongest stays."""
        last = self._last
        if last is not None and found.position - last.position < self._preamble:
            if found.metric > last.metric:
                self._last = found
            return
        if last is not None:
            self._waiting.append(last)
        self._last = found

    def _release(self) -> None:
        """Hand on preambles whose frames are complete and all of finite samples."""
        ready = []
        while self._waiting and self._waiting[0].position + self._body <= self._total:
            found = self._waiting.pop(0)
            first, end = found.position - self._lead, found.position + self._body
            if first >= 0 and not (self._bad and any(first <= bad < end for bad in self._bad)):
                ready.append(found)
        if ready:
            self._take(self.buffer[: 2 * self._filled], self._origin, ready)

    def _forget(self) -> None:
        """Drop samples that nothing will ask for."""
        keep = self._block - self._before
        for found in (*self._waiting[:1], *((self._last,) if self._last else ())):
            keep = min(keep, found.position - self._lead - 16)
        drop = min(keep - self._origin, self._filled)
        if drop > 0:
            rest = self._filled - drop
            self.buffer[: 2 * rest] = self.buffer[2 * drop : 2 * self._filled]
            self._origin += drop
            self._filled = rest
            self._bad = [bad for bad in self._bad if bad >= keep]
