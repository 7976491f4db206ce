"""How much of the machine others use: the share of all processors' time that is neither idle nor ours."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["ForeignLoad"]


class ForeignLoad:
    """Between its making and `share`; Linux only.

    Args:
        pids: our processes beside this one.
    """

    def __init__(self, *pids: int) -> None:
        self._pids = [os.getpid(), *pids]
        self._busy, self._all, self._ours = *_machine(), sum(map(_process, self._pids))

    def share(self) -> float:
        """0 … 1."""
        busy, total = _machine()
        ours = sum(map(_process, self._pids))
        passed = max(total - self._all, 1)
        return max(0.0, (busy - self._busy - (ours - self._ours)) / passed)


def _machine() -> tuple[int, int]:
    """Busy and all jiffies of all processors."""
    fields = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return sum(fields) - fields[3] - fields[4], sum(fields)


def _process(pid: int) -> int:
    """User and system jiffies of a process, its threads and the children that it has waited for included."""
    try:
        after = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, after[11:15]))
