"""What a run will take, before it begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from hil.captures import CapturePlan, check_disk, plan_capture
from hil.errors import DiskFullError
from tests.unit.captures.support import BOTH, ONE, count_of, fill


def test_plan_refuses_a_disk_too_small(tmp_path: Path) -> None:
    plan = plan_capture(samples=1_000_000, sample_rate_hz=1e6, frames=100, bursts=50, transmitters=2)
    assert plan.bytes > 4_000_000
    assert plan.duration_s == 1.0
    check_disk(plan, tmp_path / "not" / "there" / "capture.h5")
    huge = CapturePlan(samples=1, bytes=10**18, duration_s=1.0)
    with pytest.raises(DiskFullError, match="90%"):
        check_disk(huge, tmp_path / "capture.h5")


@pytest.mark.parametrize("receivers", [ONE, BOTH], ids=["one", "two"])
def test_plan_is_an_upper_bound_and_close(tmp_path: Path, receivers: tuple[str, ...]) -> None:
    path = tmp_path / "capture.h5"
    fill(path, points=2, bursts=10, count=50_000, receivers=receivers)
    longest = len(receivers) - 1
    count = sum(count_of(50_000 + burst, longest) for _ in range(2) for burst in range(10))
    plan = plan_capture(
        samples=count, sample_rate_hz=1e6, frames=40, bursts=20, transmitters=2, receivers=len(receivers),
        symbols=2 * 2 * 96, received=2 * 96,
    )  # fmt: skip
    assert plan.samples == len(receivers) * count
    assert plan.duration_s == count / 1e6
    assert path.stat().st_size <= plan.bytes <= 1.4 * path.stat().st_size
