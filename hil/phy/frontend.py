"""Front ends at fault: found in a frame's own sounding symbols, taken off its samples, received again.

What sounding symbols leave unexplained is compared with three patterns: the frame's conjugate (image of the receiver's
mixer), its conjugate about the transmitter's carrier (image of the transmitter's; the same thing where both share a clock,
and only their sum is seen), and a constant (DC offset, which a carrier offset moves off the null carrier). On a shared
clock a carrier offset is looked for besides. A pattern counts when chance would not explain it; a frame in which none does
keeps its bits. Only the frame's own samples are used, so that windows, streams and replays agree.
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

Complexes = NDArray[np.complex64]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Run = Callable[[Floats, NDArray[np.int64], Rows], Complexes]
_SURE = 25.0
"""F statistic that chance reaches with probability e^−25."""
_POLISH = 0.08
"""Of that, from which on what was found before is found more exactly."""
_CFO_SURE = 5.0
_LOOKS = 16
"""Sounding symbols of a slot that are compared where carriers are offset, and patterns must be made for the purpose."""
_PASSES = 10
_UNEXPLAINED = 1.5
"""Error of sounding symbols over the noise, from which on a carrier offset beyond their small angles is looked for."""
_DOUBTFUL = 1.001
"""How sure a carrier offset is that only a badly explained slot speaks for."""
_BY_FAR = 0.8
_FAR = 0.08
"""Cycles over a slot beyond which a carrier offset is not small."""
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
    """Coefficients of DC and images, carrier offsets (cycles a sample), and how sure each is."""

    dc: complex
    image: complex
    sent: NDArray[np.complex128]
    offset: Doubles
    sure: Doubles


class _Taken(NamedTuple):
    """What is taken off a frame: DC, the receiver's image, complex128 [tx] the transmitters'."""

    dc: complex
    image: complex
    sent: NDArray[np.complex128]


class _Survey(NamedTuple):
    """Statistics of `hil.phy.front_plain.survey`; `sure` is above 1 where chance is not enough, `most` its largest."""

    stats: Doubles
    sure: Doubles
    most: float


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
        senders = range(tables.transmitters)
        first = tables.offsets[np.array(senders) * tables.sounding_symbols]
        self._middles = first + 0.5 * (self._looks - 1) * tables.spacing + 0.5 * (tables.size - 1)
        self._places = np.concatenate([tables.offsets[tx * tables.sounding_symbols :][: self._looks] for tx in senders])
        self._freed = -np.repeat(np.eye(tables.transmitters), self._looks, 1)  # each window of its transmitter's offset
        self._windows = torch.empty((0, len(self._places), tables.size), dtype=torch.complex64)
        self._floats: Floats = self._windows.numpy().view(np.float32)
        self._basis = tables.basis[0] + 1j * tables.basis[1]
        length = max(form.samples - form.sounding_start, 1)
        wander = math.sqrt(2 * tables.options.wander) / (2 * math.pi * length)  # cycles a sample
        most = _UNEXPLAINED * tables.transmitters * tables.sounding_symbols * tables.active
        self._limits = np.array([_SURE, _CFO_SURE, wander, most, _DOUBTFUL])

    def level(self, samples: Floats, starts: NDArray[np.int64]) -> tuple[Floats, NDArray[np.int64], NDArray[np.complex128]]:
        """Frames freed of the means of their samples, where any is large. On a shared clock they lie on the null carrier.

        Returns:
            samples, starts, and complex128 [frame], what was taken off.
        """
        taken = np.zeros(len(starts), complex)
        length, found = self._form.samples, False
        for index, start in enumerate(starts.tolist()):
            mean = mean_level(samples[2 * start : 2 * (start + length)], self._kernels)
            if mean is not None:
                taken[index], found = complex(mean[0], mean[1]), True
        if not found:
            return samples, starts, taken
        parts = [samples[2 * start : 2 * (start + length)].view(np.complex64) for start in starts.tolist()]
        levelled = np.concatenate([part - np.complex64(mean) for part, mean in zip(parts, taken, strict=True)])
        return levelled.view(np.float32), length * np.arange(len(starts)), taken

    def mend(self, samples: Floats, starts: NDArray[np.int64], rows: Rows, spectra: Complexes) -> None:
        """Receive again, corrected, those frames in which something is found.

        Args:
            samples: float32 [2 n]; starts: int64 [frame], of frames in it; rows: as received; replaced where corrected.
            spectra: complex64 [frame, row, N], of the frames as they are received.
        """
        found = self._survey(samples, starts, rows, spectra)
        if not found.most > 1:
            return
        for index in np.flatnonzero((found.sure > 1).any(1)):
            start = int(starts[index])
            own = samples[2 * start : 2 * (start + self._form.samples)].view(np.complex64).copy()
            self._mend_one(own, int(index), rows, spectra[index : index + 1])

    def _mend_one(self, own: NDArray[np.complex64], index: int, rows: Rows, spectra: Complexes) -> None:
        one = rows.part(np.array([index]))
        taken = _Taken(dc=0j, image=0j, sent=np.zeros(self._tables.transmitters, complex))
        heard, left, first = own, [0, 1, 2, 3], np.zeros(1, np.int64)
        done: set[int] = set()
        for _ in range(_PASSES):
            found = self._look(heard.view(np.float32), first, one, spectra)
            bars = {kind: _POLISH if kind in done else 1.0 for kind in left}
            best = max(left, key=lambda kind: found.sure[kind] / bars[kind])
            if found.sure[best] <= bars[best]:
                break
            if best != 3:
                done.add(best)
            before, kept = one.part(first.copy()), (heard, taken, spectra)
            taken = self._with(taken, found, best, one)
            heard = self._corrected(own, taken, one)
            spectra = self._run(heard.view(np.float32), first, one)
            if best == 3 and not self._better(before, one, found.sure[3]):
                left.remove(3)
                one, (heard, taken, spectra) = before, kept
        values = np.concatenate([[taken.dc, taken.image], taken.sent])
        one.front[0] += values.view(np.float64)
        rows.put(np.array([index]), one)

    def _with(self, taken: _Taken, found: _Found, kind: int, one: Rows) -> _Taken:
        """What is taken off once one more finding is; a carrier offset goes into `mixed`."""
        if kind == 0:
            return taken._replace(dc=taken.dc + found.dc + taken.image * np.conj(found.dc))
        if kind == 1:
            return taken._replace(image=taken.image + found.image)
        if kind == 2:
            return taken._replace(sent=taken.sent + found.sent * spin(4 * math.pi * one.mixed[0] * self._middles))
        one.mixed[0] = found.offset
        return taken

    def _better(self, before: Rows, after: Rows, sure: float) -> bool:
        """Whether known cells are explained better without a carrier offset; by far, where nothing else speaks for it."""
        share = _BY_FAR if sure == _DOUBTFUL else 1.0
        return float(after.symbol_error.sum()) < share * float(before.symbol_error.sum())

    def _corrected(self, own: NDArray[np.complex64], taken: _Taken, one: Rows) -> NDArray[np.complex64]:
        """Z − κ z*, z = y − d, where κ is the receiver's image and that of whoever sends, which turns with its carrier.

        `sent` holds at the slots' middles; from there on it turns by the offset that all of the frame tells.
        """
        dc, image, sent = taken
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

    def _survey(self, samples: Floats, starts: NDArray[np.int64], rows: Rows, spectra: Complexes) -> _Survey:
        """What all frames' sounding symbols say of the patterns, and of carrier offsets on a shared clock."""
        tables, count, looks = self._tables, len(starts), self._looks
        stats, sure = np.empty((3, tables.transmitters, count, 4)), np.empty((count, 4))
        grid = spectra.view(np.float32)
        turned = grid[:, :0] if self._locked else self._turned(samples, starts, rows)
        most = self._kernels.survey(
            grid, turned, self._locked, tables.sounding_symbols, looks, rows.response, rows.mixed, tables.offsets, *tables.undo,
            *tables.sounding, rows.links, rows.symbol_error, rows.info, self._limits, stats, sure,
        )  # fmt: skip
        return _Survey(stats, sure, most)

    def _look(self, samples: Floats, starts: NDArray[np.int64], one: Rows, spectra: Complexes) -> _Found:
        """What is found in one frame as it is received now."""
        stats, sure, _ = self._survey(samples, starts, one, spectra)
        offset: Doubles = one.links[0, :, 0].copy()
        if self._locked and sure[0, 3] > 1:
            wide = self._slot_offsets(one, spectra)
            far = np.abs(wide - one.mixed[0]) * self._tables.spacing * self._tables.sounding_symbols
            if (far > _FAR).any():
                offset = wide
                sure[0, 3] = _DOUBTFUL
            elif sure[0, 3] == _DOUBTFUL:
                sure[0, 3] = 0
        weights = stats[:, :, 0, 3] / np.maximum(stats[:, :, 0, 3].sum(1, keepdims=True), 1e-30)
        values = stats[:, :, 0, 0] + 1j * stats[:, :, 0, 1]
        common = (values * weights).sum(1)
        sent = np.where(stats[2, :, 0, 2] > _POLISH * _SURE, values[2], 0)
        return _Found(dc=complex(common[0]), image=complex(common[1]), sent=sent, offset=offset, sure=sure[0])

    def _slot_offsets(self, one: Rows, spectra: Complexes) -> Doubles:
        """Carrier offset of each transmitter (cycles a sample) from its slot alone, at any angle, of one frame."""
        tables, slot = self._tables, self._tables.sounding_symbols
        bins = tables.carriers.astype(int) % tables.size
        out: Doubles = one.mixed[0].copy()
        for tx in range(tables.transmitters):
            looks = spectra[0, tx * slot : (tx + 1) * slot][:, bins] * (tables.undo[0] + 1j * tables.undo[1])
            looks = looks * (tables.sounding[0][tx] + 1j * tables.sounding[1][tx])
            out[tx] += slot_rate(looks @ self._basis.conj().T) / (2 * math.pi * tables.spacing)
        return out

    def _turned(self, samples: Floats, starts: NDArray[np.int64], rows: Rows) -> Floats:
        """Spectra of the slots' windows freed of the opposite carrier offset, float32 [frame, tx · looks, 2 N]."""
        if len(self._windows) != len(starts):
            self._windows = torch.empty((len(starts), len(self._places), self._tables.size), dtype=torch.complex64)
            self._floats = self._windows.numpy().view(np.float32)
        self._frames.gather(samples, starts, rows.mixed @ self._freed, self._places, self._floats)
        turned: Floats = torch.fft.fft(self._windows).numpy().view(np.float32)
        return turned


def _owners(form: FrameFormat, tables: Tables) -> Doubles:
    """Whose samples a frame's are, float64 [sample, tx]: shares of those who send."""
    out = np.zeros((form.samples, tables.transmitters))
    out[: form.sounding_start, 0] = 1
    rows = np.repeat(tables.senders_of_row[:-1], tables.spacing, 0)
    out[form.sounding_start :] = rows[: len(out) - form.sounding_start]
    return out
