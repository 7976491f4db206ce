"""Compiled transmit kernels (numba); the same as `hil.phy.waves_plain`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numba import njit
from torch import Tensor

from hil.phy import header
from hil.phy.header_numba import encode
from hil.phy.layout import Layout

__all__ = ["WaveKernels"]

_CHUNK = 65536
"""Samples of spectra worked on at a time; they stay in the processor's cache."""


@njit(cache=True)
def _fill(values, source, target, spectra):
    """Tasks' symbols into spectra, one row a frame; the bits of complex64 values."""
    for f in range(values.shape[0]):
        row, out = values[f], spectra[f]
        for i in range(source.shape[0]):
            out[target[i]] = row[source[i]]


@njit(cache=True)
def _fill_weighted(values, source, target, weight, spectra):
    """Tasks' symbols times weights into spectra, complex64, one row a frame."""
    for f in range(values.shape[0]):
        row, out = values[f], spectra[f]
        for i in range(source.shape[0]):
            out[target[i]] = row[source[i]] * weight[i]


@njit(cache=True)
def _number(numbers, repetitions, words, scramble, targets, weight, spectra):
    """Headers into spectra, complex64, one row a frame."""
    for f in range(numbers.shape[0]):
        encode(numbers[f], repetitions, words, scramble, targets, weight, spectra[f])


@njit(cache=True)
def _prefixed(time, prefix, scale, out):
    """OFDM symbols, float32 [symbol, 2 N], with their prefixes, scaled."""
    symbols, size = time.shape
    place = 0
    for s in range(symbols):
        for i in range(prefix):
            out[place + i] = time[s, size - prefix + i] * scale
        for i in range(size):
            out[place + prefix + i] = time[s, i] * scale
        place += prefix + size


@njit(cache=True)
def _emit(time, runs, prefix, amplitude, template, constant, waves):
    """Constant parts and OFDM symbols with their prefixes, float32 [frame, tx, 2 · sample], interleaved."""
    for f in range(time.shape[0]):
        for i in range(constant.shape[0]):
            tx, first, last = constant[i]
            waves[f, tx, 2 * first : 2 * last] = template[tx, 2 * first : 2 * last]
        for i in range(runs.shape[0]):
            tx, row, symbols, place = runs[i]
            _prefixed(time[f, row : row + symbols], 2 * prefix, amplitude[tx], waves[f, tx, 2 * place :])


class WaveKernels:
    """Kernels for frames of one layout; see `hil.phy.waves_plain.WaveKernels`."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        rows, size = layout.spectra.shape
        self._chunk = max(1, _CHUNK // max(1, rows * size))
        self._spectra = layout.spectra.flatten().repeat(self._chunk, 1)
        self._time = torch.empty((self._chunk, rows, size), dtype=torch.complex64)
        self._template = layout.template.numpy().view(np.float32)
        self._cells = (layout.source.numpy().astype(np.uint32), layout.target.numpy().astype(np.uint32))
        self._head = (
            layout.repetitions,
            header.words(),
            header.scramble(),
            layout.header.numpy(),
            layout.header_weight.numpy(),
        )
        self._runs = np.array(layout.runs, np.int64).reshape(-1, 4)
        self._constant = _constant(layout)

    def build(self, symbols: Tensor, numbers: Sequence[int], out: Tensor | None) -> Tensor:
        """Frames' samples."""
        layout, frames = self._layout, symbols.shape[0]
        waves = torch.empty((frames, *layout.template.shape), dtype=torch.complex64) if out is None else out
        values, counted = symbols.detach().contiguous().view(frames, -1).numpy(), np.array(numbers, np.int64)
        floats = waves.numpy().view(np.float32)
        for first in range(0, frames, self._chunk):
            part = slice(first, min(first + self._chunk, frames))
            spectra, time = self._spectra[: part.stop - first], self._time[: part.stop - first]
            if layout.weight is None:
                _fill(values[part].view(np.int64), *self._cells, spectra.numpy().view(np.int64))
            else:
                _fill_weighted(values[part], *self._cells, layout.weight.numpy(), spectra.numpy())
            _number(counted[part], *self._head, spectra.numpy())
            if layout.runs:
                torch.fft.ifft(spectra.unflatten(1, layout.spectra.shape), norm="forward", out=time)
            _emit(
                time.numpy().view(np.float32), self._runs, layout.prefix, layout.amplitude.numpy(), self._template,
                self._constant, floats[part],
            )  # fmt: skip
        return waves


def _constant(layout: Layout) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Stretches of samples that do not change, int64 [stretch, 3]: transmitter, first, last + 1."""
    transmitters, samples = layout.template.shape
    spacing = layout.spectra.shape[1] + layout.prefix
    out = []
    for tx in range(transmitters):
        first = 0
        for run in (run for run in layout.runs if run.tx == tx):
            out.append((tx, first, run.start))
            first = run.start + run.symbols * spacing
        out.append((tx, first, samples))
    return np.array([stretch for stretch in out if stretch[2] > stretch[1]], np.int64).reshape(-1, 3)
