"""What holds for every capture ever written: it opens, verifies, is left alone, and can be written again in today's format."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hil.captures import VERSION, Capture, CaptureWriter, verify

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden"
CAPTURES = sorted(path for path in GOLDEN.glob("v*/**/*capture.h5"))


@pytest.fixture(params=CAPTURES, ids=lambda path: str(path.relative_to(GOLDEN).parent))
def path(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def plain_rows(table: np.ndarray) -> list[dict[str, Any]]:
    """Rows of a table as a writer is given them."""
    rows = [dict(zip(table.dtype.names, row.tolist(), strict=True)) for row in table]
    return [{name: value.decode() if isinstance(value, bytes) else value for name, value in row.items()} for row in rows]


def write_again(capture: Capture, path: Path) -> None:
    """Everything in `capture`, through the public face of reader and writer alone."""
    with CaptureWriter.create(
        path, config=capture.config, provenance=capture.provenance, models=capture.models, receivers=capture.receivers,
        transmitters=capture.transmitters, sources=capture.sources, flags=capture.flags,
    ) as writer:  # fmt: skip
        events = capture.events()
        for point in capture.points:
            writer.add_point(
                point.name, attrs=point.attrs, symbols=point.symbols, labels=point.labels, receivers=point.receivers,
                side=point.side, extra=point.extra,
            )  # fmt: skip
        for exchange in capture.exchanges():
            rows = capture.ledger(exchange.point)
            own = {name: plain_rows(rows[rows["burst"] == burst.index]) for name, burst in exchange.heard.items()}
            writer.append_burst(
                exchange.point,
                exchange.heard,
                kind=exchange.kind,
                frame_numbers=exchange.frame_numbers,
                ledger=own,
                events=plain_rows(events[events["exchange"] == exchange.index]),
                sent_at={name: burst.sent_at for name, burst in exchange.heard.items()},
            )
        for point in capture.points:
            if point.finished:
                writer.finish_point(
                    point.index, results=point.results or {}, received_sha256=str(point.received_sha256),
                    received=point.received, valid=bool(point.valid), arrays=point.arrays,
                )  # fmt: skip
        if capture.complete:
            writer.finish(capture.results or {})


def test_there_are_captures_of_every_version() -> None:
    assert {path.relative_to(GOLDEN).parts[0] for path in CAPTURES} >= {f"v{version}" for version in range(1, VERSION)}


def test_opens_verifies_and_is_left_alone(path: Path) -> None:
    before = path.read_bytes()
    report = verify(path)
    assert report.ok, report.problems
    assert f"v{report.version}" == path.relative_to(GOLDEN).parts[0]
    assert path.read_bytes() == before


def test_written_again_it_is_the_same(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "capture.h5"
    with Capture.open(path) as old:
        write_again(old, copy)
        report = verify(copy)
        assert report.ok, report.problems
        assert report.version == VERSION
        with Capture.open(copy) as new:
            for name in (
                "config",
                "provenance",
                "models",
                "sources",
                "flags",
                "receivers",
                "transmitters",
                "complete",
                "results",
                "counts",
            ):
                assert getattr(new, name) == getattr(old, name), name
            for name in ("burst_table", "ledger", "events"):
                assert getattr(new, name)().tobytes() == getattr(old, name)().tobytes(), name
            for ours, theirs in zip(new.bursts(), old.bursts(), strict=True):
                assert ours.samples.tobytes() == theirs.samples.tobytes()
            for point, other in zip(new.points, old.points, strict=True):
                for name in ("name", "attrs", "receivers", "results", "valid", "received_sha256"):
                    assert getattr(point, name) == getattr(other, name), name
                for name in ("labels", "side", "extra", "arrays"):
                    ours, theirs = getattr(point, name), getattr(other, name)
                    assert {key: value.tobytes() for key, value in ours.items()} == {
                        key: value.tobytes() for key, value in theirs.items()
                    }
                assert (point.received is None) == (other.received is None)


def test_captures_need_no_torch() -> None:
    code = "import hil.captures, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT).returncode == 0
