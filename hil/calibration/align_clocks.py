"""Make transmitters on free oscillators sound as if on one: carrier offset and sample clock taken out before sending."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["ClockMatch", "resampled"]

HALF_WIDTH = 24
"""Samples on either side that an interpolated one is made of."""
KAISER = 9.0
FOLLOWED_HZ = 20.0
"""Offset from the mean below which nothing is changed."""
AT_ONCE = 1 << 13
PHASES = 4096
"""Fractions of a sample; between them the nearest one does (−75 dB)."""


@dataclass(frozen=True, kw_only=True)
class ClockMatch:
    """Transmitters as their oscillators' mean would send them.

    One oscillator drives a radio's carrier and its sample clock, so its carrier offset tells both. Each waveform is shifted
    by what its carrier is off the mean, and stretched by what its clock is; the mean, so that no one is shifted far.

    Attributes:
        offsets_hz: carrier of each transmitter minus one common frequency, as measured.
        sample_rate_hz, center_freq_hz: of the bench.
    """

    offsets_hz: tuple[float, ...]
    sample_rate_hz: float
    center_freq_hz: float

    @property
    def shifts_hz(self) -> list[float]:
        """Each transmitter's carrier minus the mean."""
        mean = sum(self.offsets_hz) / len(self.offsets_hz)
        return [offset - mean for offset in self.offsets_hz]

    def __call__(self, waveforms: Tensor) -> Tensor:
        """Waveforms complex64 [tx, n] as they must be sent; those beyond the transmitters known stay as they are."""
        out = waveforms.clone()
        places = np.arange(waveforms.shape[1]) / self.sample_rate_hz
        for tx, shift in enumerate(self.shifts_hz[: len(waveforms)]):
            fast = 1 + self.offsets_hz[tx] / self.center_freq_hz  # its clock: samples go out at this share of their times
            stretched = resampled(waveforms[tx].numpy(), (fast - shift / self.center_freq_hz) / fast)
            time_s = places / fast
            out[tx] = torch.from_numpy((stretched * np.exp(-2j * np.pi * shift * time_s)).astype(np.complex64))
        return out

    def follow(self, heard_hz: Sequence[float]) -> ClockMatch:
        """The same after a frame, of which these carrier offsets were heard: drift is followed beyond what is heard anyway."""
        if not len(heard_hz):
            return self
        found = tuple(shift + heard for shift, heard in zip(self.shifts_hz, heard_hz, strict=False))
        left = [one - sum(heard_hz) / len(heard_hz) for one in heard_hz]
        if len(found) < len(self.offsets_hz) or not np.isfinite(found).all() or max(map(abs, left)) < FOLLOWED_HZ:
            return self
        return replace(self, offsets_hz=found)


def resampled(samples: NDArray[np.complex64], step: float) -> NDArray[np.complex128]:
    """The signal between its samples, x(step · n) for n = 0 … len − 1, by a windowed sinc; 0 outside.

    Args:
        samples: complex64 [n], occupying up to 0.45 of the rate on either side.
        step: close to 1.
    """
    count = len(samples)
    padded = np.concatenate([np.zeros(HALF_WIDTH), samples, np.zeros(HALF_WIDTH + 1)])
    table, reach = _weights(), np.arange(2 * HALF_WIDTH)
    out = np.zeros(count, np.complex128)
    for first in range(0, count, AT_ONCE):
        places = np.arange(first, min(first + AT_ONCE, count)) * step
        whole = np.floor(places).astype(np.int64)
        phase = np.rint((places - whole) * PHASES).astype(np.int64)
        inside = np.clip(whole[:, None] + 1 + reach, 0, len(padded) - 1)
        out[first : first + len(places)] = np.einsum("nk,nk->n", table[phase], padded[inside])
    return out


@lru_cache(maxsize=1)
def _weights() -> NDArray[np.float64]:
    """A windowed sinc at each fraction of a sample, float64 [PHASES + 1, 2 · HALF_WIDTH]."""
    away = np.linspace(0, 1, PHASES + 1)[:, None] - np.arange(1 - HALF_WIDTH, HALF_WIDTH + 1)
    window = np.i0(KAISER * np.sqrt(np.clip(1 - (away / HALF_WIDTH) ** 2, 0, None))) / np.i0(KAISER)
    return np.asarray(np.sinc(away) * window)
