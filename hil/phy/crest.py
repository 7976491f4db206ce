"""Peaks on their way to a converter: how high they are, clipping them, what a converter clips."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from hil.errors import ShapeError
from hil.phy.frame import FrameFormat
from hil.phy.ofdm import demodulate, modulate
from hil.units import db_to_amplitude, power_to_db

__all__ = ["clip_and_filter", "exceedance", "papr_db", "to_int16"]


def papr_db(samples: Tensor) -> Tensor:
    """Peak over mean power of each waveform in dB; complex [..., n] to float64 [...]."""
    power = samples.abs().double().square()
    return 10 * torch.log10(power.amax(-1) / power.mean(-1).clamp_min(1e-300))


def exceedance(samples: Tensor, levels_db: Tensor) -> Tensor:
    """CCDF: share of samples whose power exceeds the mean by each level.

    A Gaussian waveform gives exp(−10^(level/10)).

    Args:
        samples: complex [...], all taken together.
        levels_db: float [level].

    Returns:
        float64 [level].
    """
    power = samples.abs().double().square().flatten()
    ratio = power.sort().values / power.mean()
    beyond = ratio.numel() - torch.searchsorted(ratio, 10 ** (levels_db.double() / 10), right=True)
    return beyond.double() / ratio.numel()


def clip_and_filter(waves: Tensor, form: FrameFormat, *, limit_db: float, rounds: int = 3) -> Tensor:
    """Clip a frame's OFDM symbols and take the distortion outside the active carriers away again, several times.

    Args:
        waves: complex64 [..., samples] as built for `form`.
        form: the frame format.
        limit_db: clipping level over the format's rms, dB.
        rounds: how often.

    Returns:
        same shape; preamble and silent symbol are left as they are.

    Raises:
        ShapeError: not frames of this format.

    Source: Armstrong, "Peak-to-average power reduction for OFDM by repeated clipping and frequency domain filtering",
    Electronics Letters 38(5), 2002.
    """
    if waves.shape[-1] != form.samples:
        raise ShapeError(f"Argument 'waves' must have {form.samples} samples a frame, not {waves.shape[-1]}.")
    limit = db_to_amplitude(form.config.digital_rms_dbfs + limit_db)
    numerology = form.numerology
    body = waves[..., form.sounding_start :]
    for _ in range(rounds):
        size = body.abs()
        clipped = torch.where(size > limit, body * (limit / size.clamp_min(1e-30)), body)
        body = modulate(demodulate(clipped, numerology)[..., list(numerology.bins)], numerology)
    return torch.cat([waves[..., : form.sounding_start], body], dim=-1)


def to_int16(samples: Tensor, *, full_scale: int = 32767, back_off_db: float = 0.0) -> tuple[Tensor, int, float]:
    """Samples for a converter, and what it does not reach.

    Args:
        samples: complex64 [..., n], full scale 1.0.
        full_scale: largest code.
        back_off_db: attenuation before rounding, dB.

    Returns:
        int16 [..., n, 2]; number of samples with I or Q clipped; rms in dB of full scale.
    """
    values = torch.view_as_real(samples) * (full_scale * db_to_amplitude(-back_off_db))
    codes = values.round()
    limited = codes.clamp(-full_scale - 1, full_scale)
    clipped = int((limited != codes).any(-1).sum())
    mean = float(codes.double().square().sum(-1).mean()) if codes.numel() else 0.0
    level = power_to_db(mean / full_scale**2) if mean > 0 else -math.inf
    return limited.to(torch.int16), clipped, level
