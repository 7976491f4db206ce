"""The noise of a run, pooled over its points, and SNRs against it: once all points are there, live and in replay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hil.captures import Capture, FrameKind, FrameStatus, PointRecord
from hil.points.clips import to_complex
from hil.points.link import LinkRecord, LinkSnr
from hil.points.noise import NoiseLevel, PooledNoise, Silence, measure_silence, pool_noise
from hil.points.spec import PointSpec
from hil.results.document import Noise, Row, rounded
from hil.runs.steps import Measured, snr_keys
from hil.units import decibels

__all__ = ["NoiseBook", "row_against", "stored_silences"]


class NoiseBook:
    """What was silent at each receiver, point by point.

    Points may come in any order; they are pooled in the order of time.
    """

    def __init__(self) -> None:
        self._points: dict[str, dict[int, tuple[Silence, ...]]] = {}
        self._active = 1
        self._pooled: dict[str, dict[int, NoiseLevel | None]] = {}

    def add(self, point: int, records: Mapping[str, LinkRecord]) -> None:
        """Note a point as received.

        Args:
            point: its number, the same live and in replay.
            records: by receiver.
        """
        for name, record in records.items():
            self.add_silences(point, name, record.silences, record.active)

    def note(self, point: Measured) -> None:
        """Note a point as `add` does."""
        self.add(point.spec.first_frame, {name: one.record for name, one in point.collections.items()})

    def so_far(self, point: Measured) -> list[Row]:
        """Note a point; its rows against the noise of all that were noted until now, which those to come make better."""
        self.note(point)
        self.settle()
        return list(self.against(point.spec.first_frame, point).rows.values())

    def add_silences(self, point: int, receiver: str, silences: Sequence[Silence], active: int) -> None:
        """Note what was silent of a point at a receiver."""
        self._points.setdefault(receiver, {})[point] = tuple(silences)
        self._active = active

    def settle(self) -> list[Noise]:
        """Pool what was noted; what is said of each receiver."""
        said = []
        for name, points in self._points.items():
            order = sorted(points, key=lambda number: points[number][0].at if points[number] else 0)
            found = pool_noise([points[number] for number in order], self._active)
            self._pooled[name] = dict(zip(order, found.levels, strict=True))
            said.append(_noise(name, found, len([number for number in order if points[number]])))
        return said

    def level(self, point: int, receiver: str) -> NoiseLevel | None:
        """The noise that a point's SNR at a receiver is against, once it is settled."""
        return self._pooled[receiver][point]

    def against(self, number: int, point: Measured) -> Measured:
        """A point with its SNRs, in its rows too, against the run's noise; decoders were told the point's own."""
        collections = {name: one.against(self.level(number, name)) for name, one in point.collections.items()}
        found = replace(point, collections=collections)
        return replace(found, rows={key: row_against(row, found.of(key[1]).snr) for key, row in point.rows.items()})


def row_against(row: Row, snr: LinkSnr) -> Row:
    """A row with other SNRs."""
    return Row.model_validate(row.model_dump() | rounded(snr_keys(snr)))


def _noise(receiver: str, found: PooledNoise, points: int) -> Noise:
    whole = found.whole
    return Noise(
        receiver=receiver,
        pool="run" if whole is None else whole.pool,
        noise_dbfs=None if whole is None else decibels(whole.power),
        looks=0 if whole is None else whole.looks,
        drift_p=found.drift_p,
        trend_db=found.trend_db,
        points=points,
        without_lead=found.without_lead,
    )


def stored_silences(capture: Capture, record: PointRecord, spec: PointSpec, receiver: str) -> list[Silence]:
    """What was silent in a point of a capture that is not received again: frames are where the live run found them.

    Args:
        capture: open.
        record: the point.
        spec: what it is.
        receiver: one of its receivers.
    """
    reception = next(one for one in spec.receptions if one.name == receiver)
    numerology = spec.frame.numerology
    ledger = capture.ledger(record.index, receiver)
    scored = ledger[(ledger["kind"] == FrameKind.FRAME) & (ledger["status"] == FrameStatus.SCORED)]
    starts = dict(zip(scored["burst"].tolist(), scored["start"].tolist(), strict=True))
    found = []
    for burst in capture.bursts(record.index, receiver):
        if burst.index in starts:
            first = starts[burst.index] - burst.start
            head = to_complex(burst.head(first + numerology.symbol_samples), reception.full_scale)
            found.append(measure_silence(head, first, numerology, at=burst.start, mixer=reception.receiver.known_mixer))
    return found
