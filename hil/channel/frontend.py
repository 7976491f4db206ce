"""What the analogue front ends do: amplifier, I/Q imbalance, DC offset, converters, gain steps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = [
    "add_dc",
    "clip_probability",
    "convert",
    "iq_image_db",
    "iq_imbalance",
    "iq_power",
    "memory_polynomial",
    "quantisation_noise",
    "quantise",
    "rapp",
]


def rapp(samples: Tensor, saturation: float, smoothness: float = 2.0) -> Tensor:
    """Solid-state amplifier: |y| = |x| / (1 + (|x|/A)^2p)^(1/2p), phase kept, small-signal gain 1.

    Args:
        samples: complex64 [...].
        saturation: A, the largest output amplitude.
        smoothness: p; large = hard limiter.

    Source: Rapp, "Effects of HPA-nonlinearity on a 4-DPSK/OFDM-signal", ESA SP-332, 1991.
    """
    ratio = (samples.abs() / saturation) ** (2 * smoothness)
    return samples / (1 + ratio) ** (1 / (2 * smoothness))


def memory_polynomial(samples: Tensor, terms: Sequence[tuple[int, int, int, float, float]]) -> Tensor:
    """Generalised memory polynomial: y(n) = Σ c · x(n − l) · |x(n − l − m)|^k over terms (k, l, m, Re c, Im c).

    m = 0: aligned, m > 0: the envelope lags, m < 0: it leads. Beyond the levels that coefficients were fitted to it diverges.

    Args:
        samples: complex64 [..., n], full scale 1.0; 0 before and behind.
        terms: of which k and l are not negative.

    Source: Morgan, Ma, Kim, Zierdt, Pastalan, "A Generalized Memory Polynomial Model for Digital Predistortion of RF Power
    Amplifiers", IEEE Trans. Signal Processing 54(10), 2006, eq. (24).
    """
    envelope = samples.abs()
    out = torch.zeros_like(samples)
    for order, delay, lag, real, imaginary in terms:
        own = _later(samples, delay)
        if order:
            own = own * _later(envelope, delay + lag) ** order
        out = out + own * complex(real, imaginary)
    return out


def _later(values: Tensor, by: int) -> Tensor:
    """Values [..., n] moved by so many samples, of either sign; 0 comes in."""
    if abs(by) >= values.shape[-1]:
        return torch.zeros_like(values)
    return F.pad(values, (max(by, 0), max(-by, 0)))[..., max(-by, 0) : values.shape[-1] + max(-by, 0)]


def iq_imbalance(samples: Tensor, gain_db: float, phase_deg: float) -> Tensor:
    """Mixer imbalance y = α x + β x*, with α = (1 + g e^{jθ})/2, β = (1 − g e^{jθ})/2 and g the Q/I amplitude ratio."""
    skew = 10 ** (gain_db / 20) * complex(math.cos(math.radians(phase_deg)), math.sin(math.radians(phase_deg)))
    return samples * ((1 + skew) / 2) + samples.conj() * ((1 - skew) / 2)


def iq_power(gain_db: float, phase_deg: float) -> float:
    """Power |α|² that `iq_imbalance` leaves in the signal beside its image, relative to what comes in."""
    skew = 10 ** (gain_db / 20) * complex(math.cos(math.radians(phase_deg)), math.sin(math.radians(phase_deg)))
    return abs(1 + skew) ** 2 / 4


def iq_image_db(gain_db: float, phase_deg: float) -> float:
    """Power of the image |β/α|² of `iq_imbalance` in dB."""
    skew = 10 ** (gain_db / 20) * complex(math.cos(math.radians(phase_deg)), math.sin(math.radians(phase_deg)))
    return 20 * math.log10(abs(1 - skew) / abs(1 + skew)) if skew != 1 else -math.inf


def add_dc(samples: Tensor, offset: complex) -> Tensor:
    """Leakage of the local oscillator, in the units of the samples."""
    return samples + offset


def convert(samples: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """Round to a converter of `bits` bits and clip at its ends.

    Args:
        samples: complex64 [n], full scale 1.0.
        bits: 2 … 16.

    Returns:
        codes int16 [n, 2] (LSB-aligned: full scale is 2^(bits−1)), and clipped bool [n]: I or Q was beyond the range.
    """
    scale = float(1 << (bits - 1))
    codes = (torch.view_as_real(samples) * scale).round_()
    limited = codes.clamp(-scale, scale - 1)
    return limited.to(torch.int16), (limited != codes).any(dim=-1)


def quantisation_noise(bits: int) -> float:
    """Power of the rounding error of a complex sample, full scale 1.0: 2 Δ²/12 with Δ = 2^(1−bits)."""
    step = 2.0 ** (1 - bits)
    return step * step / 6


def clip_probability(rms: float) -> float:
    """Probability that I or Q of a circular Gaussian of rms amplitude `rms` exceeds full scale 1.0.

    The envelope exceeds it more often, with probability exp(−1/rms²): 1.3e-7 at −12 dBFS rms, 3.5e-4 at −9.
    """
    one = math.erfc(1 / rms)
    return 1 - (1 - one) ** 2


def quantise(samples: Tensor, bits: int) -> Tensor:
    """As `convert`, but complex64 with full scale 1.0; gradients pass straight through, not where clipped."""
    scale = float(1 << (bits - 1))
    parts = torch.view_as_real(samples).clamp(-1.0, (scale - 1) / scale)
    return torch.view_as_complex(parts + ((parts * scale).round() / scale - parts).detach())
