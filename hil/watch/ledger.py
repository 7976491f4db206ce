"""What a ledger says of a run as a whole: frames found and lost, SNR and carrier offset along the bursts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.captures import FrameStatus
from hil.watch.source import Update, plain

__all__ = ["HISTORY", "Tally", "counts", "history"]

FOUND = (FrameStatus.SCORED, FrameStatus.DECODED, FrameStatus.GATED, FrameStatus.CLIPPED)
LOST = (FrameStatus.LOST, FrameStatus.LATE, FrameStatus.OVERFLOW)
_IS_FOUND, _IS_LOST = (np.isin(np.arange(256), some) for some in (FOUND, LOST))
HISTORY = 400
"""Points of a line along the bursts; of more frames every n-th is shown."""


class Tally:
    """Frames of one receiver by what became of them, row by row."""

    def __init__(self) -> None:
        self.rows = 0
        self._total: dict[str, int] = {}

    def take(self, ledger: NDArray[Any], receiver: int) -> Update:
        """Count what came since; all so far."""
        new = ledger[self.rows :]
        for name, count in counts(new[new["receiver"] == receiver]).items():
            self._total[name] = self._total.get(name, 0) + count
        self.rows = len(ledger)
        return dict(self._total)


def counts(ledger: NDArray[Any]) -> Update:
    """How many frames there are by what became of them.

    Args:
        ledger: rows of one receiver, `hil.captures.ledger_dtype`.
    """
    status = ledger["status"]
    return {
        "found": int(_IS_FOUND[status].sum()),
        "lost": int(_IS_LOST[status].sum()),
        "late": int((status == FrameStatus.LATE).sum()),
        "overflow": int((status == FrameStatus.OVERFLOW).sum()),
        "gated": int((status == FrameStatus.GATED).sum()),
        "clipped": int((ledger["clipped"] > 0).sum()),
    }


def history(ledger: NDArray[Any], receiver: int, bursts: NDArray[np.int64]) -> Update:
    """SNR and carrier offset of a receiver's frames, and which were lost.

    Args:
        ledger: rows of all receivers.
        receiver: its index.
        bursts: int64 [burst], rows of its bursts in the table of bursts, ascending.
    """
    own = np.flatnonzero(ledger["receiver"] == receiver)
    step = max(1, -(-len(own) // HISTORY))
    some = ledger[own[::step]]
    lost = own[_IS_LOST[ledger["status"][own]]]
    lost = lost[:: max(1, -(-len(lost) // HISTORY))]
    return {
        "x": np.searchsorted(bursts, some["burst"].astype(np.int64)).tolist(),
        "snr": [plain(some["snr_db"][:, tx]) for tx in range(some["snr_db"].shape[1])],
        "cfo": [plain(some["cfo_hz"][:, tx]) for tx in range(some["cfo_hz"].shape[1])],
        "lost": np.searchsorted(bursts, ledger["burst"][lost].astype(np.int64)).tolist(),
        "every": step,
    }
