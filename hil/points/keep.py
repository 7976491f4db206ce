"""Every burst is kept: what was heard of it, what the receivers made of it, and what the radios said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from hil.captures import CaptureWriter
from hil.errors import RadioError, TransmitRefusedError
from hil.phy.receive import FrameReception
from hil.radios.burst import BurstReception
from hil.timing import timed
from hil.units import decibels

__all__ = ["Kind", "begins", "keep_burst", "keep_failure", "keep_frames", "sounding_row"]

Kind = Literal["frame", "sounding", "calibration"]


@timed("capture")
def keep_burst(
    writer: CaptureWriter, got: BurstReception, point: int, kind: Kind, number: int, ledger: Mapping[str, dict[str, Any]]
) -> None:
    """Commit a burst with its frame's rows of the ledger, which say what the radios reported of it.

    Args:
        writer: of the capture.
        got: what the receivers heard.
        point: its index in the capture.
        kind: what it was sent for.
        number: of its frame.
        ledger: receiver -> row; late, underflow and overflow are filled in.
    """
    keep_frames(writer, got, point, kind, [number], {name: [row] for name, row in ledger.items()})


def keep_frames(
    writer: CaptureWriter,
    got: BurstReception,
    point: int,
    kind: Kind,
    numbers: Sequence[int],
    ledger: Mapping[str, Sequence[dict[str, Any]]],
) -> None:
    """The same of a burst of several frames; `ledger` has a row for each."""
    events = _event_rows(got)
    told = Counter(event["kind"] for event in events)
    for row in (row for rows in ledger.values() for row in rows):
        if "flags" in row:
            row["flags"] = [name for name in row["flags"] if name in writer.shape.flags]
        row |= {"late": told["late"], "underflow": told["underflow"], "overflow": told["overflow"] + told["gap"]}
        if row["status"] == "lost" and row["overflow"]:
            row["status"] = "overflow"
    writer.append_burst(
        point,
        {name: got.heard[name] for name in ledger},
        kind=kind,
        frame_numbers=list(numbers),
        ledger=ledger,
        events=events,
        sent_at={name: begins(got, name) for name in ledger},
    )


def keep_failure(
    writer: CaptureWriter, err: RadioError, point: int, kind: Kind, number: int, ledger: Mapping[str, dict[str, Any]]
) -> None:
    """Commit that a burst failed and why; its samples, if there were any, never reached the host."""
    if isinstance(err, TransmitRefusedError):
        return  # nothing was sent
    writer.append_burst(
        point,
        {},
        kind=kind,
        frame_numbers=[number],
        ledger={name: [row] for name, row in ledger.items()},
        events=[{"kind": err.event, "radio": err.radio, "detail": str(err)}],
    )


def sounding_row(heard: FrameReception | None, number: int, start: int, *, whole: bool) -> dict[str, Any]:
    """The ledger's row of a sounding frame; `start` is the burst's first sample."""
    row: dict[str, Any] = {"frame": number, "status": "lost" if whole else "late", "detected": False}
    if heard is not None:
        row |= {
            "status": "decoded",
            "detected": True,
            "metric": heard.metric,
            "start": start + heard.start,
            "noise": heard.noise,
        }
        row |= {"snr_db": [decibels(value) for value in heard.snr.tolist()], "cfo_hz": heard.cfo_hz.tolist()}
    return row


def begins(got: BurstReception, receiver: str) -> int | None:
    """A receiver's device sample at which transmitter 0 began, where radios on one clock say so."""
    place = got.begins(0, receiver)
    return None if place is None else got.heard[receiver].start + place


def _event_rows(got: BurstReception) -> list[dict[str, Any]]:
    """Stream events as rows of a capture."""
    return [
        {
            "kind": event.kind,
            "radio": event.radio,
            "channel": event.channel,
            "sample": event.position,
            "count": event.count,
        }
        for event in got.events
    ]
