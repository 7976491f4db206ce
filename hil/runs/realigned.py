"""What the ledger says of a point's alignments."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.captures import Capture, FrameKind
from hil.points.on_air import ALIGNMENT_TRIES
from hil.points.rounds import ALIGNED
from hil.points.spec import PointSpec

__all__ = ["alignments_of", "soundings_of"]


def alignments_of(capture: Capture, ledger: NDArray[Any]) -> dict[int, int]:
    """Burst -> the alignment that it was sent with, 0, 1, …, by the ledger's flags; none where nothing was aligned."""
    if ALIGNED not in capture.flags:
        return {}
    begins = (ledger["flags"] >> capture.flags.index(ALIGNED)) & 1
    numbers = np.cumsum(begins.astype(np.int64)) - 1
    return {burst: int(number) for burst, number in zip(ledger["burst"].tolist(), numbers, strict=True) if number >= 0}


def soundings_of(capture: Capture, spec: PointSpec) -> int:
    """Frames that were sent to align a point's transmitters."""
    ledger = capture.ledger(receiver=spec.receptions[0].name)
    own = ledger[ledger["kind"] == FrameKind.SOUNDING]
    own = own[(own["frame"] >= spec.first_frame - ALIGNMENT_TRIES) & (own["frame"] < spec.first_frame)]
    return int((capture.burst_table()["count"][own["burst"]] > 0).sum())
