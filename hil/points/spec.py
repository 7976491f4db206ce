"""What one point is: all that the receiver and the scorer must know of it. Stored with it, so that a replay builds the same."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from hil.calibration.gate import GateConfig
from hil.config import Config, merged, validate
from hil.phy.frame import FrameConfig, FrameFormat, sounding_symbols_for
from hil.phy.header import repetitions_for
from hil.phy.receive import ReceiverConfig
from hil.points.fragments import Dealt, fragment_map
from hil.points.kinds import UNALIGNED_NAME, Energy, Fading
from hil.radios.bench import BenchConfig
from hil.units import db_to_power

__all__ = ["PointSpec", "Reception", "frame_for", "receiver_for", "transmit_power"]

LOCKED_PHASE_RAD = 0.035
"""Of locked oscillators: 1° rms at either end, seen at two times (SIGNALS.md, "Oscillators, clocks, air time")."""
SEARCH_PPM = 50.0
"""Carrier offset that is searched between free oscillators: two of ±20 ppm, as in a Pluto, and what age and heat add."""
SHAPE_MEMORY = 256
"""Sounding symbols that the shape of a static link rests on at most: the fade-in of a change is 32 frames of 8."""
EMULATED_BACK_OFF_DB = 8.0
"""Less digital level where drawn fades multiply the payload: their peaks must not clip (SIGNALS.md, "Slow fading")."""


class Reception(Config):
    """One receiver of a point.

    Attributes:
        name: in the bench.
        full_scale: int16 value of its full scale.
        receiver: how it receives.
    """

    name: str = "rx"
    full_scale: float = Field(gt=0)
    receiver: ReceiverConfig


class PointSpec(Config):
    """One scheme at one SNR target with fixed radio settings.

    Attributes:
        scheme: name of the scheme.
        energy: how transmit power is counted (papers/README: Power).
        power: power of each transmitter's payload symbols relative to the unit-power transmitter of the SNR axis.
        fading: none, or where it happens (SIGNALS.md, "Slow fading over the air").
        snr_db_target: SNR of a unit-power transmitter asked for, at the first receiver (dB).
        occupied: bool [tx][use].
        tasks: tasks sent; task t of a visit to the point is distinct task t modulo `distinct_tasks`.
        distinct_tasks: distinct tasks among them.
        fragments: frames that one task is cut into (`hil.points.fragments`); then a frame carries one of them.
        dealt: how its uses are dealt out to them; captures that do not say have them in blocks.
        repeats: visits to the point during a run, each with as many of the tasks and the same distinct ones.
        first_frame: number of its first frame; frame f carries tasks f · tasks_per_frame and following.
        frame: its configuration.
        opening_symbols: sounding symbols of a transmitter in its first frame, which the shape of G begins with; None: as in
            every frame.
        receptions: who receives.
        rx_csi: what the scheme's plan asks the receiver for.
        tx_snr_db: SNR of each link that the encoder was told (dB); None if its plan does not ask.
        alignments: how often superposed transmitters are aligned in a visit, each time for its share of the frames; None: once,
            and nothing of a round is in intervals.
        gate: bounds of an alignment; None: none.
        seeded: the receiver begins each alignment's frames with the response that the alignment leads to expect; False: with
            frames' own soundings alone, as all captures before there was this setting.
        match_clocks: superposed transmitters on free oscillators are sent as one oscillator would.
        fade_samples: how long a fade of the links lasts, device samples, so that frames may share one; None: not known.
    """

    scheme: str
    energy: Energy = "per_use"
    power: tuple[float, ...]
    fading: Fading = "none"
    snr_db_target: float
    occupied: tuple[tuple[bool, ...], ...]
    tasks: int = Field(ge=1)
    distinct_tasks: int = Field(ge=1)
    fragments: int = Field(1, ge=1)
    dealt: Dealt = "blocks"
    repeats: int = Field(1, ge=1)
    first_frame: int = Field(ge=0)
    frame: FrameConfig
    opening_symbols: int | None = Field(None, ge=2)
    receptions: tuple[Reception, ...] = Field(min_length=1)
    rx_csi: Literal["none", "snr", "channel"] = "none"
    tx_snr_db: tuple[float, ...] | None = None
    alignments: int | None = Field(None, ge=1)
    gate: GateConfig | None = None
    seeded: bool = False
    match_clocks: bool = False
    fade_samples: int | None = Field(None, ge=1)

    @property
    def name(self) -> str:
        """Unique in a capture."""
        return f"{self.scheme} {self.snr_db_target:+g} dB {self.energy}"

    @property
    def frames(self) -> int:
        """Frames of the point."""
        return math.ceil(self.tasks * self.fragments / self.frame.tasks_per_frame)

    @property
    def superposed(self) -> bool:
        """Whether some use is shared by transmitters."""
        return bool((self.occupancy.sum(0) > 1).any())

    @property
    def aligned(self) -> bool:
        """Whether its transmitters are superposed and pre-equalised."""
        return self.superposed and self.receptions[0].receiver.aligned and not self.scheme.endswith(UNALIGNED_NAME)

    @property
    def by_channel(self) -> bool:
        """Whether only the channel that each use met says what to expect of it.

        Its links fade, or superposed transmitters stand to each other as the front ends have them.
        """
        return self.fading == "air" or (self.superposed and not self.aligned)

    @property
    def told(self) -> bool:
        """Whether each alignment tells the receiver what to expect."""
        return self.seeded and self.aligned and self.receptions[0].receiver.shape_memory > 0

    @property
    def occupancy(self) -> Tensor:
        """Occupied uses, bool [tx, use]."""
        return torch.tensor(self.occupied, dtype=torch.bool)

    def cut(self) -> Tensor:
        """Which use of the task rides where, int64 [fragment, use of a fragment]; −1: nothing."""
        return fragment_map(self.occupancy, self.fragments, self.dealt)

    def format(self) -> FrameFormat:
        """The frame format."""
        return self._format(self.frame)

    def opening(self) -> FrameFormat | None:
        """The format of its first frame, where that is another one."""
        if self.opening_symbols is None:
            return None
        return self._format(self.frame.model_copy(update={"sounding_symbols": self.opening_symbols}))

    def _format(self, frame: FrameConfig) -> FrameFormat:
        occupied = self.occupancy
        if self.fragments > 1:  # all fragments occupy the same cells, the last ones perhaps with nothing to say
            occupied = occupied[:, self.cut()[0]]
        return FrameFormat(frame, occupied)

    def with_receiver(self, settings: Mapping[str, Any]) -> PointSpec:
        """The same point, received with other settings; without any, this one."""
        if not settings:
            return self
        receptions = [one.model_dump() | {"receiver": one.receiver.model_dump() | dict(settings)} for one in self.receptions]
        return validate(PointSpec, self.model_dump() | {"receptions": receptions}, f"point '{self.name}'")

    def task_index(self) -> Tensor:
        """Distinct task of each task sent, int64 [task]."""
        return (torch.arange(self.tasks // self.repeats) % self.distinct_tasks).repeat(self.repeats)

    def measured(self, repeats: int) -> PointSpec:
        """The same point visited so many times, for as many tasks each time as it has."""
        return self.model_copy(update={"repeats": repeats, "tasks": repeats * self.tasks})

    def visits(self) -> Tensor:
        """Visit to the point that each task was sent in, int64 [task]."""
        return torch.arange(self.repeats).repeat_interleave(self.tasks // self.repeats)

    def visit_of(self, number: NDArray[np.int64]) -> NDArray[np.int64]:
        """Visit that frames were sent in, by their numbers."""
        return (number - self.first_frame) // (self.frames // self.repeats)


def transmit_power(occupied: Tensor, energy: Energy) -> tuple[float, ...]:
    """Power of each transmitter's occupied uses, relative to a unit-power transmitter (papers/README: Power).

    per_use: 1. per_device: ‖x_i‖² = q, so q/n_i. per_task: Σ ‖x_i‖² = q, so q/Σ n_i.
    """
    counts = [int(count) for count in occupied.sum(1)]
    uses = occupied.shape[1]
    if energy == "per_use":
        return tuple(1.0 for _ in counts)
    if energy == "per_device":
        return tuple(uses / count for count in counts)
    return tuple(uses / sum(counts) for _ in counts)


def receiver_for(bench: BenchConfig, given: Mapping[str, Any] | None = None) -> ReceiverConfig:
    """The receiver that fits a bench: no CFO search on a shared reference, else ±50 ppm (25 at either end).

    Args:
        bench: whose rate, carrier and clock it is to fit.
        given: settings that the run asks for, in the place of these.

    Raises:
        ConfigError: a setting is unknown or out of range.
    """
    shared = bench.clock == "shared"
    fitting: dict[str, Any] = {
        "sample_rate_hz": bench.sample_rate_hz,
        "center_freq_hz": bench.center_freq_hz,
        "max_cfo_hz": 0.0 if shared else SEARCH_PPM * 1e-6 * bench.center_freq_hz,
        "phase_walk_rad2": 0.0 if shared else 1e-4,
        "phase_noise_rad": LOCKED_PHASE_RAD if shared else None,
        "aligned": shared,
        "shape_memory": 0 if any(link.fading != "none" for link in bench.links) else SHAPE_MEMORY,
    }
    return validate(ReceiverConfig, {**fitting, **(given or {})}, "receiver")


def frame_for(
    receiver: ReceiverConfig, lowest_snr_db: float, *, given: Mapping[str, Any] | None = None, fading: Fading = "none"
) -> FrameConfig:
    """Frames that still work at the lowest SNR of the plan: preamble, sounding and header sized for it.

    Args:
        receiver: whose taps the sounding must carry.
        lowest_snr_db: of the plan.
        given: settings that the run asks for, in the place of these.
        fading: drawn fades need room below full scale.

    Raises:
        ConfigError: a setting is unknown or out of range, or the SNR is too low.
    """
    asked = dict(given or {})
    base = validate(FrameConfig, asked, "frame")
    # The matched-filter bound is −7 dB for 240 samples; 3 dB of margin keep misses below 1e-6.
    sized: dict[str, Any] = {"preamble_samples": 240 * max(1, math.ceil(db_to_power(-7.0 + 3.0 - lowest_snr_db) - 0.05))}
    if "sounding_symbols" not in asked:
        sized["sounding_symbols"] = sounding_symbols_for(lowest_snr_db, taps=receiver.taps, active=base.numerology.active)
    if "header_repetitions" not in asked:
        sized["header_repetitions"] = repetitions_for(lowest_snr_db)
    if fading == "emulated":
        sized["digital_rms_dbfs"] = base.digital_rms_dbfs - EMULATED_BACK_OFF_DB
    return validate(FrameConfig, merged({**base.model_dump(), **sized}, asked, "frame"), "frame")
