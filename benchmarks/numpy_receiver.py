"""The receiver that one writes by hand: Schmidl and Cox's metric over the whole stream in numpy, then a loop over frames.

Frame: a symbol of two equal halves, a known symbol for fine timing, a known symbol for a least-squares channel, 20 data
symbols on carriers ±1…±26 of which ±7 and ±21 are pilots for the common phase. Zero-forcing. A peer, not part of the package.

Source: Schmidl and Cox, "Robust frequency and timing synchronization for OFDM", IEEE Trans. Communications 45(12), 1997.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.liquid import Reception
from benchmarks.streams import CP, DATA_SYMBOLS, FFT, FRAME, SYMBOL, Complex

__all__ = ["CARRIERS", "ENERGY", "receive", "transmit"]

BINS = np.r_[-26:0, 1:27] % FFT
_PILOTS = np.flatnonzero(np.isin(BINS, np.array([-21, -7, 7, 21]) % FFT))
_DATA = np.setdiff1d(np.arange(len(BINS)), _PILOTS)
CARRIERS = len(_DATA)
ENERGY = FFT / len(BINS)
"""Mean power of an active carrier: the samples' power is 1."""
_HALF = FFT // 2
_THRESHOLD = 0.5
_EARLY = 4  # samples by which FFT windows start early


def _preamble() -> tuple[Complex, Complex]:
    """Frequency domain of the three known symbols [3, 64], and the second's samples [64]."""
    rng = np.random.default_rng(2024)
    grid = np.zeros((3, FFT), dtype=np.complex64)
    even = BINS[BINS % 2 == 0]
    grid[0, even] = np.sqrt(2) * np.exp(0.5j * np.pi * rng.integers(0, 4, len(even)))
    grid[1:, BINS] = np.exp(0.5j * np.pi * rng.integers(0, 4, (2, len(BINS))))
    return grid, (np.fft.ifft(grid[1], norm="ortho") * np.sqrt(ENERGY)).astype(np.complex64)


_GRID, _SECOND = _preamble()


def transmit(payload: Complex) -> Complex:
    """Payload [frame, symbol, carrier] to samples [frame, 1840] of mean power 1."""
    grid = np.zeros((len(payload), 3 + DATA_SYMBOLS, FFT), dtype=np.complex64)
    grid[:, :3] = _GRID
    grid[:, 3:, BINS[_DATA]] = payload
    grid[:, 3:, BINS[_PILOTS]] = 1
    time = np.fft.ifft(grid, norm="ortho") * np.sqrt(ENERGY)
    return np.concatenate([time[..., -CP:], time], axis=-1).reshape(len(payload), FRAME).astype(np.complex64)


def _metric(x: Complex) -> tuple[Complex, NDArray[np.float64]]:
    product = np.cumsum(np.conj(x[:-_HALF]) * x[_HALF:], dtype=np.complex128)
    power = np.cumsum(np.abs(x) ** 2, dtype=np.float64)
    p = product[_HALF:] - product[:-_HALF]
    r = power[2 * _HALF :] - power[_HALF:-_HALF]
    first = power[_HALF:-_HALF] - power[: -2 * _HALF]
    metric = np.abs(p) ** 2 / np.maximum(r * first, 1e-30)
    return p, metric[: len(p)]


def receive(x: Complex) -> Reception:
    """All frames of a stream, samples [n]."""
    p, metric = _metric(x)
    above = np.flatnonzero(metric > _THRESHOLD)
    starts, offsets, symbols = [], [], []
    at, end = 0, 0
    while at < len(above):
        if above[at] < end:
            at = int(np.searchsorted(above, end))
            continue
        low = int(above[at])
        peak = low + int(np.argmax(metric[low : low + SYMBOL]))
        epsilon = float(np.angle(p[peak]) / np.pi)
        window = x[peak + FFT - 24 : peak + 2 * SYMBOL + 24]
        if len(window) < FFT + 48:
            break
        turned = window * np.exp(-2j * np.pi * epsilon / FFT * np.arange(len(window)))
        strength = np.abs(np.correlate(turned, _SECOND, mode="valid"))
        known = peak + FFT - 24 + int(np.argmax(strength)) + 1  # p[k] belongs to samples k + 1 … k + 64
        start = known - SYMBOL - CP - 1
        frame = x[max(start, 0) : start + FRAME]
        if start < 0 or len(frame) < FRAME:
            at += 1
            continue
        frame = frame * np.exp(-2j * np.pi * epsilon / FFT * np.arange(FRAME))
        windows = frame[2 * SYMBOL :].reshape(-1, SYMBOL)[:, CP - _EARLY : CP - _EARLY + FFT]
        grid = np.fft.fft(windows, norm="ortho")[:, BINS]
        with np.errstate(all="ignore"):  # a stream without any noise has empty carriers
            equalised = grid[1:] / (grid[0] / _GRID[2, BINS])
            equalised *= np.exp(-1j * np.angle(equalised[:, _PILOTS].sum(axis=1, keepdims=True)))
        starts.append(start)
        offsets.append(epsilon)
        symbols.append(equalised[:, _DATA])
        end = start + FRAME - SYMBOL
        at = int(np.searchsorted(above, end))
    shape = (len(starts), DATA_SYMBOLS, CARRIERS)
    received = np.array(symbols, dtype=np.complex64).reshape(shape)
    return Reception(starts=np.array(starts, dtype=np.int64), cfo=np.array(offsets), symbols=received)
