"""What comes of one burst."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hil.radios.contract import StreamEvent

__all__ = ["BurstReception"]


@dataclass(frozen=True, kw_only=True)
class BurstReception:
    """What came of one burst.

    Attributes:
        samples: received, int16 [n, 2], in units of `Bench.full_scale`.
        start: the receiver's device sample of the first one.
        events: of all radios, transmit clipping included.
        sent_at: device sample at which each transmitter started, or None where the radio has no time: a record, not to be
            used by the receiver.
        whole: no transmitter said that a part of the burst went out late or not at all. What is received of one that did is
            no measurement of a link.
    """

    samples: NDArray[np.int16]
    start: int
    events: tuple[StreamEvent, ...]
    sent_at: tuple[int | None, ...]
    whole: bool = True

    @property
    def heard(self) -> "dict[str, BurstReception]":
        """(shim until several receivers are merged)"""
        return {"rx": self}
