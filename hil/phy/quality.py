"""What a bench wants to know of a received frame beyond its symbols: EVM in detail, transmitters against each other."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from hil.errors import ShapeError
from hil.phy.frame import FrameFormat
from hil.phy.reception import FrameReception

__all__ = ["Evm", "LinkDifference", "NoiseCheck", "evm", "link_differences", "noise_check", "use_carriers"]


@dataclass(frozen=True, kw_only=True)
class Evm:
    """Error vector magnitude in dB: rms, the largest single error, and for each active carrier (NaN where nothing is sent)."""

    rms_db: float
    peak_db: float
    per_carrier_db: Tensor


@dataclass(frozen=True, kw_only=True)
class LinkDifference:
    """A transmitter against transmitter 0 at its sounding: CFO, delay (samples, later is positive), phase, power."""

    tx: int
    cfo_hz: float
    delay_samples: float
    phase_rad: float
    power_db: float


@dataclass(frozen=True, kw_only=True)
class NoiseCheck:
    """Noise a carrier measured in three ways, relative to the frame's own in dB; `spread_db` is the largest disagreement."""

    null_db: float
    pilot_db: float
    spread_db: float


def use_carriers(form: FrameFormat) -> Tensor:
    """Active carrier (index) that each use of each task rides on, int64 [task, use], −1 where nothing is sent."""
    out = torch.full((form.tasks, form.occupied.shape[1]), -1, dtype=torch.int64)
    data = torch.tensor(form.numerology.data_positions)
    for segment in form.segments:
        out[:, segment.uses] = data[segment.cells % len(data)].unflatten(0, (form.tasks, -1))
    return out


def evm(received: Tensor, sent: Tensor, form: FrameFormat) -> Evm:
    """Error of symbols over mean reference power; no gain or phase is fitted.

    Args:
        received, sent: complex64 [..., task, use].
        form: the frame format.

    Raises:
        ShapeError: shapes differ or do not fit the format.
    """
    carriers = use_carriers(form)
    if received.shape != sent.shape or tuple(sent.shape[-2:]) != tuple(carriers.shape):
        raise ShapeError(
            f"Arguments 'received' and 'sent' must be [..., task, use] = {tuple(carriers.shape)}, "
            f"not {tuple(received.shape)} and {tuple(sent.shape)}."
        )
    error = (received - sent).abs().double().square().reshape(-1, carriers.numel())
    used = (carriers >= 0).flatten()
    reference = sent.abs().double().square().reshape(-1, carriers.numel())[:, used].mean()
    total = torch.zeros(form.numerology.active, dtype=torch.float64)
    count = torch.zeros_like(total)
    total.index_add_(0, carriers.flatten()[used], error[:, used].mean(0))
    count.index_add_(0, carriers.flatten()[used], torch.ones(int(used.sum()), dtype=torch.float64))
    ratio = error[:, used] / reference
    return Evm(
        rms_db=_db(float(ratio.mean())),
        peak_db=_db(float(ratio.max())),
        per_carrier_db=10 * torch.log10(total / count / reference),
    )


def link_differences(frame: FrameReception, form: FrameFormat) -> list[LinkDifference]:
    """Every transmitter but the first against the first."""
    carriers = torch.tensor(form.numerology.carriers)
    size = form.numerology.fft_size
    out = []
    for tx in range(1, form.transmitters):
        ratio = frame.response[tx] * frame.response[0].conj()
        steps = carriers[1:] - carriers[:-1] == 1
        slope = (ratio[1:] * ratio[:-1].conj())[steps].sum().angle()
        delay = -float(slope) * size / (2 * math.pi)
        phase = (ratio * torch.exp(2j * math.pi / size * delay * carriers)).sum().angle()
        out.append(
            LinkDifference(
                tx=tx,
                cfo_hz=float(frame.cfo_hz[tx] - frame.cfo_hz[0]),
                delay_samples=delay,
                phase_rad=float(phase),
                power_db=_db(float(frame.signal[tx] / frame.signal[0])),
            )
        )
    return out


def noise_check(frame: FrameReception) -> NoiseCheck:
    """The frame's noise against its null carriers' and its pilots' residual."""
    values = [_db(value / frame.noise) if frame.noise > 0 else math.nan for value in (frame.null_noise, frame.pilot_noise)]
    known = [0.0, *(value for value in values if not math.isnan(value))]
    return NoiseCheck(null_db=values[0], pilot_db=values[1], spread_db=max(known) - min(known))


def _db(value: float) -> float:
    return 10 * math.log10(value) if value > 0 else math.nan if math.isnan(value) else -math.inf
