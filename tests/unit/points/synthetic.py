"""A point on a channel whose every figure is known: taps and noise are chosen here, in the receiver's own units."""

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from hil.phy.receive import ReceiverConfig
from hil.phy.transmit import build_frame
from hil.points.fragments import cut
from hil.points.spec import PointSpec, Reception, frame_for

TAPS = ((0.5, 0.1j, 0.0, -0.05), (-0.3j, 0.0, 0.08, 0.0), (0.35 + 0.2j, -0.06j, 0.0, 0.02))
"""Of each transmitter's link, one a sample."""


def turns(uses: int, transmitters: int = 1) -> Tensor:
    """Transmitters that take turns over the uses, bool [tx, use]."""
    return torch.eye(transmitters, dtype=torch.bool).repeat_interleave(uses // transmitters, dim=1)


def spec_of(
    occupied: Tensor,
    *,
    tasks: int = 24,
    per_frame: int = 6,
    fragments: int = 1,
    full_scales: tuple[float, ...] = (32768.0,),
    aligned: bool = True,
    first_frame: int = 100,
    **more,
) -> PointSpec:
    """A point of so many tasks."""
    receiver = ReceiverConfig(aligned=aligned)
    frame = frame_for(receiver, 0.0, given={"tasks_per_frame": per_frame})
    return PointSpec(
        scheme="x",
        power=more.pop("power", (1.0,) * len(occupied)),
        snr_db_target=10.0,
        occupied=tuple(tuple(map(bool, row)) for row in occupied),
        tasks=tasks,
        distinct_tasks=tasks,
        fragments=fragments,
        first_frame=first_frame,
        frame=frame,
        receptions=tuple(
            Reception(name=f"rx{index}", full_scale=scale, receiver=receiver) for index, scale in enumerate(full_scales)
        ),
        **more,
    )


def unit_symbols(spec: PointSpec, seed: int = 1) -> Tensor:
    """Symbols of power 1 on occupied uses, QPSK so that every task has it, complex64 [tx, task, use]."""
    occupied = spec.occupancy
    generator = torch.Generator().manual_seed(seed)
    bits = torch.randint(0, 2, (2, len(occupied), spec.tasks, occupied.shape[1]), generator=generator) * 2 - 1
    return torch.complex(bits[0].float(), bits[1].float()) / math.sqrt(2) * occupied[:, None]


@dataclass
class Air:
    """One receiver's channel.

    Attributes:
        spec: of the point; snr_db: of transmitter 0's link at power 1, which sets the noise.
        gain: amplitude in front of everything.
    """

    spec: PointSpec
    snr_db: float = 20.0
    gain: float = 1.0
    seed: int = 7
    taps: tuple[tuple[complex, ...], ...] = TAPS
    draw: np.random.Generator = field(init=False)
    lead: int = field(init=False, default=0)
    """Samples before the last frame that was made."""

    def __post_init__(self) -> None:
        self.draw = np.random.default_rng(self.seed)
        self.form = self.spec.format()
        carriers = np.array(self.form.numerology.carriers)
        self.response = np.array(
            [
                sum(tap * np.exp(-2j * np.pi / 64 * carriers * delay) for delay, tap in enumerate(taps))
                for taps in self.taps[: self.form.transmitters]
            ]
        )
        carrier = (self.gain * self.form.sample_amplitude) ** 2 * (np.abs(self.response) ** 2).mean(1)
        self.noise = carrier[0] / 10 ** (self.snr_db / 10)
        self.link_snr_db = 10 * np.log10(carrier * np.array(self.spec.power) / self.noise)
        """The truth: mean |H_k|² · power_k / noise, dB [tx]."""

    def burst(self, index: int, sent: Tensor, *, fade: Tensor | None = None, full_scale: float = 32768.0) -> np.ndarray:
        """Samples of the point's frame `index` as the receiver gets them, int16 [n, 2]."""
        faded = sent if fade is None else sent * fade[..., None]
        carried = cut(faded, self.spec.cut())
        rows = slice(index * self.form.tasks, (index + 1) * self.form.tasks)
        scale = torch.tensor(self.spec.power).sqrt()
        form = (self.spec.opening() if index == 0 else None) or self.form
        waves = build_frame(carried[:, rows], self.spec.first_frame + index, form, scale=scale).numpy()
        heard = sum(np.convolve(wave, taps) for wave, taps in zip(waves, self.taps, strict=False)) * self.gain
        self.lead = int(self.draw.integers(150, 300))
        return self.noisy(np.concatenate([np.zeros(self.lead), heard, np.zeros(80)]), full_scale)

    @property
    def zero_forced(self) -> np.ndarray:
        """Noise of y/H over data carriers where the response is known, for unit-power symbols, [tx]."""
        data = list(self.form.numerology.data_positions)
        power = (self.gain * self.form.sample_amplitude) ** 2 * np.abs(self.response[:, data]) ** 2
        return (self.noise / power).mean(1) / np.array(self.spec.power)

    @property
    def estimation_cost(self) -> float:
        """What estimating one transmitter's response and phase adds to that, as a share of it.

        The response: taps over carriers and sounding symbols. The phase: half the noise of the pilots of its payload symbols,
        averaged over all of them where oscillators are locked.
        """
        numerology, segment = self.form.numerology, self.form.segments[0]
        receiver = self.spec.receptions[0].receiver
        response = receiver.taps / (numerology.active * self.spec.frame.sounding_symbols)
        pilots = len(self.form.pilots_of(segment, segment.transmitters[0])) * segment.symbols
        return response + 1 / (2 * pilots)

    def silence(self, n: int = 4000, full_scale: float = 32768.0) -> np.ndarray:
        """Noise alone, int16 [n, 2]."""
        return self.noisy(np.zeros(n), full_scale)

    def noisy(self, samples: np.ndarray, full_scale: float) -> np.ndarray:
        noise = self.draw.normal(size=(2, len(samples))) * math.sqrt(self.noise / 2)
        values = (samples + noise[0] + 1j * noise[1]) * full_scale
        codes = np.stack([values.real, values.imag], axis=1).round()
        return codes.clip(-full_scale, full_scale - 1).astype(np.int16)
