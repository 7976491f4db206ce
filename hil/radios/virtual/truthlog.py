"""What really happened on the air, for comparison with what a host was told: one JSON object a line.

Rows have `air` (index of the first air sample concerned), `radio`, `event` and more by event: `transmit` (every unbroken run
of transmitted samples: `tick`, `channel`, `n`), `buffer` (a host's buffer reached the DAC: `tick`, `n`), `lost` (samples that
a host will not get: `tick`, `n`), `underflow`, `late`, `fault`, `connect`, `disconnect`.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from pathlib import Path
from typing import Any, TextIO

__all__ = ["TruthLog"]

_KEPT = 4096


class TruthLog:
    """Keeps the last rows in memory, counts all, and writes them to a file where one is given.

    Args:
        path: appended to; None = memory only.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.recent: deque[dict[str, Any]] = deque(maxlen=_KEPT)
        self.counts: Counter[tuple[str, str]] = Counter()
        self._file: TextIO | None = path.open("a", encoding="utf-8") if path is not None else None

    def note(self, event: str, radio: str, air: int, **more: Any) -> None:
        """Add a row."""
        row = {"event": event, "radio": radio, "air": air, **more}
        self.recent.append(row)
        self.counts[radio, event] += 1
        if self._file is not None:
            self._file.write(json.dumps(row) + "\n")

    def flush(self) -> None:
        """Put everything written so far in the file."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Flush and close."""
        if self._file is not None:
            self._file.close()
            self._file = None
