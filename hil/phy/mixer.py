"""A receiver's mixer: DC offset and I/Q imbalance, estimated blindly and taken back."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from hil.config import Config
from hil.units import power_to_db

__all__ = ["Mixer", "estimate_mixer"]


class Mixer(Config):
    """y = x + image · x* + dc, up to a complex gain that the channel holds.

    Attributes:
        dc_i, dc_q: offset, in units of the samples.
        image_i, image_q: amplitude of the mirrored signal relative to the signal.
    """

    dc_i: float = 0.0
    dc_q: float = 0.0
    image_i: float = 0.0
    image_q: float = 0.0

    @property
    def image_db(self) -> float:
        """Power of the image in dB."""
        power = self.image_i**2 + self.image_q**2
        return power_to_db(power) if power else -math.inf

    def correct(self, samples: Tensor) -> Tensor:
        """Samples as an ideal mixer would give them, complex64 [n]; every sample on its own."""
        real, imag = samples.real - self.dc_i, samples.imag - self.dc_q
        scale = 1 / (1 - self.image_i**2 - self.image_q**2)
        # (z − image z*) / (1 − |image|²), in real arithmetic so that bits do not depend on how a stream is chopped
        first = ((1 - self.image_i) * scale) * real + (-self.image_q * scale) * imag
        second = (-self.image_q * scale) * real + ((1 + self.image_i) * scale) * imag
        return torch.complex(first, second)


def estimate_mixer(samples: Tensor) -> Mixer:
    """DC offset from the mean, image from the mean square, which is zero for a circular signal.

    With z = y − dc, E z² / (2 E|z|²) = image / (1 + |image|²). The image's error over n samples is about 1/√(2 n), the
    offset's about σ/√n: take a long stretch.

    Args:
        samples: complex64 [n], n ≥ 2, of OFDM or noise, with a CFO or a null DC carrier.
    """
    wide = samples.to(torch.complex128)
    offset = complex(wide.mean())
    rest = wide - offset
    power = float(rest.abs().square().mean())
    skew = complex(rest.square().mean()) / (2 * power) if power > 0 else 0j
    size = min(abs(skew), 0.499)
    image = skew / abs(skew) * (1 - math.sqrt(1 - 4 * size * size)) / (2 * size) if size > 0 else 0j
    return Mixer(dc_i=offset.real, dc_q=offset.imag, image_i=image.real, image_q=image.imag)
