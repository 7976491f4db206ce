"""A point on the air: stored before its first frame, sent piece by piece, received as it comes, and put together at its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hil.calibration.align_clocks import ClockMatch
from hil.captures import CaptureWriter
from hil.errors import CalibrationError, EarlierFailureError, RadioError, RadioTimeoutError
from hil.models.contract import Sent
from hil.phy.reception import Shape
from hil.points.aligning import Aligner, Alignment
from hil.points.carried import Carried
from hil.points.keep import begins, keep_burst, keep_failure
from hil.points.peaks import PEAKS, PeakMeter, peak_keys
from hil.points.receive import Collection, Collector
from hil.points.rounds import Rounds
from hil.points.spec import PointSpec
from hil.radios.burst import BurstReception
from hil.timing import timed
from hil.units import power_to_db

__all__ = ["EXPIRIES", "PRECODER_KEYS", "Air", "Flight", "OnAir", "alignment_keys", "stored_alignments", "stored_expectations"]

EXPIRIES = 2
"""Deadlines that may pass in a point; the last of them ends it."""
PRECODER_KEYS = ("precoder_power_db", "precoder_energy_db", "precoder_limited", "alignment_samples")
"""What a row says of pre-equalisation; null where there is none."""
_STORED = "alignment.{}.{}"


@dataclass(frozen=True, kw_only=True)
class OnAir:
    """What came of one point.

    Attributes:
        collections: by the point's receivers.
        index: of the point in the capture.
        ended: why it was given up before its last frame; None: it was not.
        more: what the air says of it: transmit gains, power and limits of pre-equalisation.
        precoders: complex64 [alignment, tx, active carrier] that superposed transmitters were pre-equalised by; None: none.
    """

    collections: Mapping[str, Collection]
    index: int
    ended: str | None
    more: dict[str, Any] = field(default_factory=dict)
    precoders: NDArray[np.complex64] | None = None


class Air(Protocol):
    """What carries frames (`hil.points.on_air.AirRun`)."""

    writer: CaptureWriter
    aligner: Aligner

    @property
    def session(self) -> int:
        """Changes where a run went on after a break."""

    def burst(self, waveforms: Tensor) -> BurstReception:
        """Send complex64 [tx, n] and receive around it."""

    def align(self, spec: PointSpec) -> tuple[Alignment, float]:
        """Align a point's transmitters; and when that was (s, the first receiver's clock)."""

    def clock_s(self, sample: int) -> float:
        """A receiver's sample in seconds of its clock."""

    def listened(self, heard: bool) -> None:
        """Be told whether any receiver found a frame in a burst."""


