"""Bursts of samples -> what a scheme gets (`Received`), for one point at one receiver; the same code live and in replay."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hil.errors import ShapeError
from hil.phy.frame import FrameFormat
from hil.phy.receive import FrameReception, Receiver, ReceiverConfig, Shape
from hil.points.clips import clipped, to_complex
from hil.points.collection import TOGETHER, Burst, Collection, batches, combined_sha256
from hil.points.fragments import assemble, cut
from hil.points.heard import Heard, link_powers
from hil.points.impaired import Verdict, noise_factors, verdict_of
from hil.points.kinds import UNALIGNED_NAME
from hil.points.link import LinkRecord
from hil.points.noise import Silence, level_of, silences_of, silent_part
from hil.points.rounds import UNALIGNED, Looked, RoundsHeard
from hil.points.sizing import symbols_of_level
from hil.points.spec import PointSpec
from hil.points.spread import spreading_of
from hil.points.truth import FrameTruth
from hil.points.witness import Compared, FrameWitness
from hil.units import decibels

__all__ = ["Burst", "Collection", "Collector", "combined_sha256"]


class _Ear(NamedTuple):
    """A receiver of frames of one format, and who judges them."""

    receiver: Receiver
    witness: FrameWitness

    @classmethod
    def of(cls, form: FrameFormat, config: ReceiverConfig) -> _Ear:
        receiver = Receiver(form, config)
        return cls(receiver, FrameWitness(receiver.tables))


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
        self._places, self._uses = spec.cut(), uses
        self._usual = _Ear.of(form, self.reception.receiver)
        opening = spec.opening()
        self._opening = None if opening is None else _Ear.of(opening, self.reception.receiver)
        self._truths: dict[int, FrameTruth] = {}
        carried = cut(sent, self._places)
        if not form.occupied.all():
            carried = carried * form.occupied[:, None]
        gains = None if fade is None else fade.repeat_interleave(spec.fragments, dim=1)[..., None]
        self._spreading, self._spread_fade = spreading_of(spec), None
        if self._spreading is not None:  # until the end all is as carriers see it, fades among what was sent
            carried = self._spreading.spread(carried if gains is None else carried * gains)
            self._spread_fade, gains = gains, None
        self._fade = None if gains is None else gains.numpy()
        self._carried: NDArray[np.complex64] = carried.resolve_conj().contiguous().numpy()
        faded = self._carried if self._fade is None else self._carried * self._fade
        self._target = faded[0] if transmitters == 1 else faded.sum(0)
        parts, width = spec.tasks * spec.fragments, self._places.shape[1]
        self._symbols = np.zeros((parts, width), np.complex64)
        self._channel = np.zeros((transmitters, parts, width), np.complex64)
        self._noise_var = np.zeros((parts, width), np.float32)
        self._received = np.zeros(parts, bool)
        self._frames: dict[int, Heard] = {}
        self._noises: list[float] = []
        self._occupied = int(form.occupied.any(0).sum())
        self._own_uses = int(form.occupied.sum(1).min())
        config = self.reception.receiver
        one_response = config.aligned and not spec.scheme.endswith(UNALIGNED_NAME)
        self._corrected = config.reference is None and (one_response or not spec.superposed)
        self._expected = self._clipped = 0
        self._delays: list[int] = []
        self._silent: dict[int, tuple[int, NDArray[np.complex64]]] = {}
        self._silences: dict[int, Silence] = {}
        self._errors: dict[int, float] = {}
        self._begins: dict[int, int] = {}
        self._unheard: list[tuple[int, NDArray[np.int16], int]] = []
        self._sent = np.zeros(parts, bool)
        self._shape: Shape | None = None
        self._rounds = RoundsHeard(spec, self.form.numerology, judges=reception == 0)

    def add(
        self,
        samples: NDArray[np.int16],
        number: int,
        start: int = 0,
        *,
        sent_at: int | None = None,
        alignment: int | None = None,
        refuse: bool = False,
    ) -> dict[str, Any]:
        """Receive one burst that should hold frame `number`, as in `Burst`; returns its ledger row.

        Args:
            samples, number, start, sent_at, alignment: as in `Burst`.
            refuse: where its transmitters are out of the point's bounds, nothing is kept of it, and its row says "gated".
        """
        receiver = self._ear(number).receiver
        self._shape = self._rounds.known(alignment, self._shape)
        frames = list(receiver.receive(samples, full_scale=self.reception.full_scale, known=self._shape))
        return self._take(Burst(samples, number, start, sent_at, alignment), frames, refuse=refuse)

    def add_all(self, bursts: Iterable[Burst]) -> list[dict[str, Any]]:
        """What `add` does with each, to the bit, at a lower cost; returns their ledger rows."""
        if self.reception.receiver.shape_memory or self._opening:  # each frame begins with what the one before left
            return [self.add(*burst[:3], sent_at=burst.sent_at, alignment=burst.alignment) for burst in bursts]
        rows = []
        for some in batches(bursts):
            found = self._usual.receiver.receive_windows([one.samples for one in some], full_scale=self.reception.full_scale)
            rows += [self._take(burst, frames) for burst, frames in zip(some, found, strict=True)]
        return rows

    def _take(self, burst: Burst, frames: Sequence[FrameReception], *, refuse: bool = False) -> dict[str, Any]:
        samples, number, start, sent_at, alignment = burst
        own = next((frame for frame in frames if frame.number == number % 65536), None)
        out_of_bounds = self._rounds.hear(number, own, alignment)
        if out_of_bounds and refuse:
            return self.refuse() | {"frame": number, "detected": True} | clipped(samples, self.reception.full_scale)
        row = self.miss(number, alignment=alignment) | clipped(samples, self.reception.full_scale)
        self._clipped += row["clipped"]
        if len(samples):
            self._begins[number] = start if sent_at is None else sent_at
        for frame in frames:
            row |= {"detected": True, "metric": frame.metric, "start": start + frame.start}
            if frame.number == number % 65536:
                seen = self._place(frame, number)
                eff = decibels(1 / max(self._errors[number], 1e-30))
                self._begins[number] = start + frame.start
                self._silent[number] = start, self._quiet(samples, frame.start)
                if len(self._silent) == TOGETHER:
                    self._measure_silence()
                truth = self._judge(frame, number, seen, samples)
                self._shape = frame.shape
                said = (("anew", frame.anew), (UNALIGNED, out_of_bounds))
                row |= {
                    "status": "scored",
                    "observed_over_stated": truth.observed,
                    "flags": sorted(truth.front | {name for name, is_so in said if is_so}),
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

    def expect(self, alignment: int, expected: Shape) -> None:
        """Be told what the frames of an alignment will arrive as (`RoundsHeard.expect`)."""
        self._rounds.expect(alignment, expected)

    def _ear(self, number: int) -> _Ear:
        opening = self._opening if number == self.spec.first_frame else None
        return opening or self._usual

    def miss(self, number: int, status: str = "lost", alignment: int | None = None) -> dict[str, Any]:
        """Count frame `number` as sent and not received; returns its ledger row.

        Args:
            number: as for `add`.
            status: why; "late" where its transmitter said that it did not go out whole: such a burst is not looked at, live
                or in replay.
            alignment: as in `Burst`.
        """
        self._rounds.sent_with(number, alignment)
        self._expected += 1
        first, count = self._parts_of(number)
        self._sent[first : first + count] = True
        return {"frame": number, "status": status, "detected": False}

    def refuse(self) -> dict[str, Any]:
        """Count a frame as out of bounds, to be sent again; returns what its ledger row says."""
        self._rounds.gated += 1
        return {"status": "gated"}

    @property
    def looked(self) -> Looked | None:
        """At the alignment of the frame that was added last; None where it was not received, or nothing is aligned."""
        return self._rounds.latest

    def _parts_of(self, number: int) -> tuple[int, int]:
        first = (number - self.spec.first_frame) * self.spec.frame.tasks_per_frame
        parts = self.spec.tasks * self.spec.fragments
        if not 0 <= first < parts:
            raise ShapeError(f"frame {number} is not one of this point's frames ({self.spec.first_frame} and following).")
        return first, min(self.spec.frame.tasks_per_frame, parts - first)

    def _place(self, frame: FrameReception, number: int) -> Compared:
        """Put its tasks where they belong, beside what was sent."""
        first, count = self._parts_of(number)
        rows = slice(first, first + count)
        self._symbols[rows] = frame.symbols.numpy()[:count]
        channel = frame.channel.numpy()[:, :count]
        self._channel[:, rows] = channel if self._fade is None else channel * self._fade[:, rows]
        self._noise_var[rows] = frame.noise_var.numpy()[:count]
        self._received[rows] = True
        seen = self._ear(number).witness.compare(
            rows, self._symbols, self._noise_var, self._channel, self._carried, self._target
        )
        self._frames[number] = Heard.of(frame, seen.gram)
        self._noises.append(frame.noise)
        self._errors[number] = self._error(seen)
        return seen

    def _judge(self, frame: FrameReception, number: int, seen: Compared, samples: NDArray[np.int16]) -> FrameTruth:
        """Whether its errors, against Σ h x, are what its receiver stated."""
        first, count = self._parts_of(number)
        ear = self._ear(number)
        own = samples[frame.start : frame.start + ear.receiver.form.samples]
        expected = partial(self._expected_of, slice(first, first + count))
        truth = ear.witness.judge(frame, seen, own, sum(self._noises) / len(self._noises), expected)
        self._truths[number] = truth
        return truth

    def _quiet(self, samples: NDArray[np.int16], begins: int) -> NDArray[np.complex64]:
        """What is silent of a window up to the end of its frame's silent symbol."""
        numerology = self.form.numerology
        heard = to_complex(samples[: begins + numerology.symbol_samples], self.reception.full_scale)
        return silent_part(heard, begins, numerology, self.reception.receiver.known_mixer)

    def _measure_silence(self) -> None:
        """Of the latest frames, all together."""
        self._silences |= zip(self._silent, silences_of(list(self._silent.values()), self.form.numerology), strict=True)
        self._silent.clear()

    def _expected_of(self, rows: slice) -> NDArray[np.complex64]:
        """Σ h x of some parts."""
        return np.asarray((self._carried[:, rows] * self._channel[:, rows]).sum(0))

    def _error(self, seen: Compared) -> float:
        """Error power of the received symbols of some parts at unit reference power.

        They are judged against Σ f_k x_k, which y/Ḡ is without noise where the front end is corrected; else against Σ h_k x_k.
        """
        count = seen.uses // self._places.shape[1] * self._occupied
        return (seen.off if self._corrected else seen.left) / count if count else math.nan

    def _whole_error(self) -> float:
        """The same of all of them together."""
        counts = [self._parts_of(number)[1] for number in self._errors]
        return float(np.average(list(self._errors.values()), weights=counts)) if counts else math.nan

    def _record(self, frames: list[Heard]) -> LinkRecord:
        """What frames said of the links; receive gain is fixed over a point.

        Where links fade, frames that were sent and lost count as well, by their known timing: those that were received had
        the better fades.
        """
        lost = self._lost_frames() if frames else {}
        numbers = np.array([*self._frames, *lost], np.int64)
        several = self.spec.repeats > 1
        return LinkRecord(
            signal=link_powers(
                [*frames, *lost.values()], self.form.transmitters, aided=self._looks() > self.spec.frame.sounding_symbols
            ),
            error=np.array(list(self._errors.values())),
            blocks=np.array([self._block(number) for number in numbers.tolist()], np.int64),
            whole_error=self._whole_error(),
            silences=tuple(self._silences.values()),
            active=self.form.numerology.active,
            sounding=self._looks(),
            uses=int(self._received.sum()) * self._occupied,
            fading=self.spec.fading == "air",
            level_symbols=symbols_of_level(self.spec),
            visits=self.spec.visit_of(numbers) if several else None,
        )

    def _looks(self) -> int:
        """Symbols, all of whose carriers a frame's link powers rest on: its sounding, or the uses of one transmitter."""
        own = self.spec.frame.sounding_symbols
        if not self.reception.receiver.shape_memory:
            return own
        return max(own, self.form.tasks * self._own_uses // self.form.numerology.active)

    def _block(self, number: int) -> int:
        """What a frame shares its fade with: the block of the links' fading that it lay in, else itself."""
        length = self.spec.fade_samples
        if length is None or number not in self._begins:
            return number if length is None else -1 - number
        return self._begins[number] // length

    def _lost_frames(self) -> dict[int, Heard]:
        """What the receiver makes of lost frames where it is told when they were sent; none where that is not known."""
        if not self._delays or self.reception.receiver.max_cfo_hz:
            return {}
        delay = int(np.median(self._delays))
        found = {
            number: self._usual.receiver.at(samples, begins + delay, full_scale=self.reception.full_scale)
            for number, samples, begins in self._unheard
        }
        return {number: Heard.of(frame) for number, frame in found.items() if frame is not None}

    def _pooled_noise_var(self) -> NDArray[np.float32]:
        """Noise variances with each frame's noise power, of a few looks, replaced by the point's; where no leakage is in it."""
        if not self._frames:
            return self._noise_var
        pooled = self._noise_var.copy()
        pooled *= self._noise_factors()
        if self.reception.receiver.max_cfo_hz:
            return pooled
        noise = sum(frame.noise for frame in self._frames.values()) / len(self._frames)
        for number, frame in self._frames.items():
            first, count = self._parts_of(number)
            pooled[first : first + count] *= noise / max(frame.noise, 1e-30)
        return pooled

    def _noise_factors(self) -> NDArray[np.float32]:
        """By how much known cells saw more than the stated noise, where beyond doubt, float32 [part, use]."""
        numerology, tables = self.form.numerology, self._usual.receiver.tables
        level = level_of(tuple(self._silences.values()), numerology.active)
        factors = noise_factors(list(self._truths.values()), level, np.array(numerology.pilot_positions))
        if factors is None:
            return np.ones((1, 1), np.float32)
        carriers = (tables.cells % tables.active).reshape(self.form.tasks, -1)
        frames = -(-len(self._noise_var) // max(self.form.tasks, 1))
        return np.tile(factors[carriers].astype(np.float32), (frames, 1))[: len(self._noise_var)]

    def _verdict(self, cfo_hz: Sequence[float]) -> Verdict:
        config, numerology = self.reception.receiver, self.form.numerology
        level = level_of(tuple(self._silences.values()), numerology.active)
        cfo = sum(cfo_hz) / len(cfo_hz) / config.sample_rate_hz * numerology.fft_size if config.max_cfo_hz else 0.0
        return verdict_of(list(self._truths.values()), level, cfo, gaussian=self._spreading is None)

    def finish(self) -> Collection:
        """The point as received so far, its SNRs against its own noise."""
        frames = list(self._frames.values())
        self._measure_silence()
        cfo = np.mean([frame.cfo_hz for frame in frames], axis=0).tolist() if frames else None
        null = sum(frame.null_noise for frame in frames) / max(sum(frame.noise for frame in frames), 1e-30)
        record = self._record(frames)
        symbols, noise_var, channel = self._seen()
        counts = {"sent": self._expected, "scored": len(frames), "lost": self._expected - len(frames)}
        return Collection(
            symbols=symbols,
            valid=self._whole(torch.from_numpy(self._received)[:, None] & self.form.occupied.any(0)),
            noise_var=noise_var,
            channel=channel,
            record=record,
            snr=record.snr(),
            verdict=self._verdict(cfo or [0.0]),
            clipped=self._clipped,
            frames=counts | {"gated": self._rounds.gated},
            cfo_hz=cfo or [math.nan] * self.form.transmitters,
            null_noise_db=decibels(null) if frames else math.nan,
            sha256=hashlib.sha256(symbols.contiguous().numpy().tobytes()).hexdigest(),
            sent=torch.from_numpy(self._sent.reshape(-1, self.spec.fragments).all(1)),
            block=self._blocks(),
            alignment=self._rounds.summary(),
        )

    def _seen(self) -> list[Tensor]:
        """Symbols, noise variances and channels of the tasks' uses, as `Collection` has them."""
        parts = [torch.from_numpy(values) for values in (self._symbols, self._pooled_noise_var(), self._channel)]
        if self._spreading is not None:
            parts = self._spreading.undone(*parts, fade=self._spread_fade)
        return [self._whole(values) for values in parts]

    def _blocks(self) -> Tensor:
        """Of each task, what its first frame shares its fade with, int64 [task]."""
        first, per_frame = self.spec.first_frame, self.spec.frame.tasks_per_frame
        numbers = [first + part // per_frame for part in range(0, len(self._sent), self.spec.fragments)]
        found = [self._rounds.block(number) for number in numbers]
        return torch.tensor([self._block(number) if own is None else own for number, own in zip(numbers, found, strict=True)])

    def _whole(self, values: Tensor) -> Tensor:
        return assemble(values, self._places, self._uses)
