"""What a run measures and how: one `run.toml`. Default < file < flag."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence, Sized
from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from hil.calibration.gate import GateConfig
from hil.config import Config, validate
from hil.points.kinds import Energy
from hil.radios.amplifier import AmplifierConfig
from hil.registry import SCHEMES

__all__ = [
    "MOST_SNRS",
    "CalibrateConfig",
    "ReplayConfig",
    "RunConfig",
    "SendConfig",
    "SensitivityConfig",
    "Simulate",
    "alignment_settings",
]

Simulate = Literal["none", "awgn", "channel"]
SNRS_DB = (-6.0, -3.0, 0.0, 3.0, 6.0, 9.0, 12.0, 15.0)

MOST_SNRS = 1000
MOST_REPEATS = 1000
MOST_SEED = 2**63 - 1


class _Receiving(Config):
    """What everything that receives has in common.

    Attributes:
        receiver: settings of `hil.phy.reception.ReceiverConfig`, in the place of those that fit the bench.
    """

    receiver: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _paths_are_text(cls, data: Any) -> Any:
        """From Python a path may be a `Path`; files hold text."""
        if not isinstance(data, dict):
            return data
        return {key: str(value) if isinstance(value, PurePath) else value for key, value in data.items()}

    @field_validator("receiver")
    @classmethod
    def _receiver_fits(cls, given: dict[str, Any]) -> dict[str, Any]:
        if not given:
            return given
        from hil.phy.reception import ReceiverConfig

        validate(ReceiverConfig, given, "receiver")
        return given


class _OnBench(_Receiving):
    """What everything that sends has in common.

    Attributes:
        bench: name or path of the bench.
        frame: settings of `hil.phy.frame.FrameConfig`, in the place of those that are sized for the plan.
        seed: of all that is drawn.
        amplifier: of all simulated transmitters, in the place of what the bench file says.
        air_seed: of the simulated air (noise, fading, oscillators); None: follows from `seed`, which is 1 for the bench file's.
    """

    bench: str = "builtin"
    frame: dict[str, Any] = Field(default_factory=dict)
    amplifier: AmplifierConfig | None = None
    seed: int = Field(1, ge=0, le=MOST_SEED)
    air_seed: int | None = Field(None, ge=0, le=MOST_SEED)

    def air_seed_on(self, bench_seed: int) -> int:
        """Seed of the air of a bench whose file has `bench_seed`: another for every seed, and the file's for seed 1."""
        if self.air_seed is not None:
            return self.air_seed
        if self.seed == 1:
            return bench_seed
        digest = hashlib.sha256(f"air {bench_seed} {self.seed}".encode()).digest()
        return int.from_bytes(digest[:6], "big")

    @model_validator(mode="before")
    @classmethod
    def _text_is_text(cls, data: Any) -> Any:
        try:
            json.dumps(data, ensure_ascii=False, default=str).encode()
        except UnicodeEncodeError as err:
            raise ValueError("a name or path has bytes that are no UTF-8, which no file can record; rename it") from err
        return data

    @field_validator("frame")
    @classmethod
    def _frame_fits(cls, given: dict[str, Any]) -> dict[str, Any]:
        if not given:
            return given
        from hil.phy.frame import FrameConfig

        validate(FrameConfig, given, "frame")
        return given


class _Aligning(_OnBench):
    """What everything that may superpose transmitters has in common.

    Attributes:
        alignments: how often superposed transmitters that must be (h = 1) are aligned in a point, each time before an equal
            part of its frames, so that what alignments differ by is in the interval.
        gate: when a frame of theirs is refused, and sent again after a new alignment.
        match_clocks: on free oscillators, take what carriers and sample clocks are off out of what is sent superposed.
    """

    alignments: int = Field(4, ge=1, le=1000)
    gate: GateConfig = GateConfig()
    match_clocks: bool = True


def alignment_settings(config: _Aligning, *, superposed: bool) -> dict[str, Any]:
    """What a `PointSpec` has of it."""
    if not superposed:
        return {}
    return {"alignments": config.alignments, "gate": config.gate, "match_clocks": config.match_clocks, "seeded": True}


