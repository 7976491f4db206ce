"""Bursts of samples -> what a scheme gets (`Received`), for one point at one receiver; the same code live and in replay."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hil.errors import ShapeError
from hil.models.contract import Plan, Received
from hil.phy.receive import FrameReception, Receiver
from hil.points.fragments import assemble, cut
from hil.points.link import LinkRecord, LinkSnr
from hil.points.noise import NoiseLevel, Silence, measure_silence
from hil.points.spec import PointSpec
from hil.units import decibels

__all__ = ["Collection", "Collector", "clipped", "combined_sha256", "to_complex"]


def to_complex(samples: NDArray[np.int16], full_scale: float) -> Tensor:
    """Raw int16 I/Q [n, 2] to complex64 [n] with full scale 1.0."""
    values = torch.from_numpy(np.ascontiguousarray(samples)).to(torch.float32) / full_scale
    return torch.view_as_complex(values.contiguous())


def clipped(samples: NDArray[np.int16], full_scale: float) -> dict[str, int]:
    """What of a burst lies at the rails of the converter, which reaches from −full_scale to full_scale − 1.

    Args:
        samples: int16 [n, 2].
        full_scale: int16 value of full scale.

    Returns:
        columns of the ledger: samples of which I or Q clipped, and values (I and Q apart) at either rail. A converter that
        saturates symmetrically stops a step above the lower one, so that is counted too.
    """
    low, high = samples <= 1 - full_scale, samples >= full_scale - 1
    return {
        "clipped": int((low | high).any(axis=1).sum()),
        "clipped_low": int(low.sum()),
        "clipped_high": int(high.sum()),
    }


@dataclass(frozen=True, kw_only=True)
class Collection:
    """A point, received by one receiver. All that is known, whether or not the scheme asks for it.

    Attributes:
        symbols: complex64 [task, use] = y/Ḡ; valid: bool [task, use].
        noise_var: float32 [task, use].
        channel: complex64 [tx, task, use], estimated h/Ḡ: the front end's, times the fade that was drawn.
        record: what the frames said of the links; snr: what it comes to against the point's own noise, or the run's.
        frames: counts by fate: sent, scored, lost.
        cfo_hz: mean CFO of each link, Hz; null_noise_db: noise on null carriers over noise in the silent symbol, dB.
        sha256: of the received symbols (complex64, little-endian, in order of task and use).
        sent: bool [task], tasks that were sent; all of them unless the run was cut short.
        block: int64 [task], what its error may share with others': the number of its (first) frame, or of the fade that held
            several frames.
    """

    symbols: Tensor
    valid: Tensor
    noise_var: Tensor
    channel: Tensor
    record: LinkRecord
    snr: LinkSnr
    frames: dict[str, int]
    cfo_hz: list[float]
    null_noise_db: float
    sha256: str
    sent: Tensor
    block: Tensor

    @property
    def snr_db(self) -> list[float]:
        """Measured SNR of each link, dB: mean signal power over mean noise power."""
        return self.snr.snr_db

    @property
    def snr_db_error(self) -> list[float]:
        """Their standard errors, dB."""
        return self.snr.snr_db_error

    @property
    def snr_eff_db(self) -> float:
        """−EVM of the received symbols, dB; NaN if nothing was received."""
        return self.snr.eff_db

    def against(self, noise: NoiseLevel | None) -> Collection:
        """The same with SNRs against another noise. What a scheme is told stays as it is."""
        return replace(self, snr=self.record.snr(noise))

    def received(self, plan: Plan, power: Sequence[float]) -> Received:
        """What a scheme of this plan gets of it."""
        return Received.for_plan(
            plan, symbols=self.symbols, noise_var=self.noise_var, channel=self.channel, valid=self.valid, power=power
        )


def combined_sha256(collections: Mapping[str, Collection]) -> str:
    """SHA-256 over the received symbols of all receivers, one after the other."""
    digest = hashlib.sha256()
    for one in collections.values():
        digest.update(one.symbols.contiguous().numpy().tobytes())
    return digest.hexdigest()


class Collector:
    """Takes a point's bursts one by one and puts each frame's tasks where they belong.

    Args:
        spec: the point.
        sent: complex64 [tx, task, use], what was sent, before any fade (for the EVM only).
        reception: index of the receiver in `spec.receptions`.
        fade: complex64 [tx, task], gains that were drawn and multiplied the payload at the transmitter; None for 1.

    Raises:
        ShapeError: `sent` or `fade` does not fit the spec.
    """

    def __init__(self, spec: PointSpec, sent: Tensor, *, reception: int = 0, fade: Tensor | None = None) -> None:
        form = spec.format()
        transmitters, uses = spec.occupancy.shape
        expected = (transmitters, spec.tasks, uses)
        if tuple(sent.shape) != expected:
            raise ShapeError(f"Argument 'sent' must be [tx, task, use] = {expected}, not {tuple(sent.shape)}.")
        if fade is not None and tuple(fade.shape) != expected[:2]:
            raise ShapeError(f"Argument 'fade' must be [tx, task] = {expected[:2]}, not {tuple(fade.shape)}.")
        self.spec, self.form, self.reception = spec, form, spec.receptions[reception]
        self._places = spec.cut()
        self._uses = uses
        self._receiver = Receiver(form, self.reception.receiver)
        self._fade = None if fade is None else fade.repeat_interleave(spec.fragments, dim=1)
        self._target = self._ideal(cut(sent, self._places))
        self._carried = cut(sent, self._places)
        parts, width = spec.tasks * spec.fragments, self._places.shape[1]
        self._symbols = torch.zeros((parts, width), dtype=torch.complex64)
        self._channel = torch.zeros((transmitters, parts, width), dtype=torch.complex64)
        self._noise_var = torch.zeros((parts, width))
        self._valid = torch.zeros((parts, width), dtype=torch.bool)
        self._frames: dict[int, FrameReception] = {}
        self._silences: dict[int, Silence] = {}
        self._errors: dict[int, float] = {}
        self._begins: dict[int, int] = {}
        self._expected = 0
        self._delays: list[int] = []
        self._unheard: list[tuple[int, NDArray[np.int16], int]] = []
        self._sent_parts = torch.zeros(parts, dtype=torch.bool)

    def _ideal(self, carried: Tensor) -> Tensor:
        """Σ f_k x_k, complex64 [part, use]: what y/Ḡ would be without noise where the front end is corrected."""
        return (carried if self._fade is None else carried * self._fade[..., None]).sum(0)

    def add(self, samples: NDArray[np.int16], number: int, start: int = 0, *, sent_at: int | None = None) -> dict[str, Any]:
        """Receive one burst that should hold frame `number`; returns its ledger row.

        Args:
            samples: int16 [n, 2]; none where none came.
            number: frame number that was sent in this burst (absolute, not modulo 65536).
            start: device sample index of the burst's first sample.
            sent_at: device sample at which it was sent, where the radios know; not used to find it, but for the power of a
                frame that was lost in a fade.
        """
        row = self.miss(number)
        full_scale = self.reception.full_scale
        row |= clipped(samples, full_scale)
        if len(samples):
            self._begins[number] = start if sent_at is None else sent_at
        heard = to_complex(samples, full_scale)
        for frame in self._receiver.receive(heard) if len(samples) else ():
            row |= {"detected": True, "metric": frame.metric, "start": start + frame.start}
            if frame.number == number % 65536:
                eff = self._place(frame, number)
                self._begins[number] = start + frame.start
                self._silences[number] = measure_silence(
                    heard, frame.start, self.form.numerology, at=start, mixer=self.reception.receiver.mixer
                )
                row |= {
                    "status": "scored",
                    "noise": frame.noise,
                    "snr_db": [decibels(value) for value in frame.snr.tolist()],
                    "cfo_hz": frame.cfo_hz.tolist(),
                    "snr_eff_db": eff,
                    "evm_db": -eff,
                }
                if sent_at is not None:
                    self._delays.append(start + frame.start - sent_at)
                return row
        if sent_at is not None and self.spec.fading == "air":
            self._unheard.append((number, samples, sent_at - start))
        return row

    def miss(self, number: int, status: str = "lost") -> dict[str, Any]:
        """Count frame `number` as sent and not received; returns its ledger row.

        Args:
            number: as for `add`.
            status: why; "late" where its transmitter said that it did not go out whole: such a burst is not looked at, live
                or in replay.
        """
        self._expected += 1
        first, count = self._parts_of(number)
        self._sent_parts[first : first + count] = True
        return {"frame": number, "status": status, "detected": False}

    def _parts_of(self, number: int) -> tuple[int, int]:
        first = (number - self.spec.first_frame) * self.spec.frame.tasks_per_frame
        parts = self.spec.tasks * self.spec.fragments
        if not 0 <= first < parts:
            raise ShapeError(f"frame {number} is not one of this point's frames ({self.spec.first_frame} and following).")
        return first, min(self.spec.frame.tasks_per_frame, parts - first)

    def _place(self, frame: FrameReception, number: int) -> float:
        first, count = self._parts_of(number)
        rows = slice(first, first + count)
        self._symbols[rows] = frame.symbols[:count]
        channel = frame.channel[:, :count]
        self._channel[:, rows] = channel if self._fade is None else channel * self._fade[:, rows, None]
        self._noise_var[rows] = frame.noise_var[:count]
        self._valid[rows] = self.form.occupied.any(0)
        self._frames[number] = frame
        self._errors[number] = self._error(rows)
        return decibels(1 / max(self._errors[number], 1e-30))

    def _error(self, rows: slice) -> float:
        """Error power of received symbols at unit reference power."""
        used = self._valid[rows]
        config = self.reception.receiver
        corrected = config.reference is None and (config.aligned or not self.spec.superposed)
        target = self._target[rows] if corrected else (self._carried[:, rows] * self._channel[:, rows]).sum(0)
        error = (self._symbols[rows] - target).abs().square()[used]
        return float(error.mean()) if error.numel() else math.nan

    def _record(self, frames: list[FrameReception]) -> LinkRecord:
        """What frames said of the links; receive gain is fixed over a point.

        Where links fade, frames that were sent and lost count as well, by their known timing: those that were received had
        the better fades.
        """
        lost = self._lost_frames() if frames else {}
        known = [*frames, *lost.values()]
        transmitters = self.form.transmitters
        signal = torch.stack([frame.signal for frame in known]).double().numpy() if known else np.zeros((0, transmitters))
        return LinkRecord(
            signal=signal,
            error=np.array(list(self._errors.values())),
            blocks=np.array([self._block(number) for number in [*self._frames, *lost]], np.int64),
            whole_error=self._error(slice(None)),
            silences=tuple(self._silences.values()),
            active=self.form.numerology.active,
            sounding=self.spec.frame.sounding_symbols,
            uses=int(self._valid.sum()),
            fading=self.spec.fading == "air",
        )

    def _block(self, number: int) -> int:
        """What a frame shares its fade with: the block of the links' fading that it lay in, else itself."""
        length = self.spec.fade_samples
        if length is None or number not in self._begins:
            return number if length is None else -1 - number
        return self._begins[number] // length

    def _lost_frames(self) -> dict[int, FrameReception]:
        """What the receiver makes of lost frames where it is told when they were sent; none where that is not known."""
        if not self._delays or self.reception.receiver.max_cfo_hz:
            return {}
        delay = int(np.median(self._delays))
        found = {
            number: self._receiver.at(to_complex(samples, self.reception.full_scale), begins + delay)
            for number, samples, begins in self._unheard
        }
        return {number: frame for number, frame in found.items() if frame is not None}

    def _pool_noise(self, frames: list[FrameReception]) -> None:
        """Replace each frame's noise power, of a few looks, by the point's; where no leakage is in it."""
        if not frames or self.reception.receiver.max_cfo_hz:
            return
        noise = sum(frame.noise for frame in frames) / len(frames)
        for number, frame in self._frames.items():
            first, count = self._parts_of(number)
            self._noise_var[first : first + count] = frame.noise_var[:count] * (noise / max(frame.noise, 1e-30))

    def finish(self) -> Collection:
        """The point as received so far, its SNRs against its own noise."""
        frames = list(self._frames.values())
        cfo = torch.stack([frame.cfo_hz for frame in frames]).mean(0).tolist() if frames else None
        null = sum(frame.null_noise for frame in frames) / max(sum(frame.noise for frame in frames), 1e-30)
        record = self._record(frames)
        self._pool_noise(frames)
        symbols = self._whole(self._symbols)
        return Collection(
            symbols=symbols,
            valid=self._whole(self._valid),
            noise_var=self._whole(self._noise_var),
            channel=self._whole(self._channel),
            record=record,
            snr=record.snr(),
            frames={"sent": self._expected, "scored": len(frames), "lost": self._expected - len(frames), "gated": 0},
            cfo_hz=cfo or [math.nan] * self.form.transmitters,
            null_noise_db=decibels(null) if frames else math.nan,
            sha256=hashlib.sha256(symbols.contiguous().numpy().tobytes()).hexdigest(),
            sent=self._sent_parts.unflatten(0, (-1, self.spec.fragments)).all(1),
            block=self._blocks(),
        )

    def _blocks(self) -> Tensor:
        """Of each task, what its first frame shares its fade with, int64 [task]."""
        first, per_frame = self.spec.first_frame, self.spec.frame.tasks_per_frame
        numbers = [first + part // per_frame for part in range(0, len(self._sent_parts), self.spec.fragments)]
        return torch.tensor([self._block(number) for number in numbers])

    def _whole(self, values: Tensor) -> Tensor:
        return assemble(values, self._places, self._uses)
