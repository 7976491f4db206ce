"""Detection kernels without compiled code (torch); `hil.phy.detector_numba` has the same, which agree to float rounding.

Positions are worked on a group of tiles at a time, and candidates one by one, so that bits do not depend on how many there are.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hil.phy.preamble import CHIP
from hil.phy.search import Hit, Search
from hil.phy.tracking_plain import square

__all__ = ["TILES", "DetectorKernels", "clean_copy", "scaled_copy"]

Floats = NDArray[np.float32]
Candidate = tuple[int, float, float]
"""Position, first test, frequency (cycles a sample)."""
_TILE = 512
TILES = 4
"""Tiles of positions that are looked at together."""
_COUNT = TILES * _TILE


def clean_copy(source: Floats, target: Floats) -> int:
    """Copy float32 [2 n], with zeros for samples that are not finite or beyond 3e7; how many were replaced."""
    np.copyto(target, source)
    if not target.size or np.abs(target).max() <= 3e7:  # not so with a NaN
        return 0
    bad = ~(np.abs(target.reshape(-1, 2)) <= 3e7).all(axis=1)
    target.reshape(-1, 2)[bad] = 0
    return int(bad.sum())


def scaled_copy(source: NDArray[np.int16], full_scale: float, target: Floats) -> None:
    """Copy int16 [2 n], divided by full scale."""
    np.divide(source, np.float32(full_scale), out=target)


def _joined(pair: tuple[Floats, Floats]) -> Any:
    return np.asarray(pair[0] + 1j * pair[1], np.complex64)


def _power(window: Any, width: int) -> Any:
    """Σ |y|² over `width` samples from each of the first positions, float64 [position], never 0."""
    total = np.zeros(window.size + 1)
    np.cumsum(square(window), out=total[1:])
    return np.maximum(total[width:][:_COUNT] - total[:_COUNT], 1e-30)


class DetectorKernels:
    """Kernels for one preamble.

    Args:
        search: the preamble, and how it is looked for.
    """

    def __init__(self, search: Search) -> None:
        self._search = search
        self._chips = search.code[0].size
        self._length = self._chips * CHIP
        self._size = -(-(_COUNT + self._length) // 256) * 256  # nothing that is used wraps around
        taps, weights = _joined(search.filters), torch.from_numpy(_joined(search.weights)[:, : self._chips])
        self._one = weights.shape[0] == 1  # hypothesis: the whole preamble by one FFT
        if self._one:
            taps = np.kron(weights.numpy(), taps)
        spectra = torch.fft.fft(torch.from_numpy(taps.conj()), self._size).conj().resolve_conj()
        rows = [np.flatnonzero(search.which == mix) for mix in range(len(taps))]
        self._mixes = [(index, spectrum, weights[index]) for index, spectrum in zip(rows, spectra, strict=True)]
        self._turns = np.arange(self._chips) * CHIP
        self._templates = (search.chip[0].astype(np.float64) + 1j * search.chip[1]).conj()
        self._signs = search.code[0].astype(np.float64) + 1j * search.code[1]
        self._steps = search.step * np.arange(-search.reach, search.reach + 1)
        self._fourier = np.exp(-2j * math.pi * self._turns[:, None] * self._steps)

    def search(self, y: Floats, start: int, tiles: int, first: int, last: int) -> list[Hit]:
        """Preambles whose first test peaks in first … last − 1 and that pass the second.

        Args:
            y: float32 [2 n], interleaved; start: first of tiles · 512 positions that get the first test.
            first, last: indices in y.
        """
        search = self._search
        test = self._autocorrelated if search.fast else self._correlated
        found: list[Candidate] = []
        for base in range(start, start + tiles * _TILE, _COUNT):
            found += test(y[2 * base : 2 * (base + _COUNT + self._length)].view(np.complex64), base)
        hits = []
        for place, value, cfo in self._select(found, first, last):
            hit = self._verify(y, place, cfo)
            hits.append(hit)
            if search.fast and value > 2 * search.first and hit.metric <= search.threshold:
                # The autocorrelation's peak is as wide as a chip and noise moves it: where it was clear, look beyond ±8 too.
                hits += [self._verify(y, place - 14, cfo), self._verify(y, place + 14, cfo)]
        return [hit for hit in hits if hit.metric > search.threshold]

    def _peaks(self, ratio: Any) -> Any:
        """Indices of the best of each 16 positions, where it passes."""
        index = ratio.reshape(-1, CHIP).argmax(1) + np.arange(0, _COUNT, CHIP)
        return index[ratio[index] > self._search.first]

    def _autocorrelated(self, window: Any, base: int) -> list[Candidate]:
        """First test by the autocorrelation one chip apart, at every fourth sample."""
        product = window[CHIP:] * window[:-CHIP].conj()
        box = product[:-15]
        for index in range(1, CHIP):
            box = box + product[index : product.size - 15 + index]
        total = np.zeros(_COUNT // 4, np.complex64)
        for index, sign in enumerate(self._search.signs[: self._chips - 1]):
            total += sign * box[index * CHIP :: 4][: _COUNT // 4]
        ratio = np.zeros(_COUNT)
        ratio[::4] = square(total) / _power(window, self._length)[::4] ** 2
        index = self._peaks(ratio)
        freqs = np.angle(total[index // 4]) / (2 * math.pi * CHIP)
        return list(zip((index + base).tolist(), ratio[index].tolist(), freqs.tolist(), strict=True))

    def _correlated(self, window: Any, base: int) -> list[Candidate]:
        """First test by correlation with the whole preamble at a bank of frequencies."""
        spectrum = torch.fft.fft(torch.from_numpy(window), self._size)
        best, arg = np.zeros(_COUNT, np.float32), np.zeros(_COUNT, np.int64)
        for rows, response, weights in self._mixes:
            filtered = torch.fft.ifft(spectrum * response)
            if self._one:
                best = square(filtered[:_COUNT].numpy())
                break
            chipped = torch.stack([filtered[turn:][:_COUNT] for turn in self._turns.tolist()])
            top, index = torch.view_as_real(weights @ chipped).square().sum(-1).max(0)
            higher = top.numpy() > best
            arg = np.where(higher, rows[index.numpy()], arg)
            best = np.where(higher, top.numpy(), best)
        ratio = best / _power(window, self._length)
        index = self._peaks(ratio)
        freqs = self._search.grid[arg[index]]
        return list(zip((index + base).tolist(), ratio[index].tolist(), freqs.tolist(), strict=True))

    def _select(self, found: list[Candidate], first: int, last: int) -> list[Candidate]:
        """Candidates in first … last − 1 without a higher one nearby; in fast mode, every alias of their frequency."""
        search = self._search
        keep = [first <= place < last for place, _, _ in found]
        for index, (place, value, _) in enumerate(found):
            for other in range(index + 1, len(found)):
                if found[other][0] - place > search.near:
                    break
                keep[index if found[other][1] > value else other] = False
        kept = [candidate for candidate, good in zip(found, keep, strict=True) if good]
        if not search.fast:
            return kept
        reach = int(search.max_cfo * CHIP + 1.0)
        aliases = [(place, value, freq + alias / CHIP) for place, value, freq in kept for alias in range(-reach, reach + 1)]
        return [candidate for candidate in aliases if abs(candidate[2]) <= search.max_cfo + 0.003]

    def _verify(self, y: Floats, place: int, start: float) -> Hit:
        """Metric of the whole preamble around a candidate, maximised over time and frequency."""
        base, length, step = place - 8, self._length, self._search.step
        window = y[2 * base : 2 * (base + length + 16)].view(np.complex64).astype(np.complex128)
        mixed = self._templates * np.exp(-2j * math.pi * start * np.arange(CHIP))  # [template, 16]
        steps = window.strides * 2
        filtered = np.lib.stride_tricks.as_strided(window, (length, CHIP), steps) @ mixed.T
        signs = self._signs * np.exp(-2j * math.pi * start * self._turns)
        sums = filtered.reshape(self._chips, 16, -1) * signs[:, None, None]
        power = square(sums.reshape(self._chips, -1).T @ self._fourier).reshape(16, -1, self._steps.size)
        delay, template, line = (int(axis) for axis in np.unravel_index(power.argmax(), power.shape))
        value, best, series = float(power[delay, template, line]), float(self._steps[line]), sums[:, delay, template]
        offset = (self._turns - self._turns.mean()) / CHIP
        for _ in range(3 if self._search.reach else 0):  # Newton's method on |Σ q_r exp(−j 2π f 16 r)|²
            turned = series * np.exp(-2j * math.pi * best * self._turns)
            total, first, second = turned.sum(), (offset * turned).sum(), (offset**2 * turned).sum()
            value = abs(total) ** 2
            curve = abs(first) ** 2 - (total.conjugate() * second).real
            if not curve < 0:
                break
            move = (total.conjugate() * first).imag / curve / (2 * math.pi * CHIP)
            best -= min(max(move, -step), step)
        energy = float(square(window[delay : delay + length]).sum())
        return Hit(base + delay, start + best, float(value / energy) if energy > 0 else 0.0, bool(template))