class RunConfig(_Aligning):
    """What is measured.

    Attributes:
        dataset: spec of the data set; empty: the built-in one that serves what the schemes put out.
        schemes: names, weights files or ``path.py:Class``, in the order in which they take turns; ``all``: whatever has
            weights at hand, sends something and puts out what the data set serves
            (of a user's set: anything); a goal's name: what it can judge.
        goals: what judges them; empty: all that the schemes' outputs and the data set allow.
        options: of goals, by the goal's name.
        models: folder of trained weights; None: the usual places.
        simulate: ``awgn``: no radio at all, the mathematical channel.
        snr_db: targets for a unit-power transmitter (dB).
        tasks: tasks sent per scheme and SNR (rounded up to whole frames); distinct_tasks: distinct ones among them.
        repeat: times that each point is measured, all SNRs once before the first one again; `tasks` are sent each time.
        interleave: the frames of schemes at one SNR are sent in random order, so that what drifts favours none of them; False:
            one scheme after the other.
        max_frame_uses: most payload uses of a frame; fewer tasks ride in one, or a task in several, where it would have more.
        energy: how transmit power is counted.
        fading: ``emulated``: each task is multiplied by a drawn CN(0, 1) at its transmitter. Links of the bench that fade need
            nothing here.
        seed: of task choice, fades, frames, simulation and, without `air_seed`, the air.
        draws: noise draws of a simulation; at the link's SNR, where no difference is stated, no more than an interval needs.
    """

    dataset: str = ""
    schemes: tuple[str, ...] = Field(default_factory=SCHEMES.defaults, min_length=1)
    goals: tuple[str, ...] = ()
    options: dict[str, dict[str, Any]] = Field(default_factory=dict)
    models: str | None = None
    simulate: Literal["none", "awgn"] = "none"
    snr_db: tuple[float, ...] = Field(SNRS_DB, min_length=1)
    tasks: int = Field(2016, ge=1)
    distinct_tasks: int = Field(1008, ge=1)
    repeat: int = Field(1, ge=1, le=MOST_REPEATS)
    interleave: bool = True
    max_frame_uses: int = Field(16128, ge=48)
    energy: Energy = "per_use"
    fading: Literal["none", "emulated"] = "none"
    draws: int = Field(20, ge=1)

    @field_validator("snr_db", mode="before")
    @classmethod
    def _not_too_many(cls, values: Any) -> Any:
        if isinstance(values, Sized) and not isinstance(values, str | dict) and len(values) > MOST_SNRS:
            raise ValueError(f"at most {MOST_SNRS} SNRs make a run, not {len(values):,}")
        return values

    @field_validator("snr_db")
    @classmethod
    def _in_range(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        if wrong := [value for value in values if not -20 <= value <= 60]:
            raise ValueError(f"each SNR must lie in −20…60 dB, not {wrong[0]:g}")
        values = tuple(value + 0.0 for value in values)  # −0 is 0
        names = [f"{value:+g}" for value in values]  # as points are named
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(
                f"each SNR must stand there once, and {twice[0]} dB is repeated; for more tasks at it, raise 'tasks'"
            )
        return values

    @model_validator(mode="after")
    def _air_to_repeat(self) -> RunConfig:
        if self.repeat > 1 and self.simulate != "none":
            raise ValueError("'repeat' measures points again over the air, and a simulation has none; give it more 'draws'")
        return self

    @property
    def tasks_per_frame(self) -> int:
        """Tasks in one frame, as asked for."""
        from hil.phy.frame import FrameConfig  # the command line's help needs these models without torch

        return validate(FrameConfig, self.frame, "frame").tasks_per_frame

    @property
    def sent_tasks(self) -> int:
        """Tasks sent per scheme and SNR where frames are as asked for: whole frames."""
        per_frame = max(1, self.tasks_per_frame)
        return math.ceil(self.tasks / per_frame) * per_frame

    def resolved(
        self, schemes: Sequence[str], goals: Sequence[str], options: Mapping[str, Mapping[str, Any]], *, dataset: str
    ) -> RunConfig:
        """The same with full names, data set and all options, and no more distinct tasks than are sent."""
        return self.model_copy(
            update={
                "dataset": dataset,
                "schemes": tuple(schemes),
                "goals": tuple(goals),
                "options": {name: dict(own) for name, own in options.items()},
                "distinct_tasks": min(self.distinct_tasks, self.sent_tasks),
            }
        )


class SendConfig(_Aligning):
    """What `hil send` does with a stranger's symbols.

    Attributes:
        snr_db: targets of each link (dB), one after the other; a single number for one.
        normalize: scale each transmitter to mean |x|² = 1 first.
        simulate: beside the air, the same symbols through ``awgn`` at the measured SNR, or the measured ``channel``.
    """

    snr_db: tuple[Annotated[float, Field(ge=-20, le=60)], ...] = Field((15.0,), min_length=1, max_length=MOST_SNRS)
    normalize: bool = False
    simulate: Simulate = "none"

    @field_validator("snr_db", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, int | float | str) else value

    @field_validator("snr_db")
    @classmethod
    def _each_once(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        if len({f"{value:+g}" for value in values}) < len(values):
            raise ValueError("each SNR must stand there once")
        return values


class CalibrateConfig(_OnBench):
    """What `hil calibrate` brings links to.

    Attributes:
        snr_db: target of each link (dB).
        links: "TX:RX" each; empty: every transmitter to the bench's first receiver.
        frames: that every statement rests on.
    """

    snr_db: float = Field(ge=-10, le=60)
    links: tuple[str, ...] = ()
    frames: int = Field(24, ge=6, le=2000)


class SensitivityConfig(Config):
    """What `hil sensitivity` tries on a superposed scheme.

    Attributes:
        scheme: its name, weights file or ``path.py:Class``.
        dataset: spec of the data set; None: the default one, or a capture's own.
        goals: the first one that fits judges it.
        models: folder of trained weights; None: the usual places.
        snr_db: of a unit-power transmitter (dB).
        phase_deg: standard deviations of transmitters' phases against the first one's; 180: uniform, nothing aligned.
        power_db: of the first transmitter over the last one.
        delay_samples: by which the others come later than the first.
        tasks: distinct tasks; draws: of noise and phases each.
        seed: of all that is drawn.
    """

    scheme: str
    dataset: str | None = None
    goals: tuple[str, ...] = ()
    models: str | None = None
    snr_db: tuple[Annotated[float, Field(ge=-20, le=60)], ...] = Field((-6.0, 0.0, 6.0), min_length=1)
    phase_deg: tuple[Annotated[float, Field(ge=0, le=180)], ...] = (5.0, 10.0, 20.0, 30.0, 45.0, 60.0, 90.0, 180.0)
    power_db: tuple[Annotated[float, Field(ge=-60, le=60)], ...] = (-6.0, -3.0, -1.0, 1.0, 3.0, 6.0)
    delay_samples: tuple[Annotated[float, Field(ge=-32, le=32)], ...] = (0.03, 0.1, 0.25, 0.5, 1.0, 2.0)
    tasks: int = Field(1008, ge=1)
    draws: int = Field(4, ge=1)
    seed: int = Field(1, ge=0, le=MOST_SEED)

    @property
    def errors(self) -> list[tuple[Literal["phase", "power", "delay"], float]]:
        """All of them, none the first."""
        found: list[tuple[Literal["phase", "power", "delay"], float]] = [("phase", 0.0)]
        found += [("phase", size) for size in self.phase_deg if size]
        found += [("power", size) for size in self.power_db if size]
        return found + [("delay", size) for size in self.delay_samples if size]


class ReplayConfig(_Receiving):
    """What a capture is asked. Settings of the receiver, other than those that it was received with, stand for new results.

    Attributes:
        simulate: send the same symbols through ``awgn`` at the effective SNR, or the captured ``channel``, as well.
        schemes: only these; snr_db: only these targets. Empty: all.
        dataset: where the data set lies now; models: the folder of the weights that were on the air. None: as in the run.
        other_weights: score with other weights than those on the air.
        draws: noise draws of each distinct task in a simulation; see `RunConfig`.
        later_layers_db: schemes of several layers get all but the first layer from their point at this target: a packet
            a layer, each at an SNR of its own.
    """

    simulate: Simulate = "none"
    schemes: tuple[str, ...] = ()
    snr_db: tuple[float, ...] = ()
    later_layers_db: float | None = None
    dataset: str | None = None
    models: str | None = None
    other_weights: bool = False
    draws: int = Field(20, ge=1)

    @model_validator(mode="after")
    def _one_question(self) -> ReplayConfig:
        if self.later_layers_db is not None and self.simulate != "none":
            raise ValueError("layers at an SNR each are not simulated: give later_layers_db without simulate")
        return self
