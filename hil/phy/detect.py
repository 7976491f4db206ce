"""Finding a known waveform in samples: position and carrier frequency offset."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Detection", "correlate", "estimate_cfo", "find", "threshold_for"]


@dataclass(frozen=True, kw_only=True)
class Detection:
    """Where a waveform was found.

    Attributes:
        position: sample of its first sample.
        cfo: carrier frequency offset, cycles a sample.
        metric: |correlation|² over template energy and mean window power; 1 in the mean on noise, at most the length.
    """

    position: int
    cfo: float
    metric: float


def threshold_for(false_alarm: float, length: int, hypotheses: int) -> float:
    """Metric that noise exceeds with probability `false_alarm` at one position (union bound over CFO hypotheses).

    On complex Gaussian noise metric/length is Beta(1, length − 1): P(metric > t) = (1 − t/length)^(length − 1).
    """
    return length * float(1 - (false_alarm / hypotheses) ** (1 / (length - 1)))


def correlate(samples: Tensor, template: Tensor) -> Tensor:
    """Sliding correlation Σ_i y(t + i) p*(i), complex64 [n − length + 1], by FFT."""
    size = 1 << (samples.shape[-1] + template.shape[-1] - 1).bit_length()
    spectrum = torch.fft.fft(samples, size) * torch.fft.fft(template, size).conj()
    correlation: Tensor = torch.fft.ifft(spectrum)
    return correlation[..., : samples.shape[-1] - template.shape[-1] + 1]


def _window_power(samples: Tensor, length: int) -> Tensor:
    """Mean power of each window of `length` samples, float32 [n − length + 1]."""
    total = torch.nn.functional.pad(samples.abs().double().square().cumsum(-1), (1, 0))
    return ((total[length:] - total[:-length]) / length).clamp_min(1e-30).float()


def _mixes(max_cfo: float, spacing: float) -> list[float]:
    steps = math.ceil(max(0.0, max_cfo - spacing / 2) / spacing)
    return [index * spacing for index in range(-steps, steps + 1)]


def find(samples: Tensor, template: Tensor, *, max_cfo: float, false_alarm: float, segment: int = 32) -> list[Detection]:
    """All places where the template stands, strongest first, none closer to another than the template's length.

    With `max_cfo` = 0 one coherent correlation. Else the template is cut in segments of `segment` samples whose
    correlations are combined by an FFT over segments, after mixing to a grid of coarse offsets.

    Args:
        samples: complex64 [n].
        template: complex64 [length].
        max_cfo: largest |CFO| searched, cycles a sample.
        false_alarm: probability of a false alarm at one sample position of noise.
        segment: samples of a segment.

    Returns:
        detections with an integer position and a refined CFO.
    """
    length = template.shape[-1]
    if samples.shape[-1] < length:
        return []
    power = _window_power(samples, length)
    energy = template.abs().square().sum()
    if max_cfo == 0:
        strength = correlate(samples, template).abs().square()
        coarse = torch.zeros_like(strength)
        hypotheses = 1
    else:
        strength, coarse, hypotheses = _bank(samples, template, max_cfo, segment)
    metric = strength / (energy * power)
    threshold = threshold_for(false_alarm, length, hypotheses)
    detections: list[Detection] = []
    while True:
        position = int(metric.argmax())
        best = float(metric[position])
        if not best > threshold:  # also ends on NaN
            return detections
        window = samples[position : position + length]
        cfo = 0.0 if max_cfo == 0 else estimate_cfo(window, template, float(coarse[position]), segment)
        detections.append(Detection(position=position, cfo=cfo, metric=best))
        metric[max(0, position - length) : position + length] = 0


def _bank(samples: Tensor, template: Tensor, max_cfo: float, segment: int) -> tuple[Tensor, Tensor, int]:
    """Best |correlation|² over CFO hypotheses and the hypothesis, float32 [n − length + 1] each; how many hypotheses."""
    length = template.shape[-1]
    count = length // segment
    pieces = template[: count * segment].unflatten(0, (count, segment))
    positions = samples.shape[-1] - length + 1
    size = 2 * count
    fine = torch.fft.fftfreq(size) / segment
    time = torch.arange(samples.shape[-1], dtype=torch.float64)
    best = torch.zeros(positions)
    best_cfo = torch.zeros(positions)
    mixes = _mixes(max_cfo, 0.5 / segment)
    for mix in mixes:
        mixed = samples * torch.exp(-2j * math.pi * mix * time).to(torch.complex64)
        rows = [correlate(mixed, piece)[index * segment :][:positions] for index, piece in enumerate(pieces)]
        power = torch.fft.fft(torch.stack(rows), size, dim=0).abs().square()
        top, which = power.max(0)
        better = top > best
        best = torch.where(better, top, best)
        best_cfo = torch.where(better, fine[which] + mix, best_cfo)
    return best, best_cfo, len(mixes) * size


def estimate_cfo(window: Tensor, template: Tensor, start: float, segment: int = 32) -> float:
    """Maximum-likelihood CFO (cycles a sample) of a known waveform near `start`: periodogram of y p*, interpolated.

    Args:
        window: complex64 [length], aligned with the template.
        template: complex64 [length].
        start: coarse CFO, cycles a sample, right within ±1/(2 · segment).
        segment: samples summed before the periodogram.

    Returns:
        CFO in cycles a sample.
    """
    length = template.shape[-1] - template.shape[-1] % segment
    time = torch.arange(length, dtype=torch.float64)
    product = window[:length] * template[:length].conj() * torch.exp(-2j * math.pi * start * time).to(torch.complex64)
    sums = product.unflatten(0, (-1, segment)).sum(-1)
    return start + peak_frequency(sums) / segment


def peak_frequency(series: Tensor) -> float:
    """Frequency (cycles a step, −½…½) of the peak of the periodogram summed over all but the last axis."""
    size = 16 << (series.shape[-1] - 1).bit_length()
    power = torch.fft.fft(series, size).abs().square()
    power = power.flatten(0, -2).sum(0) if series.ndim > 1 else power
    top = int(power.argmax())
    left, mid, right = (float(power[(top + step) % size]) for step in (-1, 0, 1))
    curvature = left - 2 * mid + right
    offset = 0.5 * (left - right) / curvature if curvature else 0.0
    frequency = (top + offset) / size
    return frequency - 1 if frequency >= 0.5 else frequency
