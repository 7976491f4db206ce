"""Detection kernels in plain torch: the path without the extra `fast`. Same contracts as `hil.phy.kernels_numba`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["autocorrelation_peaks", "bank_peaks", "clean_copy", "select", "verify"]

Floats = NDArray[np.float32]
_TILE, _CHIP = 512, 16


def clean_copy(source: Floats, target: Floats) -> int:
    """Copy float32 [2 n], with zeros for samples that are not finite or beyond 3e7; how many were replaced."""
    np.copyto(target, source)
    bad = ~(np.abs(target.reshape(-1, 2)) <= 3e7).all(axis=1)
    count = int(bad.sum())
    if count:
        target.reshape(-1, 2)[bad] = 0
    return count


def _samples(y: Floats, first: int, count: int) -> Tensor:
    return torch.view_as_complex(torch.from_numpy(y[2 * first : 2 * (first + count)]).view(-1, 2))


def _box(series: Tensor, width: int) -> Tensor:
    """Moving sums over `width` = 16 · chips samples, by doubling; [n] to [n − width + 1]."""
    step = 1
    while step < _CHIP:
        series = series[:-step] + series[step:]
        step *= 2
    chips, parts, offset = width // _CHIP, [], 0
    for bit in (1 << shift for shift in range(chips.bit_length())):
        if chips & bit:
            parts.append((offset, series))
            offset += bit * _CHIP
        if 2 * bit <= chips:
            series = series[: -bit * _CHIP] + series[bit * _CHIP :]
    count = min(part.shape[0] - start for start, part in parts)
    return torch.stack([part[start : start + count] for start, part in parts]).sum(0)


def _peaks(ratio: Tensor, threshold: float, first: int, pos: Any, metric: Any) -> Tensor:
    best, where = ratio.view(-1, _CHIP).max(1)
    cells = (best > threshold).nonzero()[:, 0]
    index = cells * _CHIP + where[cells]
    pos[: len(index)] = first + index.numpy()
    metric[: len(index)] = best[cells].numpy()
    return index


def autocorrelation_peaks(
    y: Floats, first: int, tiles: int, signs: Floats, threshold: float, pos: Any, metric: Any, freq: Any
) -> int:
    """Candidates by the autocorrelation one chip apart, at every fourth sample."""
    chips = int(signs[-1])
    count = tiles * _TILE
    window = _samples(y, first, count + chips * _CHIP)
    product = window[_CHIP:] * window[:-_CHIP].conj()
    box = _box(product, _CHIP)
    total = torch.zeros(count, dtype=torch.complex64)
    for index in range(chips - 1):
        total += float(signs[index]) * box[index * _CHIP :][:count]
    power = _box(torch.view_as_real(window).square().sum(-1), chips * _CHIP)[:count]
    ratio = torch.view_as_real(total).square().sum(-1) / power.square().clamp_min(1e-37)
    ratio = torch.where((power > 0) & (torch.arange(count) % 4 == 0), ratio, 0.0)
    places = _peaks(ratio, threshold, first, pos, metric)
    freq[: len(places)] = (total[places].angle() / (2 * math.pi * _CHIP)).numpy()
    return len(places)


def bank_peaks(
    y: Floats, first: int, tiles: int, filters_r: Floats, filters_i: Floats, weights_r: Floats, weights_i: Floats,
    which: Any, grid: Any, chips: int, threshold: float, pos: Any, metric: Any, freq: Any,
) -> int:  # fmt: skip
    """Candidates by correlation with the whole preamble at a bank of frequencies."""
    count = tiles * _TILE
    window = _samples(y, first, count + chips * _CHIP)
    size = -(-window.shape[0] // 1024) * 1024  # nothing that is used wraps around
    spectrum = torch.fft.fft(window, size)
    filters = torch.fft.fft(torch.from_numpy(filters_r - 1j * filters_i).to(torch.complex64), size).conj()
    weights = torch.from_numpy(weights_r + 1j * weights_i).to(torch.complex64)[:, :chips]
    best = torch.zeros(count)
    arg = torch.zeros(count, dtype=torch.int64)
    if weights.shape[0] == 1:  # one hypothesis: the whole preamble by one FFT
        whole = torch.kron(weights[0], torch.from_numpy(filters_r[0] + 1j * filters_i[0]).to(torch.complex64))
        matched = torch.fft.ifft(spectrum * torch.fft.fft(whole.conj(), size).conj())[:count]
        best = torch.view_as_real(matched).square().sum(-1)
        filters = filters[:0]
    for mix in range(filters.shape[0]):
        rows = np.flatnonzero(which == mix)
        filtered = torch.fft.ifft(spectrum * filters[mix])
        chipped = torch.stack([filtered[index * _CHIP :][:count] for index in range(chips)])
        power = torch.view_as_real(weights[rows] @ chipped).square().sum(-1)
        top, index = power.max(0)
        arg = torch.where(top > best, torch.from_numpy(rows)[index], arg)
        best = torch.maximum(best, top)
    power = _box(torch.view_as_real(window).square().sum(-1), chips * _CHIP)[:count]
    ratio = torch.where(power > 0, best / power.clamp_min(1e-37), 0.0)
    index = _peaks(ratio, threshold, first, pos, metric)
    freq[: len(index)] = grid[arg[index].numpy()]
    return len(index)


def select(
    pos: Any,
    metric: Any,
    freq: Any,
    count: int,
    first: int,
    last: int,
    near: int,
    max_cfo: float,
    folded: bool,
    out_pos: Any,
    out_freq: Any,
    out_metric: Any,
) -> int:
    """Candidates in first…last − 1 without a higher one within `near` samples; with `folded`, every alias of their CFO."""
    keep = np.ones(count, bool)
    for step in range(1, count):
        close = pos[step:count] - pos[: count - step] <= near
        if not close.any():
            break
        later = metric[step:count] > metric[: count - step]
        keep[: count - step] &= ~(close & later)
        keep[step:] &= ~(close & ~later)
    found = 0
    reach = int(max_cfo * _CHIP + 1.0) if folded else 0
    for index in keep.nonzero()[0]:
        for alias in range(-reach, reach + 1):
            value = freq[index] + alias / _CHIP
            good = first <= pos[index] < last and (not folded or abs(value) <= max_cfo + 0.003)
            if good and found < out_pos.shape[0]:
                out_pos[found], out_freq[found], out_metric[found] = pos[index], value, metric[index]
                found += 1
    return found


def verify(
    y: Floats, pos: Any, freq: Any, count: int, chip_r: Floats, chip_i: Floats, code_r: Floats, code_i: Floats,
    step: float, reach: int, out_pos: Any, out_freq: Any, out_metric: Any, out_half: Any,
) -> None:  # fmt: skip
    """Metric of the whole preamble around each candidate, maximised over time and frequency."""
    chips = code_r.shape[0]
    length = chips * _CHIP
    templates = torch.from_numpy(chip_r.astype(np.float64) - 1j * chip_i)
    signs = torch.from_numpy(code_r.astype(np.float64) + 1j * code_i)
    turns = torch.arange(chips, dtype=torch.float64) * _CHIP
    offset = (turns - turns.mean()) / _CHIP
    rows = torch.arange(count)
    f0 = torch.from_numpy(freq[:count].copy())
    base = torch.from_numpy(pos[:count].copy()) - 8
    whole = torch.view_as_complex(torch.from_numpy(y).view(-1, 2))
    window = whole[base[:, None] + torch.arange(length + 16)].to(torch.complex128)
    mixed = templates * torch.exp(-2j * math.pi * f0[:, None, None] * torch.arange(_CHIP))  # [candidate, template, 16]
    pieces = window.unfold(1, length, 1)[:, :16].unflatten(2, (chips, _CHIP))  # [candidate, delay, chip, 16]
    sums = torch.einsum("cdri,cti->ctdr", pieces, mixed) * signs
    tries = f0[:, None] + step * torch.arange(-reach, reach + 1, dtype=torch.float64)
    bank = torch.exp(-2j * math.pi * tries[:, None, :] * turns[:, None])
    power = torch.einsum("ctdr,crf->ctdf", sums, bank).abs().square().flatten(1)
    value, top = power.max(1)
    template, delay, line = top // (16 * tries.shape[1]), top // tries.shape[1] % 16, top % tries.shape[1]
    best, series = tries[rows, line], sums[rows, template, delay]
    for _ in range(3):
        turned = series * torch.exp(-2j * math.pi * best[:, None] * turns)
        total, first, second = turned.sum(1), (offset * turned).sum(1), (offset.square() * turned).sum(1)
        value = total.abs().square()
        curve = first.abs().square() - (total.conj() * second).real
        move = ((total.conj() * first).imag / curve / (2 * math.pi * _CHIP)).clamp(-step, step)
        best = torch.where(curve < 0, best - move, best)
    squares = torch.nn.functional.pad(window.abs().square().cumsum(1), (1, 0))
    energy = squares[rows, delay + length] - squares[rows, delay]
    out_pos[:count] = (base + delay).numpy()
    out_freq[:count] = best.numpy()
    out_half[:count] = template.numpy()
    out_metric[:count] = torch.where(energy > 0, value / energy, 0.0).numpy()
