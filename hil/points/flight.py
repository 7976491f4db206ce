"""A point on the air: stored before its first frame, sent piece by piece, received as it comes, and put together at its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hil.calibration.precode import Precoder
from hil.captures import CaptureWriter
from hil.errors import CalibrationError, RadioError, RadioTimeoutError
from hil.models.contract import Sent
from hil.points.carried import Carried
from hil.points.keep import begins, keep_burst, keep_failure
from hil.points.receive import Collection, Collector
from hil.points.spec import PointSpec
from hil.radios.burst import BurstReception
from hil.timing import timed
from hil.units import power_to_db

__all__ = ["EXPIRIES", "PRECODER_KEYS", "Air", "Flight", "OnAir", "alignment_keys", "stored_alignments"]

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
    """

    collections: Mapping[str, Collection]
    index: int
    ended: str | None
    more: dict[str, Any] = field(default_factory=dict)


class Air(Protocol):
    """What carries frames (`hil.points.on_air.AirRun`)."""

    writer: CaptureWriter

    def burst(self, waveforms: Tensor) -> BurstReception:
        """Send complex64 [tx, n] and receive around it."""

    def precoder(self, spec: PointSpec, number: int) -> tuple[Precoder, int]:
        """Align a point's transmitters for the `number`-th time, from 0; and how many samples that took."""

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
    ) -> None:
        self.spec, self.sent, self.fade = spec, sent, fade
        self.ended: str | None = None
        self.frames_sent = 0
        self._air, self._said, self._expired = air, dict(said), 0
        self._alignments: list[dict[str, Any]] = []
        self._carried: Carried | None = None
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

        Args:
            frames: their indices in the point.
            progress: told the frames done.

        Raises:
            RadioTimeoutError: no answer to the sounding before the point's first frame, twice.
            CalibrationError: that sounding was lost. What befalls a later one ends the point.
            RadioError: a radio is lost; the capture has what was measured before, and says what happened.
        """
        left = len(frames)
        try:
            if self.ended is None:
                self._make_ready()
            for index in frames:
                if self.ended is not None:
                    break
                self._frame(index)
                if self.ended is None:
                    progress(1)
                    left -= 1
        except (CalibrationError, RadioTimeoutError) as err:  # of the sounding
            self.ended = str(err)
            if not self.frames_sent:
                raise
        finally:
            if self.ended is not None:
                progress(left)

    def _make_ready(self) -> None:
        """Bring the point's symbols into the form in which they are to be sent now: aligned anew, where they are aligned."""
        if not self.spec.aligned:
            self._carried = self._carried or Carried.of(self.spec, self.sent.symbols, None, self.fade)
            return
        number = len(self._alignments)
        precoder, samples = self._air.precoder(self.spec, number)
        counts = np.array([precoder.limited, samples])
        powers = np.stack([precoder.power.numpy(), precoder.energy.numpy()])
        stored = {"precoder": precoder.weights.numpy(), "powers": powers, "counts": counts}
        self._air.writer.add_extra(self.index, {_STORED.format(number, name): values for name, values in stored.items()})
        self._alignments.append(stored)
        self._carried = Carried.of(self.spec, self.sent.symbols, precoder, self.fade)

    def _frame(self, index: int) -> None:
        """Send, receive and keep one frame."""
        assert self._carried is not None
        number = self.spec.first_frame + index
        self.frames_sent += 1
        writer = self._air.writer
        try:
            got = self._air.burst(self._carried.frame(index, number))
        except RadioError as err:
            lost = {name: collector.miss(number) for name, collector in self._collectors.items()}
            keep_failure(writer, err, self.index, "frame", number, lost)
            if not isinstance(err, RadioTimeoutError):
                raise
            self._expired += 1
            if self._expired == EXPIRIES:
                self.ended = str(err)
            return
        rows = {}
        for name, collector in self._collectors.items():
            part = got.heard[name]
            if got.whole:
                known = begins(got, name)
                with timed("receiver"):
                    rows[name] = collector.add(part.samples, number, part.start, sent_at=known)
            else:
                rows[name] = collector.miss(number, "late")
        self._air.listened(any(row["detected"] for row in rows.values()))
        keep_burst(writer, got, self.index, "frame", number, rows)

    def finish(self, ended: str | None = None) -> OnAir:
        """What was received of all that was sent; `ended`: why no more of it is."""
        self.ended = self.ended or ended
        with timed("receiver"):
            found = {name: collector.finish() for name, collector in self._collectors.items()}
        more = self._said | alignment_keys(self._alignments) | {"point": self.index, "ended": self.ended}
        return OnAir(collections=found, index=self.index, ended=self.ended, more=more)


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
