"""What training sends through: noise at drawn SNRs, slow fading, misaligned links, whole frames, and captured channels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from hil.channel.simulator import ChannelConfig
from hil.errors import ModelError
from hil.models.contract import Plan, Received
from hil.models.recipe import Recipe
from hil.models.training.awgn import receive_awgn
from hil.models.training.frames import FrameLink, drawn_from_capture
from hil.phy.frame import FrameConfig, FrameFormat

__all__ = ["TASKS_PER_FRAME", "CapturedLinks", "Drawn", "TrainingMedium"]

TASKS_PER_FRAME = 32
"""Of one SNR each, where training goes through frames."""
FRAME_NUMBERS = 1 << 20


@dataclass(frozen=True, kw_only=True)
class CapturedLinks:
    """What tasks of captures met on their way.

    Attributes:
        channel: complex64 [tx, captured task, use], G/Ḡ, with fades if any; zero where not sent.
        noise_var: float32 [captured task, use].
        captures: what tells the captures from others.
    """

    channel: Tensor
    noise_var: Tensor
    captures: tuple[str, ...]

    @property
    def snr_db(self) -> Tensor:
        """Mean power of those who sent over the noise, of each captured task, float32 [captured task], dB."""
        sent = self.channel != 0
        power = (self.channel.abs().square().sum((0, 2)) / sent.sum((0, 2)).clamp_min(1)).clamp_min(1e-12)
        used = sent.any(0)
        noise = ((self.noise_var * used).sum(1) / used.sum(1).clamp_min(1)).clamp_min(1e-12)
        return 10 * torch.log10(power / noise)


class Drawn(NamedTuple):
    """What a batch is sent through: SNRs, float32 [task], dB; and which captured tasks, int64 [task], where there are any."""

    snr_db: Tensor
    rows: Tensor | None = None


class TrainingMedium:
    """The channel of a recipe.

    Args:
        recipe: training SNR and channel.
        plan: of the scheme that is trained.
    """

    def __init__(self, recipe: Recipe, plan: Plan) -> None:
        self._range, self._channel, self._plan = recipe.snr_range, recipe.channel, plan
        self._frames: FrameLink | None = None
        self._captured: CapturedLinks | None = None
        if recipe.channel.through == "frames":
            form = FrameFormat(FrameConfig(tasks_per_frame=TASKS_PER_FRAME), plan.occupied)
            links = (ChannelConfig(phase_noise="locked"),) * plan.transmitters
            self._frames = FrameLink(form, links, noise_power=0.0, aligned=True)

    def take(self, links: CapturedLinks) -> None:
        """Send through captured channels from now on.

        Raises:
            ModelError: they have other transmitters or uses than the scheme, or none of their tasks was received.
        """
        shape = tuple(self._plan.occupied.shape)
        found = (links.channel.shape[0], links.channel.shape[2])
        if found != shape or not links.channel.shape[1]:
            raise ModelError(
                f"the captures hold {links.channel.shape[1]} tasks of [tx, use] = {list(found)}, and the scheme sends "
                f"{list(shape)}; take a capture of a scheme that sends as much"
            )
        self._captured = links

    def draw(self, tasks: int, generator: torch.Generator) -> Drawn:
        """What a batch is sent through: an SNR for each task, for each frame, or that of a captured task.

        Raises:
            ModelError: the recipe asks for captured channels, and none were given.
        """
        if self._captured is not None:
            rows = torch.randint(self._captured.channel.shape[1], (tasks,), generator=generator)
            return Drawn(self._captured.snr_db[rows], rows)
        if self._channel.through == "capture":
            raise ModelError("the recipe trains through captured channels: name the capture with hil train --from-capture FILE")
        count = tasks if self._frames is None else math.ceil(tasks / TASKS_PER_FRAME)
        drawn = self._range.low + (self._range.high - self._range.low) * torch.rand(count, generator=generator)
        return Drawn(drawn if self._frames is None else drawn.repeat_interleave(TASKS_PER_FRAME)[:tasks])

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

    def send(self, symbols: Tensor, drawn: Drawn, generator: torch.Generator) -> Received:
        """What the receiver gets of symbols complex64 [tx, task, use]; differentiable."""
        snr_db = drawn.snr_db
        if self._captured is not None and drawn.rows is not None:
            links, where = self._captured, symbols.device
            got = drawn_from_capture(symbols.cpu(), links.channel, links.noise_var, generator, rows=drawn.rows)
            noise_var, channel = got.noise_var.to(where), got.channel.to(where)
            return Received.for_plan(self._plan, symbols=got.symbols.to(where), noise_var=noise_var, channel=channel)
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
