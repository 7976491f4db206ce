"""Check a capture from its first byte to its last committed one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from hil.captures.checks import CHECKS, FOUNDATIONS
from hil.captures.journal import has_pending_journal
from hil.captures.reader import Capture
from hil.errors import CaptureFormatError

__all__ = ["Report", "verify"]

_MOST = 20  # problems of one kind that are worth a line each


@dataclass(frozen=True, kw_only=True)
class Report:
    """What `verify` found.

    Attributes:
        path: the file.
        version: of its format, 0 if it did not open.
        complete: whether the run came to its end.
        pending_journal: the writer was killed inside a commit; hil reads the file whole, other HDF5 readers may not.
        counts: committed samples, exchanges, bursts, frames, ledger rows, events; points, finished points.
        problems: one line each; empty if all is well.
    """

    path: str
    version: int = 0
    complete: bool = False
    pending_journal: bool = False
    counts: dict[str, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """No problems."""
        return not self.problems


def verify(path: str | Path) -> Report:
    """Read everything that is committed, and check that it agrees with itself.

    Checksums of every chunk and burst, counters against datasets, bursts against samples, exchanges against the receivers of
    their points, ledger and events against bursts and points, and every JSON text. Damage is reported, not raised.
    """
    path = Path(path)
    try:
        capture = Capture.open(path)
    except CaptureFormatError as err:
        return Report(path=str(path), problems=(str(err),))
    problems: list[str] = []

    def attempt(check: Callable[[Capture], Iterable[str]]) -> None:
        try:
            found = list(check(capture))
        except CaptureFormatError as err:
            found = [str(err)]
        problems.extend(found[:_MOST])
        if len(found) > _MOST:
            problems.append(f"… and {len(found) - _MOST} more like it")

    with capture:
        counts = dict(capture.committed)
        for check in FOUNDATIONS:
            if not problems:
                attempt(check)
        if not problems:
            for check in CHECKS:
                attempt(check)
            counts = capture.counts
            counts |= {"points": len(capture.points), "finished_points": sum(point.finished for point in capture.points)}
        return Report(
            path=str(path),
            version=capture.file_version,
            complete=capture.complete,
            pending_journal=has_pending_journal(path),
            counts=counts,
            problems=tuple(dict.fromkeys(problems)),
        )