class Flight:
    """A point that is being sent. A radio that does not answer by its deadline costs a frame; the second time ends the point.

    Args:
        air: to send it by.
        spec: the point.
        sent: symbols of every task sent (not only of the distinct ones), [tx, task, use].
        labels: name -> integers [task], for the capture.
        said: what the air says of it before it is sent, plain data: keys of its rows.
        attrs: further plain data for the capture.
        fade: complex64 [tx, task], drawn gains that multiply the payload; None for 1.
        match: makes transmitters on free oscillators sound as if on one; None: nothing is to be done.
    """

    def __init__(
        self,
        air: Air,
        spec: PointSpec,
        sent: Sent,
        labels: Mapping[str, NDArray[Any]],
        *,
        said: Mapping[str, Any],
        attrs: Mapping[str, Any],
        fade: Tensor | None = None,
        match: ClockMatch | None = None,
    ) -> None:
        self.spec, self.sent, self.fade = spec, sent, fade
        self.ended: str | None = None
        self.frames_sent = 0
        self._air, self._said, self._expired = air, dict(said), 0
        self._alignments: list[dict[str, Any]] = []
        self._match, self._session = match, air.session
        self._peaks = PeakMeter(spec, said.get("tx_back_off_db", ()))
        self._plain = None if spec.aligned else Carried.of(spec, sent.symbols, None, fade)
        self._rounds: Rounds | None = None
        if spec.aligned:
            make = partial(air.align, spec)
            self._rounds = Rounds(spec=spec, symbols=sent.symbols, fade=fade, make=make, aligner=air.aligner)
        self._collectors = {
            one.name: Collector(spec, sent.symbols, reception=index, fade=fade) for index, one in enumerate(spec.receptions)
        }
        extra: dict[str, NDArray[Any]] = {} if fade is None else {"fade": fade.numpy()}
        if sent.length is not None:
            extra["length"] = sent.length.numpy()
        self.index = air.writer.add_point(
            spec.name,
            attrs={"kind": "point", "spec": spec.model_dump(mode="json"), **attrs, **said},
            symbols=sent.symbols.contiguous().numpy(),
            labels=labels,
            extra=extra,
            side={name: value.contiguous().numpy() for name, value in (sent.side or {}).items()},
            receivers=[one.name for one in spec.receptions],
        )

    def send(self, frames: range, progress: Callable[[int], None]) -> None:
        """Send frames one after the other, aligned first where the point is; none once it has ended.

        A frame whose transmitters are out of bounds is refused and sent again, after a new alignment.

        Args:
            frames: their indices in the point.
            progress: told the frames done.

        Raises:
            RadioTimeoutError: no answer to the sounding before the point's first frame, twice.
            CalibrationError: that sounding was lost. What befalls a later one ends the point.
            RadioError: a radio is lost; the capture has what was measured before, and says what happened.
        """
        left = len(frames)
        if self._rounds is not None:
            self._rounds.part_over()
        try:
            for index in frames:
                while self.ended is None and not self._frame(index):
                    pass
                if self.ended is not None:
                    break
                progress(1)
                left -= 1
        except (CalibrationError, RadioTimeoutError) as err:  # its transmitters could not be aligned
            self.ended = str(err)
            if not self.frames_sent:
                raise
        finally:
            if self.ended is not None:
                progress(left)

    def _carried(self) -> Carried:
        """The point's symbols in the form in which they are to be sent now: aligned anew, where they must be."""
        if self._rounds is None:
            assert self._plain is not None
            return self._plain
        if self._session != self._air.session:  # what was aligned before a break is aligned no more
            self._session = self._air.session
            self._rounds.part_over()
        carried = self._rounds.carried()
        number = len(self._alignments)
        if number < len(self._rounds.made):
            precoder, expected, samples = self._rounds.made[-1]
            counts = np.array([precoder.limited, samples])
            powers = np.stack([precoder.power.numpy(), precoder.energy.numpy()])
            stored = {"precoder": precoder.weights.numpy(), "powers": powers, "counts": counts}
            if self.spec.told:
                stored |= {"expected": expected.response, "trust": expected.trust}
                next(iter(self._collectors.values())).expect(number, expected)
            self._air.writer.add_extra(self.index, {_STORED.format(number, name): values for name, values in stored.items()})
            self._alignments.append(stored)
        return carried

    def _frame(self, index: int) -> bool:
        """Send, receive and keep one frame; whether it is through, not to be sent again."""
        number = self.spec.first_frame + index
        waveforms = self._carried().frame(index, number)
        self.frames_sent = max(self.frames_sent, index + 1)
        alignment = None if self._rounds is None else self._rounds.alignment
        writer = self._air.writer
        if self._match is not None:
            waveforms = self._match(waveforms)
        with timed("transmitter"):
            self._peaks.add(waveforms, number)
        try:
            got = self._air.burst(waveforms)
        except RadioError as err:
            lost = {name: collector.miss(number, alignment=alignment) for name, collector in self._collectors.items()}
            keep_failure(writer, err, self.index, "frame", number, lost)
            if isinstance(err, EarlierFailureError):
                return False
            if not isinstance(err, RadioTimeoutError):
                raise
            self._expired += 1
            if self._expired == EXPIRIES:
                self.ended = str(err)
            return True
        rows = self._received(got, number)
        self._air.listened(any(row["detected"] for row in rows.values()))
        keep_burst(writer, got, self.index, "frame", number, rows)
        first = next(iter(rows.values()))
        if self._match is not None:
            self._match = self._match.follow(first.get("cfo_hz", ()))
        return bool(first["status"] != "gated")

    def _received(self, got: BurstReception, number: int) -> dict[str, dict[str, Any]]:
        """The ledger's rows of a frame's burst, by receiver; the first one says whether an aligned frame is refused."""
        rows: dict[str, dict[str, Any]] = {}
        rounds, refused = self._rounds, False
        alignment = None if rounds is None else rounds.alignment
        for index, (name, collector) in enumerate(self._collectors.items()):
            part = got.heard[name]
            if refused:
                rows[name] = {"frame": number, "detected": False} | collector.refuse()
            elif got.whole:
                known = begins(got, name)
                may = rounds is not None and index == 0 and rounds.may_refuse
                with timed("receiver"):
                    rows[name] = collector.add(part.samples, number, part.start, sent_at=known, alignment=alignment, refuse=may)
            else:
                rows[name] = collector.miss(number, "late", alignment)
            refused = refused or rows[name]["status"] == "gated"
        if rounds is not None:
            first, collector = next(iter(self._collectors.items()))
            for row in rows.values():
                row["flags"] = [*row.get("flags", ()), *rounds.flags]
            at_s = self._air.clock_s(got.heard[first].start) if got.whole else None
            rounds.sent(at_s, collector.looked if got.whole else None, refused=refused)
        return rows

    def finish(self, *, through: bool = True) -> OnAir:
        """What was received of all that was sent; not `through`: more may be sent of it yet, and nothing is stored now."""
        with timed("receiver"):
            found = {name: collector.finish() for name, collector in self._collectors.items()}
        peaks = self._peaks.found() if through else None
        if peaks is not None:
            self._air.writer.add_extra(self.index, {PEAKS: peaks})
        more = self._said | alignment_keys(self._alignments) | peak_keys(peaks) | {"point": self.index, "ended": self.ended}
        weights = [one["precoder"] for one in self._alignments]
        made = np.stack(weights) if weights else None
        return OnAir(collections=found, index=self.index, ended=self.ended, more=more, precoders=made)


