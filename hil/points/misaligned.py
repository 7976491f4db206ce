"""What superposed transmitters that are not aligned make of each use: phase, power and timing errors, drawn or constant."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from hil.phy.frame import FrameFormat
from hil.phy.quality import use_carriers
from hil.points.simulate import seed_of

__all__ = ["KINDS", "UNIFORM_DEG", "Kind", "error_gains", "seen_by_receiver"]

Kind = Literal["phase", "power", "delay"]
KINDS: dict[Kind, tuple[str, str]] = {
    "phase": ("phase error", "° rms"),
    "power": ("power imbalance", "dB"),
    "delay": ("timing error", "samples"),
}
"""Kind -> words, and the unit of its size."""
UNIFORM_DEG = 180.0
"""Phase error from which on phases are uniform: nothing is aligned."""


def error_gains(kind: Kind, size: float, form: FrameFormat, tasks: int, *, seed: int) -> Tensor:
    """What each transmitter's uses are multiplied by, complex64 [tx, task, use].

    Args:
        kind: of error.
        size: phase: standard deviation (degrees) of every transmitter's phase against the first one's, drawn for each task;
            power: the first transmitter's power over the last one's (dB), those between in equal steps, their mean kept;
            delay: by which all but the first come later (samples).
        form: of the frames that carry the tasks, in order: which carrier a use rides on.
        tasks: how many.
        seed: of what is drawn.
    """
    count = form.transmitters
    shape = (count, tasks, form.occupied.shape[1])
    if kind == "phase":
        generator = torch.Generator().manual_seed(seed_of(seed, "phase error"))
        drawn = torch.randn(count, tasks, generator=generator)
        turned = torch.rand(count, tasks, generator=generator) * 2 * torch.pi
        phase = turned if size >= UNIFORM_DEG else drawn * size * torch.pi / 180
        phase[0] = 0
        return torch.polar(torch.ones_like(phase), phase)[..., None].expand(shape)
    if kind == "power":
        power = 10 ** (torch.linspace(size / 2, -size / 2, count) / 10)
        amplitude = (power / power.mean()).sqrt()
        return amplitude.to(torch.complex64)[:, None, None].expand(shape)
    carriers = torch.tensor([*form.numerology.carriers, 0])[use_carriers(form)]  # −1, of what nobody sends, is the last
    rows = carriers[torch.arange(tasks) % form.tasks].to(torch.float32)
    late = torch.full((count, 1, 1), size)
    late[0] = 0
    phase = -2 * torch.pi / form.numerology.fft_size * late * rows
    return torch.polar(torch.ones_like(phase), phase)


def seen_by_receiver(gains: Tensor, occupied: Tensor) -> tuple[Tensor, Tensor]:
    """Gains over the response that the receiver divides by, the mean of those who share a use; and its power.

    Args:
        gains: complex64 [tx, task, use].
        occupied: bool [tx, use].

    Returns:
        complex64 [tx, task, use], and float32 [task, use]: noise grows by one over it.
    """
    own = occupied[:, None].to(gains.dtype)
    mean = (gains * own).sum(0) / own.real.sum(0).clamp_min(1)
    mean = torch.where(mean.abs() < 1e-3, torch.full_like(mean, 1e-3), mean)
    return gains * own / mean, mean.abs().square()
