"""What training sends through: noise at drawn SNRs, slow fading, misaligned links, and whole frames."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from hil.channel.simulator import ChannelConfig
from hil.models.contract import Plan, Received
from hil.models.recipe import Recipe
from hil.models.training.awgn import receive_awgn
from hil.models.training.frames import FrameLink
from hil.phy.frame import FrameConfig, FrameFormat

__all__ = ["TASKS_PER_FRAME", "TrainingMedium"]

TASKS_PER_FRAME = 32
"""Of one SNR each, where training goes through frames."""
FRAME_NUMBERS = 1 << 20


class TrainingMedium:
    """The channel of a recipe.

    Args:
        recipe: training SNR and channel.
        plan: of the scheme that is trained.
    """

    def __init__(self, recipe: Recipe, plan: Plan) -> None:
        self._range, self._channel, self._plan = recipe.snr_range, recipe.channel, plan
        self._frames: FrameLink | None = None
        if recipe.channel.through == "frames":
            form = FrameFormat(FrameConfig(tasks_per_frame=TASKS_PER_FRAME), plan.occupied)
            links = (ChannelConfig(phase_noise="locked"),) * plan.transmitters
            self._frames = FrameLink(form, links, noise_power=0.0, aligned=True)

    def draw_snr(self, tasks: int, generator: torch.Generator) -> Tensor:
        """Training SNRs, float32 [task], dB: one for each task, or for each frame."""
        count = tasks if self._frames is None else math.ceil(tasks / TASKS_PER_FRAME)
        drawn = self._range.low + (self._range.high - self._range.low) * torch.rand(count, generator=generator)
        return drawn if self._frames is None else drawn.repeat_interleave(TASKS_PER_FRAME)[:tasks]

    def draw_gains(self, tasks: int, generator: torch.Generator) -> Tensor | None:
        """Gains of every task and link, complex64 [tx, task, 1]; None where all are 1."""
        channel, shape = self._channel, (self._plan.transmitters, tasks, 1)
        gains = None
        if channel.fading == "rayleigh":
            gains = torch.randn(*shape, dtype=torch.complex64, generator=generator)
        if channel.phase_error_deg or channel.power_imbalance_db:
            phase = math.radians(channel.phase_error_deg) * torch.randn(*shape, generator=generator)
            size = 10 ** (channel.power_imbalance_db * torch.randn(*shape, generator=generator) / 20)
            turned = torch.polar(size, phase)
            gains = turned if gains is None else gains * turned
        return gains

    def send(self, symbols: Tensor, snr_db: Tensor, generator: torch.Generator) -> Received:
        """What the receiver gets of symbols complex64 [tx, task, use] at SNRs float32 [task] (dB); differentiable in both."""
        gains = self.draw_gains(symbols.shape[1], generator)
        gains = None if gains is None else gains.to(symbols.device)
        if self._frames is None:
            return receive_awgn(self._plan, symbols, snr_db, generator, channel=gains)
        sent = symbols if gains is None else gains * symbols
        first = int(torch.randint(FRAME_NUMBERS, (), generator=generator))
        amplitude = self._frames.form.sample_amplitude
        parts = []
        for index, part in enumerate(sent.cpu().split(TASKS_PER_FRAME, dim=1)):
            noise_power = amplitude**2 * 10 ** (-float(snr_db[index * TASKS_PER_FRAME]) / 10)
            parts.append(self._frames.with_noise(noise_power)(part, first + index))
        channel = torch.cat([part.channel for part in parts], dim=1).to(symbols.device)
        return Received.for_plan(
            self._plan,
            symbols=torch.cat([part.symbols for part in parts]).to(symbols.device),
            noise_var=torch.cat([part.noise_var for part in parts]).to(symbols.device),
            channel=channel if gains is None else channel * gains,
        )