def alignment_keys(alignments: list[dict[str, Any]]) -> dict[str, Any]:
    """What a row says of a point's alignments: means of their powers, the most carriers limited, and the samples of all.

    Args:
        alignments: of each `powers` float32 [2, tx] (power, and energy that the inversion takes) and `counts` (carriers that
            were limited, samples sent).
    """
    if not alignments:
        return dict.fromkeys(PRECODER_KEYS)
    power, energy = np.mean([one["powers"] for one in alignments], axis=0, dtype=np.float64)
    limited, samples = np.array([one["counts"] for one in alignments]).T
    return {
        "precoder_power_db": [power_to_db(float(value)) for value in power],
        "precoder_energy_db": [power_to_db(float(value)) for value in energy],
        "precoder_limited": int(limited.max()),
        "alignment_samples": int(samples.sum()),
    }


def stored_alignments(extra: Mapping[str, NDArray[Any]]) -> list[dict[str, Any]]:
    """The alignments that a capture has of a point, in order, as `alignment_keys` takes them."""
    found: list[dict[str, Any]] = []
    while _STORED.format(len(found), "counts") in extra:
        found.append({name: extra[_STORED.format(len(found), name)] for name in ("powers", "counts")})
    return found


def stored_expectations(extra: Mapping[str, NDArray[Any]]) -> list[Shape]:
    """What a capture's alignments of a point led its receiver to expect, in order; none where they did not tell."""
    found: list[Shape] = []
    while _STORED.format(len(found), "expected") in extra:
        found.append(Shape(*(extra[_STORED.format(len(found), name)] for name in ("expected", "trust"))))
    return found
