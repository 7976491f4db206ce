"""How high the peaks of a point's payload are, in the samples that were really handed to its radios."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hil.phy.frame import FrameFormat
from hil.points.spec import PointSpec
from hil.units import db_to_amplitude, decibels

__all__ = ["PEAKS", "PEAK_KEYS", "PeakMeter", "peak_keys", "stored_peaks"]

PEAKS = "peaks"
"""Name in a capture: float64 [tx, 3], as `PeakMeter.found` gives it."""
PEAK_KEYS = ("papr_db", "peak_db", "tx_clipped_share")
"""What a row says of them; null where it was not measured."""
RARE = 1e-3
"""Share of the samples that exceed the level called PAPR."""
LOWEST_DB, HIGHEST_DB, STEP_DB = -80.0, 20.0, 0.02


class PeakMeter:
    """Takes the samples of a point's frames, one frame after the other; a histogram is all that it keeps of them.

    Args:
        spec: the point.
        back_off_db: attenuation of each transmitter between these samples and the converter.
    """

    def __init__(self, spec: PointSpec, back_off_db: Sequence[float] = ()) -> None:
        opening = spec.opening()
        self._first = spec.first_frame
        self._usual = _sent_ranges(spec.format())
        self._opening = self._usual if opening is None else _sent_ranges(opening)
        count = len(self._usual)
        off = [*back_off_db, *[0.0] * count][:count]
        self._full_scale = [float(db_to_amplitude(one)) for one in off]
        self._histogram = np.zeros((count, round((HIGHEST_DB - LOWEST_DB) / STEP_DB)), np.int64)
        self._power, self._peak = np.zeros(count), np.zeros(count)
        self._samples, self._clipped = np.zeros(count, np.int64), np.zeros(count, np.int64)

    def add(self, waveforms: Tensor, number: int) -> None:
        """Look at frame `number`, complex64 [tx, n], full scale 1.0."""
        for tx, ranges in enumerate(self._opening if number == self._first else self._usual):
            for start, stop in ranges:
                parts = torch.view_as_real(waveforms[tx, start:stop]).numpy()
                power = np.square(parts).sum(1)
                place = (10 * np.log10(np.maximum(power, 1e-30)) - LOWEST_DB) / STEP_DB
                bins = np.clip(place, 0, self._histogram.shape[1] - 1).astype(np.int64)
                self._histogram[tx] += np.bincount(bins, minlength=self._histogram.shape[1])
                self._power[tx] += float(power.sum(dtype=np.float64))
                self._peak[tx] = max(self._peak[tx], float(power.max(initial=0)))
                self._clipped[tx] += int((np.abs(parts) > self._full_scale[tx]).any(1).sum())
                self._samples[tx] += stop - start

    def found(self) -> NDArray[np.float64]:
        """What was seen of each transmitter, float64 [tx, 3]; NaN where nothing was sent.

        The level in dB over the mean that 0.1 % of the samples exceed (to `STEP_DB`); the peak's; and the share of samples of
        which I or Q lay beyond full scale.
        """
        out = np.full((len(self._samples), len(PEAK_KEYS)), np.nan)
        for tx, samples in enumerate(self._samples):
            if samples and self._power[tx]:
                mean_db = decibels(self._power[tx] / samples)
                beyond = samples - np.cumsum(self._histogram[tx])
                level = LOWEST_DB + STEP_DB * (1 + int(np.argmax(beyond <= RARE * samples)))
                out[tx] = level - mean_db, decibels(self._peak[tx]) - mean_db, self._clipped[tx] / samples
        return out


def peak_keys(found: NDArray[np.float64] | None) -> dict[str, Any]:
    """What a row says of peaks, a list by transmitter each; null where they were not measured."""
    if found is None:
        return dict.fromkeys(PEAK_KEYS)
    digits = (2, 2, 6)
    return {
        key: [None if np.isnan(value) else round(float(value), places) for value in column]
        for key, places, column in zip(PEAK_KEYS, digits, found.T, strict=True)
    }


def stored_peaks(extra: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """The same from a capture's arrays of a point."""
    return peak_keys(extra.get(PEAKS))


def _sent_ranges(form: FrameFormat) -> list[list[tuple[int, int]]]:
    """Samples [start, stop) of the payload in which each transmitter sends."""
    length = form.numerology.symbol_samples
    begins = form.sounding_start + form.payload_index * length

    def range_of(first: int, symbols: int) -> tuple[int, int]:
        return begins + first * length, begins + (first + symbols) * length

    return [
        [range_of(one.first, one.symbols) for one in form.segments if tx in one.transmitters] for tx in range(form.transmitters)
    ]
