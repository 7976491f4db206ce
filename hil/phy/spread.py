"""DFT-spread payload: the uses that ride in one OFDM symbol are sent as their discrete Fourier transform.

What lies between neighbouring samples is then nearly the symbols themselves, one after the other, as on a single carrier;
constellations with low peaks keep them. The transform is unitary and over the cells of tasks alone, in the order of carriers:
pilots and fillers stay as they are, and so does all that a receiver makes of them. Undone behind the equaliser, it makes the
noise of all uses of an OFDM symbol their mean.

Source: 3GPP TS 36.211, Sec. 5.3.3 (transform precoding).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from hil.phy.frame import FrameFormat

__all__ = ["Spreading"]


class Spreading:
    """The transforms of one frame format.

    Args:
        form: the frame format.
    """

    def __init__(self, form: FrameFormat) -> None:
        self._tasks, uses = form.tasks, form.occupied.shape[1]
        width = len(form.numerology.data_positions)
        by_size: dict[int, list[Tensor]] = {}
        for segment in form.segments:
            flat = (torch.arange(form.tasks)[:, None] * uses + segment.uses).flatten()
            order = segment.cells.argsort()
            counts = torch.bincount(torch.div(segment.cells, width, rounding_mode="floor"), minlength=segment.symbols)
            for part in flat[order].split(counts.tolist()):
                by_size.setdefault(len(part), []).append(part)
        self._symbols = [torch.stack(parts) for size, parts in by_size.items() if size]

    def spread(self, values: Tensor) -> Tensor:
        """Symbols complex64 [..., part, use] of whole frames as they are sent, same shape."""
        return self._by_symbol(values, lambda cells: torch.fft.fft(cells.to(torch.complex128), norm="ortho"))

    def undo(self, values: Tensor) -> Tensor:
        """The reverse of `spread`."""
        return self._by_symbol(values, lambda cells: torch.fft.ifft(cells.to(torch.complex128), norm="ortho"))

    def mean(self, values: Tensor) -> Tensor:
        """Means over the uses of each OFDM symbol, [..., part, use]: noise variances, and gains, of uses that were spread."""
        return self._by_symbol(values, lambda cells: cells.mean(-1, keepdim=True).expand(cells.shape))

    def undone(self, symbols: Tensor, noise_var: Tensor, channel: Tensor, *, fade: Tensor | None) -> list[Tensor]:
        """What the tasks' uses come to, of what was received of carriers.

        Args:
            symbols, noise_var: [part, use] of carriers.
            channel: complex64 [tx, part, use], without fades.
            fade: complex64 [tx, part, 1], drawn gains that each part was multiplied with before it was spread; None for 1.
        """
        gain = self.mean(channel)
        return [self.undo(symbols), self.mean(noise_var), gain if fade is None else gain * fade]

    def _by_symbol(self, values: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
        """Each frame's uses changed, those of one OFDM symbol together."""
        *lead, parts, uses = values.shape
        missing = -parts % self._tasks
        padded = torch.cat([values, values.new_zeros(*lead, missing, uses)], dim=-2) if missing else values
        flat = padded.reshape(*lead, -1, self._tasks * uses)
        out = flat.clone()
        for cells in self._symbols:
            out[..., cells] = change(flat[..., cells]).to(values.dtype)
        return out.reshape(*lead, parts + missing, uses)[..., :parts, :]
