"""What comes of one burst."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hil.radios.contract import StreamEvent

__all__ = ["BurstReception", "Heard"]


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What one receiver got of a burst.

    Attributes:
        samples: int16 [n, 2], in units of that receiver's `Bench.full_scales`.
        start: device sample of the first one, on the receiver's own clock.
        due: index of the sample at which the burst would begin if nothing delayed it, as far as the clocks are known; None
            where they are not. For measuring delays: a modem that searches must not look here.
    """

    samples: NDArray[np.int16]
    start: int
    due: int | None = None


@dataclass(frozen=True, kw_only=True)
class BurstReception:
    """What came of one burst.

    Attributes:
        heard: by receiver, in the bench's order. On a shared clock the windows cover the same time.
        events: of all radios, transmit clipping included.
        sent_at: device sample at which each transmitter started, or None where its radio sent nothing or has no time: a
            record, not to be used by the receiver.
        whole: no transmitter said that a part of the burst went out late or not at all. What is received of one that did is
            no measurement of a link.
        one_time: `sent_at` and every `Heard.start` count on one clock; see `begins`.
    """

    heard: Mapping[str, Heard]
    events: tuple[StreamEvent, ...]
    sent_at: tuple[int | None, ...]
    whole: bool = True
    one_time: bool = False

    @property
    def samples(self) -> NDArray[np.int16]:
        """What the first receiver got, int16 [n, 2]."""
        return self._of(None).samples

    @property
    def start(self) -> int:
        """The first receiver's device sample of its first sample."""
        return self._of(None).start

    def begins(self, tx: int, receiver: str | None = None) -> int | None:
        """Where in a receiver's samples a transmitter's burst begins, but for the link's delay (later by that much).

        For frames that were sent and not found; a modem that searches must not look here.

        Args:
            tx: transmitter.
            receiver: its name; None = the first.

        Returns:
            index of a sample; None where the transmitter's radio sent nothing, or nothing ties its clock to the receiver's.

        Raises:
            KeyError: no such receiver.
        """
        sent_at = self.sent_at[tx]
        return sent_at - self._of(receiver).start if self.one_time and sent_at is not None else None

    def _of(self, receiver: str | None) -> Heard:
        return self.heard[next(iter(self.heard)) if receiver is None else receiver]
