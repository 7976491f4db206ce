"""Peaks of the OFDM signal in training: what the loss says of them.

The symbols of a batch are put into a frame as the transmitter would (`hil.phy.transmit`), interleaved, spread and between
pilots, and of every OFDM symbol of the payload the highest power stands against the mean one. The maximum has a gradient in the
one sample that it is; over the OFDM symbols of a batch that moves every use.

Source: the PAPR loss in Liu et al., A Comprehensive Study of PAPR Reduction Techniques for Deep Joint Source Channel Coding in
OFDM Systems, arXiv:2309.11803, 2023.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from hil.models.recipe import Peaks
from hil.phy.frame import FrameConfig, FrameFormat
from hil.phy.spread import Spreading
from hil.phy.transmit import build_frame

__all__ = ["PeakPenalty"]


class PeakPenalty:
    """The term of the loss.

    Args:
        settings: of the recipe.
        occupied: bool [tx, use], the plan's.
    """

    def __init__(self, settings: Peaks, occupied: Tensor) -> None:
        self._settings, self._occupied = settings, occupied
        self._frames = lru_cache(maxsize=2)(self._made)

    def __call__(self, symbols: Tensor) -> Tensor:
        """The weight times `papr_db`, a scalar; of symbols complex64 [tx, task, use], differentiable."""
        return self._settings.weight * self.papr_db(symbols).to(symbols.device)

    def papr_db(self, symbols: Tensor) -> Tensor:
        """Peak over mean power of an OFDM symbol (dB), mean over transmitters and their OFDM symbols; a scalar.

        Args:
            symbols: complex64 [tx, task, use], mean |x|² = 1 on occupied uses.
        """
        form, spreading = self._frames(symbols.shape[1])
        carried = symbols.cpu() if spreading is None else spreading.spread(symbols.cpu())
        waves = build_frame(carried, 0, form)
        length, found = form.numerology.symbol_samples, []
        for segment in form.segments:
            begin = form.sounding_start + (form.payload_index + segment.first) * length
            part = waves[list(segment.transmitters), begin : begin + segment.symbols * length]
            power = torch.view_as_real(part.unflatten(1, (segment.symbols, length))).square().sum(-1)
            found.append((power.amax(2) / power.mean((1, 2), keepdim=True)[:, 0]).flatten())
        return 10 * torch.log10(torch.cat(found)).mean()

    def _made(self, tasks: int) -> tuple[FrameFormat, Spreading | None]:
        """The frame that so many tasks ride in, and its transforms."""
        settings = self._settings
        config = FrameConfig(
            tasks_per_frame=tasks, interleave=settings.interleave, spreading=settings.spreading, sounding_symbols=2,
            preamble_samples=64, header_repetitions=0,
        )  # fmt: skip
        form = FrameFormat(config, self._occupied)
        return form, Spreading(form) if settings.spreading == "dft" else None
