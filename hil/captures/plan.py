"""What a run will take: samples, bytes and time; and whether the disk has room for it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from hil.captures import schema
from hil.errors import DiskFullError

__all__ = ["CapturePlan", "check_disk", "plan_capture"]

FREE_SHARE = 0.9  # of the free room that a plan may take
_FIXED_BYTES = 1 << 20
_BURST_BYTES = schema.BURSTS.itemsize + 64


@dataclass(frozen=True, kw_only=True)
class CapturePlan:
    """A run's needs.

    Attributes:
        samples: complex samples to keep, of all receivers.
        bytes: of the capture, on the disk.
        duration_s: time on the air, seconds.
    """

    samples: int
    bytes: int
    duration_s: float

    def __str__(self) -> str:
        return f"{self.samples:,} samples, {_size(self.bytes)}, {self.duration_s:.3g} s on the air"


def plan_capture(
    *,
    samples: int,
    sample_rate_hz: float,
    frames: int,
    bursts: int,
    transmitters: int,
    receivers: int = 1,
    symbols: int = 0,
    received: int = 0,
    other_bytes: int = 0,
) -> CapturePlan:
    """Estimate a capture's size, from above.

    Args:
        samples: complex samples that each receiver takes.
        sample_rate_hz: of the receivers.
        frames: sent.
        bursts: sent; each has a row for every receiver.
        transmitters: of the capture.
        receivers: of the capture.
        symbols: complex symbols stored as sent, over all points and transmitters.
        received: complex symbols stored as received, over all points, of each receiver.
        other_bytes: labels, further arrays.
    """
    rows = frames * schema.ledger_dtype(transmitters).itemsize + bursts * _BURST_BYTES
    size = receivers * (4 * samples + 8 * received + rows) + 8 * (symbols + frames) + other_bytes
    return CapturePlan(samples=receivers * samples, bytes=_FIXED_BYTES + size + size // 64, duration_s=samples / sample_rate_hz)


def check_disk(plan: CapturePlan, path: str | Path) -> None:
    """Refuse a plan that would take more than 90 % of the free room where `path` is to lie.

    Raises:
        DiskFullError: names the need, the room and the way out.
    """
    folder = Path(path).absolute()
    while not folder.is_dir():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if plan.bytes > FREE_SHARE * free:
        raise DiskFullError(
            f"{path} would take {_size(plan.bytes)}, more than {FREE_SHARE:.0%} of the {_size(free)} free in {folder};"
            " free some space, plan fewer tasks or points, or write to another disk (--out)"
        )


def _size(count: int) -> str:
    size, units = float(count), ["B", "kB", "MB", "GB"]
    while size >= 1000 and len(units) > 1:
        size, units = size / 1000, units[1:]
    return f"{size:.3g} {units[0]}"
