"""What an earlier session of a run received, handed out in the place of a burst that need not be sent again."""

from __future__ import annotations

from typing import Protocol

from hil.captures import RecordedExchange
from hil.errors import EarlierFailureError, RadioTimeoutError
from hil.radios.burst import BurstReception, Heard
from hil.radios.contract import StreamEvent

__all__ = ["Past", "received_before"]


class Past(Protocol):
    """A record of exchanges (`hil.captures.ContinuedWriter`)."""

    @property
    def on_record(self) -> int:
        """Exchanges that are left."""

    @property
    def recorded(self) -> RecordedExchange | None:
        """The next one; it stays the next one until it is kept again."""


def received_before(past: Past, transmitters: int) -> BurstReception:
    """The next exchange as the radios gave it.

    Args:
        past: has one.
        transmitters: of the bench.

    Raises:
        RadioTimeoutError: then, too, no answer came in time.
        EarlierFailureError: a radio was lost then.
    """
    found = past.recorded
    assert found is not None
    if found.failure is not None:
        kind, radio, detail = found.failure
        raise (RadioTimeoutError if kind == RadioTimeoutError.event else EarlierFailureError)(detail, radio=radio)
    starts = [one.sent_at for one in found.heard.values()]
    tied = starts[0] if starts and starts.count(starts[0]) == len(starts) else None
    return BurstReception(
        heard={name: Heard(samples=one.samples, start=one.start) for name, one in found.heard.items()},
        events=tuple(
            StreamEvent(
                kind=one["kind"], radio=one["radio"], channel=one["channel"], position=one["sample"], count=one["count"]
            )
            for one in found.events
        ),
        sent_at=(tied,) + (None,) * (transmitters - 1),
        whole=found.whole,
        one_time=tied is not None,
    )
