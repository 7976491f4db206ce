"""What the ledger says of a point's alignments."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.captures import Capture
from hil.points.rounds import ALIGNED

__all__ = ["alignments_of"]


def alignments_of(capture: Capture, ledger: NDArray[Any]) -> dict[int, int]:
    """Burst -> the alignment that it was sent with, 0, 1, …, by the ledger's flags; none where nothing was aligned."""
    if ALIGNED not in capture.flags:
        return {}
    begins = (ledger["flags"] >> capture.flags.index(ALIGNED)) & 1
    numbers = np.cumsum(begins.astype(np.int64)) - 1
    return {burst: int(number) for burst, number in zip(ledger["burst"].tolist(), numbers, strict=True) if number >= 0}
