"""The preamble: one short band-limited chip, repeated under a code of signs.

`preamble[16 r + i] = code[r] · chip[i]`. The nesting makes every detector cheap: a correlation with the whole preamble is
a 16-tap filter followed by a sum over chips, a bank of frequency hypotheses is a short DFT over chips, and products with
the sample one chip later have known signs, so that an autocorrelation finds it at any frequency offset. The code's
aperiodic ambiguity keeps side peaks low; its sign changes spread the chip's lines over all active carriers. What they
spread beyond the active band is filtered out, so that equality above holds within about −11 dB; the exact waveform is
`samples`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hil.errors import ShapeError

__all__ = ["CHIP", "Preamble", "design"]

CHIP = 16
"""Samples of a chip."""


@dataclass(frozen=True)
class Preamble:
    """A preamble as its detectors see it.

    Attributes:
        chip: complex128 [16], mean power 1, no DC.
        code: float64 [chips] of ±1.
        samples: complex128 [16 · chips], the whole waveform, mean power 1.
    """

    chip: NDArray[np.complex128]
    code: NDArray[np.float64]
    samples: NDArray[np.complex128]

    @property
    def sums(self) -> NDArray[np.complex128]:
        """Correlation of each sixteen samples with the chip, over its energy: nearly `code`; complex128 [chips]."""
        found = self.samples.reshape(-1, CHIP) @ self.chip.conj()
        return np.asarray(found / np.sqrt(np.mean(np.abs(found) ** 2)))

    @property
    def length(self) -> int:
        """Samples."""
        return int(self.code.size) * CHIP

    def chip_shifted(self, delay: float) -> NDArray[np.complex128]:
        """The chip delayed by a fraction of a sample (cyclic, which its repetition makes nearly exact)."""
        lines = np.fft.fftfreq(CHIP)
        return np.fft.ifft(np.fft.fft(self.chip) * np.exp(-2j * np.pi * lines * delay))


@lru_cache(maxsize=32)
def design(length: int, seed: int, band: float) -> Preamble:
    """The preamble of a seed.

    Args:
        length: samples, a multiple of 16, at least 64.
        seed: any integer.
        band: half of the occupied bandwidth, cycles a sample; the chip's lines stay inside.

    Raises:
        ShapeError: the length is not a multiple of 16.
    """
    if length % CHIP or length < 4 * CHIP:
        raise ShapeError(f"Argument 'length' must be a multiple of {CHIP}, at least {4 * CHIP}, not {length}.")
    draw = np.random.default_rng([seed & 0xFFFFFFFF, length])
    edge = max(1, min(CHIP // 2 - 1, int(band * CHIP)))
    lines = np.r_[1 : edge + 1, CHIP - edge : CHIP]
    spectra = np.zeros((64, CHIP), complex)
    spectra[:, lines] = np.exp(0.5j * np.pi * draw.integers(0, 4, (64, lines.size)))
    spectra[:, 0] = 1.0  # spread by the code, this line feeds the carriers next to DC
    chips = np.fft.ifft(spectra)
    chips /= np.sqrt(np.mean(np.abs(chips) ** 2, axis=1, keepdims=True))
    chips = chips[np.abs(chips).max(axis=1).argsort()[:8]]
    count = length // CHIP
    codes = draw.choice([-1.0, 1.0], (max(16, min(4096, 60_000 // count)), count))
    codes = codes[_sidelobes(codes).argsort()[: max(4, 600 // count)]]
    options = [_filtered(chip, code, band) for chip in chips for code in codes]
    return min(options, key=lambda option: _cost(option, band))


def _filtered(chip: NDArray[np.complex128], code: NDArray[np.float64], band: float) -> Preamble:
    spectrum = np.fft.fft(np.kron(code, chip))
    spectrum[np.abs(np.fft.fftfreq(spectrum.size)) > band] = 0
    spectrum[0] = 0
    samples = np.fft.ifft(spectrum)
    return Preamble(chip=chip, code=code, samples=samples / np.sqrt(np.mean(np.abs(samples) ** 2)))


def _cost(option: Preamble, band: float) -> float:
    """Error of a least-squares channel on 24 taps at 20 dB, mean and worst over the band, and the loss by filtering."""
    count = 24
    index = np.arange(CHIP, option.length - 4)[:, None] - np.arange(-4, count - 4)
    matrix = np.where(index >= 0, option.samples[np.clip(index, 0, option.length - 1)], 0)
    gram = matrix.conj().T @ matrix
    inverse = np.linalg.inv(gram + 0.01 * count * np.eye(count))
    frequencies = np.linspace(-band, band, 53)
    basis = np.exp(-2j * np.pi * frequencies[:, None] * np.arange(count))
    error = np.einsum("kt,ts,ks->k", basis, inverse @ gram @ inverse, basis.conj()).real * option.length / CHIP
    match = np.abs(np.vdot(np.kron(option.code, option.chip), option.samples)) / option.length
    return float(error.mean() + 0.15 * error.max() - 15 * 2 * np.log(match))


def _sidelobes(codes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Highest side peak of each code's ambiguity function, relative to the power in the overlap, plus its bias to tones."""
    count = codes.shape[1]
    size = 4 * count
    worst = np.zeros(codes.shape[0])
    for lag in range(1, count):
        product = codes[:, lag:] * codes[:, :-lag]
        # The window holds count − lag chips of the signal: the metric there is peak² / (count · (count − lag)).
        peak = np.abs(np.fft.rfft(product, size, axis=1)).max(axis=1) if lag > 2 else np.abs(product.sum(1))
        worst = np.maximum(worst, peak / np.sqrt(count * (count - lag)) * (1.0 if lag > 2 else 2.0))
    bias = np.abs((codes[:, 1:] * codes[:, :-1]).sum(axis=1)) / count
    return np.asarray(worst + 0.5 * bias)
