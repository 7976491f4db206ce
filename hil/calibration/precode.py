"""Transmit pre-equalisation: superposed transmitters arrive with one common, flat response."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hil.errors import CalibrationError
from hil.units import db_to_amplitude

__all__ = ["Precoder", "align", "inversion_energy"]

MAX_INVERSION_DB = 6.0


@dataclass(frozen=True, kw_only=True)
class Precoder:
    """Per-carrier transmit weights.

    Attributes:
        weights: complex64 [tx, active carrier].
        power: float32 [tx], mean |weight|²: what is sent relative to no weights, which also makes up for a link that is
            stronger or weaker than it was calibrated.
        energy: float32 [tx], mean |w|² · mean |H|² / mean |w H|²: what the inversion costs, the power sent with the weights
            over the power that would arrive as strong without them. 1 on a flat channel, whatever its gain.
        limited: carriers whose inversion was limited.
    """

    weights: Tensor
    power: Tensor
    energy: Tensor
    limited: int


def align(response: Tensor, noise: float, snr: float) -> Precoder:
    """Weights with which every transmitter arrives as √(snr · noise) · e^{j arg H_0} on every carrier.

    The common phase is transmitter 0's own, so that its timing does not move; the others get the phase, and so the
    delay, of transmitter 0. Inversion is limited to 6 dB above the transmitter's mean (SIGNALS.md, "NOMA with h = 1").

    Args:
        response: complex64 [tx, active carrier], each transmitter's response, sounded alone.
        noise: noise power a carrier, > 0.
        snr: linear SNR wanted for each transmitter.

    Raises:
        CalibrationError: a transmitter was not heard at all.
    """
    power = response.abs().square()
    if bool((power.mean(-1) <= 0).any()):
        raise CalibrationError("a transmitter was not heard in the sounding frame, so it cannot be aligned; sound again")
    common = torch.polar(torch.full_like(response[0].abs(), (snr * noise) ** 0.5), response[0].angle())
    floor = power.mean(-1, keepdim=True).sqrt() / db_to_amplitude(MAX_INVERSION_DB)
    limited = response.abs() < floor
    bounded = torch.where(limited, torch.polar(floor.expand_as(power), response.angle()), response)
    weights = common / bounded
    return Precoder(
        weights=weights,
        power=weights.abs().square().mean(-1),
        energy=inversion_energy(weights, response),
        limited=int(limited.sum()),
    )


def inversion_energy(weights: Tensor, response: Tensor | None = None) -> Tensor:
    """What pre-equalisation costs, mean |w|² · mean |H|² / mean |w H|², float32 [tx].

    Args:
        weights: complex64 [tx, active carrier].
        response: complex64 [tx, active carrier]; None: 1/weights, which it is (up to a factor) where nothing was limited.
    """
    power = weights.abs().square()
    channel = 1 / power.clamp_min(1e-30) if response is None else response.abs().square()
    return power.mean(-1) * channel.mean(-1) / (power * channel).mean(-1)
