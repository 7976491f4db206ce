"""Front ends at fault: found in a frame's own sounding symbols, taken off its samples, received again.

What sounding symbols leave unexplained is compared with three patterns: the frame's conjugate (image of the receiver's mixer), its
conjugate about the transmitter's carrier (image of the transmitter's; the same thing where both share a clock, and only their
sum is seen), and a constant (DC offset, which a carrier offset moves off the null carrier). On a shared clock a carrier
offset is looked for besides. A pattern counts when chance would not explain it; a frame in which none does keeps its bits.
Only the frame's own samples are used, so that windows, streams and replays agree.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from hil.phy.frame import FrameFormat
from hil.phy.reception import ReceiverConfig, Rows
from hil.phy.tables import Tables
from hil.phy.tracking_plain import slot_rate, spin

__all__ = ["FrontEnd", "mean_level"]

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Run = Callable[[Floats, NDArray[np.int64], Rows], None]
_SURE = 25.0
"""F statistic that chance reaches with probability e^−25."""
_CFO_SURE = 5.0
_LOOKS = 16
"""Sounding symbols of a slot that are compared where carriers are offset, and patterns must be made for the purpose."""
_PASSES = 10
_UNEXPLAINED = 1.5
"""Error of sounding symbols over the noise, from which on a carrier offset beyond their small angles is looked for."""
_LEAST_DC = 3e-3
"""Of the power; less of a constant does detection no harm."""


def mean_level(samples: Floats, kernels: Any) -> Floats | None:
    """Mean of a stretch of samples, float32 [2], where it is large enough to hurt detection, and not by chance; else None.

    Args:
        samples: float32 [2 n], interleaved; kernels: `hil.phy.front_plain` or `front_numba`.
    """
    count = samples.size // 2
    if not count:
        return None
    real, imag, power = kernels.moments(samples)
    if (real * real + imag * imag) / count <= max(_LEAST_DC, 30 / count) * power:
        return None
    return np.array([real / count, imag / count], np.float32)


class _Found(NamedTuple):
    """Coefficients, complex [tx] or one, and how sure: DC, the receiver's image, the transmitters'; offsets (cycles a sample)."""

    dc: complex
    image: complex
    sent: NDArray[np.complex128]
    offset: Doubles
    sure: Doubles


class FrontEnd:
    """Finds and takes off what front ends of one bench do to frames of one format.

    Args:
        form, config, tables: of the receiver; frames: its frame kernels; kernels: of this module.
        run: receives frames of given carrier offsets.
    """

    def __init__(
        self, form: FrameFormat, config: ReceiverConfig, tables: Tables, frames: Any, kernels: Any, run: Run
    ) -> None:  # fmt: skip
        self._form, self._tables, self._frames, self._kernels, self._run = form, tables, frames, kernels, run
        self._locked = tables.options.locked
        self._looks = tables.sounding_symbols if self._locked else min(tables.sounding_symbols, _LOOKS)
        self._owners = _owners(form, tables)
        first = tables.offsets[np.arange(tables.transmitters) * tables.sounding_symbols]
        self._middles = first + 0.5 * (self._looks - 1) * tables.spacing + 0.5 * (tables.size - 1)
        self._basis = tables.basis[0] + 1j * tables.basis[1]
        length = max(form.samples - form.sounding_start, 1)
        self._wander = math.sqrt(2 * tables.options.wander) / (2 * math.pi * length)  # cycles a sample

    def mend(self, samples: Floats, starts: NDArray[np.int64], rows: Rows) -> None:
        """Receive again, corrected, those frames in which something is found.

        Args:
            samples: float32 [2 n]; starts: int64 [frame], of frames in it; rows: as received; replaced where corrected.
        """
        rows.front[:] = 0
        found = self._look(samples, starts, rows)
        for index in np.flatnonzero((found.sure > 1).any(1)):
            start = int(starts[index])
            own = samples[2 * start : 2 * (start + self._form.samples)].view(np.complex64).copy()
            self._mend_one(own, int(index), rows)

    def _mend_one(self, own: NDArray[np.complex64], index: int, rows: Rows) -> None:
        one = rows.part(np.array([index]))
        first, dc, image, sent = np.zeros(1, np.int64), 0j, 0j, np.zeros(self._tables.transmitters, complex)
        heard = own
        for _ in range(_PASSES):
            found = self._look(heard.view(np.float32), first, one)
            best = int(found.sure[0].argmax())
            if found.sure[0, best] <= 1:
                break
            if best == 0:
                dc += found.dc + image * np.conj(found.dc)
            elif best == 1:
                image += found.image
            elif best == 2:
                sent = sent + found.sent * spin(4 * math.pi * one.mixed[0] * self._middles)
            else:
                one.mixed[0] = found.offset
            heard = self._corrected(own, dc, image, sent, one)
            self._run(heard.view(np.float32), first, one)
        values = np.concatenate([[dc, image], sent])
        one.front[0] = values.view(np.float64)
        rows.put(np.array([index]), one)

    def _corrected(
        self, own: NDArray[np.complex64], dc: complex, image: complex, sent: NDArray[np.complex128], one: Rows
    ) -> NDArray[np.complex64]:
        """Z − κ z*, z = y − d, where κ is the receiver's image and that of whoever sends, which turns with its carrier.

        `sent` holds at the slots' middles; from there on it turns by the offset that all of the frame tells.
        """
        if not (dc or image or sent.any()):
            return own
        rest = own.astype(complex) - dc
        kappa: Any = np.full(len(own), image)
        offsets = one.mixed[0] if self._locked else one.links[0, :, 0]
        for tx, coefficient in enumerate(sent):
            if coefficient:
                time = np.arange(len(own)) - self._middles[tx]
                turned = spin(4 * math.pi * offsets[tx] * time) if offsets[tx] else 1.0
                kappa = kappa + coefficient * self._owners[:, tx] * turned
        return np.ascontiguousarray(rest - kappa * rest.conj(), np.complex64)

    def _look(self, samples: Floats, starts: NDArray[np.int64], rows: Rows) -> _Found:
        """What is found in frames as they are received now; `sure` [frame, 4] is above 1 where chance is not enough."""
        tables, count = self._tables, len(starts)
        slots = [slice(tx * tables.sounding_symbols, tx * tables.sounding_symbols + self._looks) for tx in range(tables.transmitters)]
        stats = np.zeros((3, tables.transmitters, count, 4))
        for tx, slot in enumerate(slots):
            offsets, freqs = tables.offsets[slot], np.repeat(rows.mixed[:, tx : tx + 1], self._looks, 1)
            grid = self._spectra(samples, starts, freqs, offsets)
            known = (tables.sounding[0][tx, : self._looks], tables.sounding[1][tx, : self._looks])
            args = (rows.response[:, tx], *tables.undo, *known)
            self._kernels.explain(grid, grid, True, *args, stats[2, tx])
            if not self._locked:
                self._kernels.explain(grid, self._spectra(samples, starts, -freqs, offsets), True, *args, stats[1, tx])
                ones = np.zeros(2 * self._form.samples, np.float32)
                ones[::2] = 1
                tones = self._spectra(ones, np.zeros(count, np.int64), freqs, offsets)
                self._kernels.explain(grid, tones, False, *args, stats[0, tx])
        sure = np.zeros((count, 4))
        sure[:, :2] = stats[:2, :, :, 2].sum(1).T / _SURE
        sure[:, 2] = stats[2, :, :, 2].max(0) / _SURE
        offset = self._offset(samples, starts, rows, sure)
        weights = stats[:, :, :, 3] / np.maximum(stats[:, :, :, 3].sum(1, keepdims=True), 1e-30)
        values = stats[..., 0] + 1j * stats[..., 1]
        common = (values * weights).sum(1)
        certain = stats[2, :, :, 2] > _SURE
        first = 0 if count else slice(0)
        return _Found(
            dc=complex(common[0, first]), image=complex(common[1, first]), sent=np.where(certain, values[2], 0)[:, first],
            offset=offset, sure=sure,
        )  # fmt: skip

    def _offset(self, samples: Floats, starts: NDArray[np.int64], rows: Rows, sure: Doubles) -> Doubles:
        """Carrier offsets on a shared clock, of the first frame [tx]; `sure` [frame, 3] is set where they are not 0."""
        tables, slot = self._tables, self._tables.sounding_symbols
        if not self._locked:
            return rows.mixed[0]
        left, error = rows.links[:, :, 0] - rows.mixed, rows.links[:, :, 1]
        sure[:, 3] = (np.abs(left) / (_CFO_SURE * np.hypot(error, self._wander))).max(1)
        unexplained = rows.symbol_error[:, : tables.transmitters * slot].mean(1) / tables.active
        lost = (unexplained > _UNEXPLAINED * rows.info[:, 0]) | (rows.info[:, 2] < 0)
        offset: Doubles = rows.links[0, :, 0].copy() if len(rows.links) else np.zeros(0)
        if not lost.any() or len(starts) > 1:
            sure[lost, 3] = np.maximum(sure[lost, 3], 1.001)  # to be looked at alone
            return offset
        turned = self._turned(samples, starts, rows)
        change = 2 * math.pi * tables.spacing * np.abs(turned - rows.mixed[0]) * slot
        sure[0, 3] = max(float(sure[0, 3]), 1.001) if (change > 0.5).any() else float(sure[0, 3])
        return turned if (change > 0.5).any() else offset

    def _turned(self, samples: Floats, starts: NDArray[np.int64], rows: Rows) -> Doubles:
        """Carrier offset of each transmitter (cycles a sample) from its slot alone, at any angle."""
        tables, slot = self._tables, self._tables.sounding_symbols
        bins = tables.carriers.astype(int) % tables.size
        out = rows.mixed[0].copy()
        for tx in range(tables.transmitters):
            part = slice(tx * slot, (tx + 1) * slot)
            grid = self._spectra(samples, starts, np.repeat(rows.mixed[:1, tx : tx + 1], slot, 1), tables.offsets[part])
            looks = grid[0].view(np.complex64)[:, bins] * (tables.undo[0] + 1j * tables.undo[1])
            looks = looks * (tables.sounding[0][tx] + 1j * tables.sounding[1][tx])
            out[tx] += slot_rate(looks @ self._basis.conj().T) / (2 * math.pi * tables.spacing)
        return out

    def _spectra(self, samples: Floats, starts: NDArray[np.int64], freqs: Doubles, offsets: NDArray[np.int64]) -> Floats:
        """Spectra of some windows of each frame, float32 [frame, row, 2 N]."""
        grid = torch.empty((len(starts), len(offsets), self._tables.size), dtype=torch.complex64)
        self._frames.gather(samples, starts, freqs, offsets, grid.numpy().view(np.float32))
        return np.asarray(torch.fft.fft(grid).numpy().view(np.float32))


def _owners(form: FrameFormat, tables: Tables) -> Doubles:
    """Whose samples a frame's are, float64 [sample, tx]: shares of those who send."""
    out = np.zeros((form.samples, tables.transmitters))
    out[: form.sounding_start, 0] = 1
    rows = np.repeat(tables.senders_of_row[:-1], tables.spacing, 0)
    out[form.sounding_start :] = rows[: len(out) - form.sounding_start]
    return out
