"""Bursts of samples -> what a scheme gets (`Received`) for one point; the same code live and in replay.

A point is one scheme at one SNR target with fixed radio settings. Its `PointSpec` is stored in the capture, so that a
replay builds the same receiver.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from hil.config import Config
from hil.errors import ShapeError
from hil.models.contract import Access, Received
from hil.phy.frame import FrameConfig, FrameFormat
from hil.phy.receive import FrameReception, Receiver, ReceiverConfig
from hil.units import db_to_power, power_to_db

__all__ = ["Collection", "Collector", "Energy", "PointSpec", "decibels", "to_complex"]

Energy = Literal["per_use", "per_device", "per_task"]
TOGETHER = 16
"""Windows that are received together where all are at hand."""


class PointSpec(Config):
    """What the receiver and the scorer of a point must know; stored with it.

    Attributes:
        scheme: name of the scheme; access: how its transmitters share the uses.
        energy: how transmit power is counted (papers/README: Power).
        power: power of each transmitter's payload symbols relative to the unit-power transmitter of the SNR axis.
        fading: none, or where it happens (SIGNALS.md, "Slow fading over the air").
        snr_db_target: SNR of a unit-power transmitter asked for (dB).
        occupied: bool [tx][use].
        tasks: tasks sent; task t of the point is distinct task t modulo `distinct_tasks`.
        distinct_tasks: distinct tasks among them.
        first_frame: number of its first frame; frame f carries tasks f · tasks_per_frame and following.
        frame, receiver: their configuration.
        rx_csi: what the scheme's plan asks the receiver for.
        full_scale: int16 value of the receiver's full scale.
    """

    scheme: str
    access: Access
    energy: Energy = "per_use"
    power: tuple[float, ...]
    fading: Literal["none", "air", "emulated"] = "none"
    snr_db_target: float
    occupied: tuple[tuple[bool, ...], ...]
    tasks: int = Field(ge=1)
    distinct_tasks: int = Field(ge=1)
    first_frame: int = Field(ge=0)
    frame: FrameConfig
    receiver: ReceiverConfig
    rx_csi: Literal["none", "snr", "channel"] = "none"
    full_scale: float = Field(gt=0)

    @property
    def frames(self) -> int:
        """Frames of the point."""
        return math.ceil(self.tasks / self.frame.tasks_per_frame)

    def format(self) -> FrameFormat:
        """The frame format."""
        return FrameFormat(self.frame, torch.tensor(self.occupied, dtype=torch.bool))

    def task_index(self) -> Tensor:
        """Distinct task of each task sent, int64 [task]."""
        return torch.arange(self.tasks) % self.distinct_tasks


def to_complex(samples: NDArray[np.int16], full_scale: float) -> Tensor:
    """Raw int16 I/Q [n, 2] to complex64 [n] with full scale 1.0."""
    values = torch.from_numpy(np.ascontiguousarray(samples)).to(torch.float32) / full_scale
    return torch.view_as_complex(values.contiguous())


@dataclass(frozen=True, kw_only=True)
class Collection:
    """A point, received.

    Attributes:
        received: what the scheme gets.
        snr_db: measured SNR of each link, dB: mean signal power over mean noise power of the point's frames.
        snr_db_error: its standard error, dB; NaN with fewer than two frames.
        snr_eff_db: −EVM of the received symbols, dB; NaN if nothing was received.
        noise_var: float32 [task, use]; channel: complex64 [tx, task, use]; both measured, whether or not the scheme asks.
        frames: counts by fate: sent, scored, lost.
        cfo_hz: mean CFO of each link, Hz; null_noise_db: noise on null carriers over noise in the silent symbol, dB.
        sha256: of the received symbols (complex64, little-endian, in order of task and use).
        sent: bool [task], tasks that were sent; all of them unless the run was cut short.
    """

    received: Received
    snr_db: list[float]
    snr_db_error: list[float]
    snr_eff_db: float
    noise_var: Tensor
    channel: Tensor
    frames: dict[str, int]
    cfo_hz: list[float]
    null_noise_db: float
    sha256: str
    sent: Tensor


class Collector:
    """Takes a point's bursts one by one and puts each frame's tasks where they belong.

    Args:
        spec: the point.
        sent: complex64 [tx, task, use], what was sent (for the EVM only).

    Raises:
        ShapeError: `sent` does not fit the spec.
    """

    def __init__(self, spec: PointSpec, sent: Tensor) -> None:
        form = spec.format()
        expected = (form.transmitters, spec.tasks, form.occupied.shape[1])
        if tuple(sent.shape) != expected:
            raise ShapeError(f"Argument 'sent' must be [tx, task, use] = {expected}, not {tuple(sent.shape)}.")
        self.spec, self.form, self._sent = spec, form, sent
        self._receiver = Receiver(form, spec.receiver)
        _, tasks, uses = expected
        self._symbols = torch.zeros((tasks, uses), dtype=torch.complex64)
        self._channel = torch.zeros(expected, dtype=torch.complex64)
        self._noise_var = torch.zeros((tasks, uses))
        self._valid = torch.zeros((tasks, uses), dtype=torch.bool)
        self._frames: dict[int, FrameReception] = {}
        self._expected = 0
        self._sent_tasks = torch.zeros(tasks, dtype=torch.bool)

    def add(self, samples: NDArray[np.int16], number: int, start: int = 0) -> dict[str, Any]:
        """Receive one burst that should hold frame `number`; returns its ledger row.

        Args:
            samples: int16 [n, 2]; none where none came.
            number: frame number that was sent in this burst (absolute, not modulo 65536).
            start: device sample index of the burst's first sample.
        """
        return self._add(samples, number, start, self._receiver.receive(samples, full_scale=self.spec.full_scale))

    def add_all(self, bursts: Iterable[tuple[NDArray[np.int16], int, int]]) -> list[dict[str, Any]]:
        """What `add` does for many bursts (samples, number, start), to the bit and for less time each."""
        rows, ahead = [], iter(bursts)
        while some := list(islice(ahead, TOGETHER)):
            received = self._receiver.receive_windows((burst[0] for burst in some), full_scale=self.spec.full_scale)
            rows += [self._add(*burst, frames) for burst, frames in zip(some, received, strict=True)]
        return rows

    def _add(self, samples: NDArray[np.int16], number: int, start: int, frames: Sequence[FrameReception]) -> dict[str, Any]:
        row = self.miss(number)
        row["clipped"] = int((np.abs(samples.astype(np.int32)) >= self.spec.full_scale).any(axis=1).sum())
        for frame in frames:
            row |= {"detected": True, "metric": frame.metric, "start": start + frame.start}
            if frame.number == number % 65536:
                eff = self._place(frame, number)
                row |= {
                    "status": "scored",
                    "snr_db": [decibels(value) for value in frame.snr.tolist()],
                    "cfo_hz": frame.cfo_hz.tolist(),
                    "snr_eff_db": eff,
                    "evm_db": -eff,
                }
                break
        return row

    def miss(self, number: int, status: str = "lost") -> dict[str, Any]:
        """Count frame `number` as sent and not received; returns its ledger row.

        Args:
            number: as for `add`.
            status: why; "late" where its transmitter said that it did not go out whole: such a burst is not looked at, live
                or in replay.
        """
        self._expected += 1
        first, count = self._tasks_of(number)
        self._sent_tasks[first : first + count] = True
        return {"frame": number, "status": status, "detected": False}

    def _tasks_of(self, number: int) -> tuple[int, int]:
        first = (number - self.spec.first_frame) * self.spec.frame.tasks_per_frame
        if not 0 <= first < self.spec.tasks:
            raise ShapeError(f"frame {number} is not one of this point's frames ({self.spec.first_frame} and following).")
        return first, min(self.spec.frame.tasks_per_frame, self.spec.tasks - first)

    def _place(self, frame: FrameReception, number: int) -> float:
        first, count = self._tasks_of(number)
        rows = slice(first, first + count)
        self._symbols[rows] = frame.symbols[:count]
        self._channel[:, rows] = frame.channel[:, :count]
        self._noise_var[rows] = frame.noise_var[:count]
        self._valid[rows] = self.form.occupied.any(0)
        self._frames[number] = frame
        return decibels(1 / max(self._error(rows), 1e-30))

    def _error(self, rows: slice) -> float:
        """Error power of received symbols at unit reference power."""
        used = self._valid[rows]
        sent = self._sent[:, rows]
        target = sent.sum(0) if self.spec.receiver.aligned else (sent * self._channel[:, rows]).sum(0)
        error = (self._symbols[rows] - target).abs().square()[used]
        return float(error.mean()) if error.numel() else math.nan

    def _snr(self, frames: list[FrameReception]) -> tuple[list[float], list[float]]:
        """SNR of each link in dB and its standard error, pooled over frames: receive gain is fixed over a point."""
        looks = self.form.numerology.active * len(frames)
        noise = max(sum(frame.noise for frame in frames) / len(frames), 1e-30)
        signal = torch.stack([frame.signal for frame in frames])
        snr = signal.mean(0) / noise * ((looks - 1) / looks)
        if len(frames) < 2:
            return [decibels(value) for value in snr.tolist()], [math.nan] * len(snr)
        wander = signal.var(0) / len(frames) / signal.mean(0).square().clamp_min(1e-30)
        error = 10 / math.log(10) * (wander + 1 / looks).sqrt()
        return [decibels(value) for value in snr.tolist()], error.tolist()

    def _pool_noise(self, frames: list[FrameReception]) -> None:
        """Replace each frame's noise power, of a few looks, by the point's; where no leakage is in it."""
        if not frames or self.spec.receiver.max_cfo_hz:
            return
        noise = sum(frame.noise for frame in frames) / len(frames)
        for number, frame in self._frames.items():
            first, count = self._tasks_of(number)
            self._noise_var[first : first + count] = frame.noise_var[:count] * (noise / max(frame.noise, 1e-30))

    def finish(self) -> Collection:
        """The point as received so far."""
        frames = list(self._frames.values())
        nothing = [math.nan] * self.form.transmitters
        snr, spread = self._snr(frames) if frames else (nothing, nothing)
        cfo = torch.stack([frame.cfo_hz for frame in frames]).mean(0).tolist() if frames else nothing
        null = sum(frame.null_noise for frame in frames) / max(sum(frame.noise for frame in frames), 1e-30)
        error = self._error(slice(None))
        plan_csi = self.spec.rx_csi
        self._pool_noise(frames)
        return Collection(
            received=Received(
                symbols=self._symbols,
                valid=self._valid,
                noise_var=None if plan_csi == "none" else self._noise_var,
                channel=self._channel if plan_csi == "channel" else None,
                scale=torch.tensor(self.spec.power).sqrt(),
            ),
            snr_db=snr,
            snr_db_error=spread,
            snr_eff_db=decibels(1 / error) if error > 0 else math.nan,
            noise_var=self._noise_var,
            channel=self._channel,
            frames={"sent": self._expected, "scored": len(frames), "lost": self._expected - len(frames), "gated": 0},
            cfo_hz=cfo,
            null_noise_db=decibels(null) if frames else math.nan,
            sha256=hashlib.sha256(self._symbols.contiguous().numpy().tobytes()).hexdigest(),
            sent=self._sent_tasks,
        )


def decibels(value: float) -> float:
    """Power ratio in dB for tables: −99 for zero and below, NaN for NaN."""
    return power_to_db(value) if value > 0 else (-99.0 if value <= 0 else math.nan)


def snr_linear_mean_db(values_db: list[float]) -> float:
    """Linear mean of SNRs in dB, in dB."""
    return power_to_db(sum(db_to_power(value) for value in values_db) / len(values_db))
