"""A small capture that fits a document: noise for samples, known symbols, a lost frame at each point, one stream event."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hil.captures import CaptureWriter, sha256_array
from hil.results.document import ResultsDocument, Row
from tests.unit.report.documents import EVIL

RATE = 1e6
LEAD, BURST = 400, 2000
TASKS, IN_FRAME = 24, 8
ERROR = 0.08
"""Mean error power of the received symbols."""


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What one receiver heard."""

    samples: NDArray[np.int16]
    start: int


def make_capture(path: Path, document: ResultsDocument, *, stop_after: int | None = None) -> None:
    """Every measured point of the document, with its rows; cut short in the next point if asked."""
    rng = np.random.default_rng(1)
    plain = document.to_dict()
    config = {"experiment": plain["experiment"], "bench": {"name": "builtin", "sample_rate_hz": RATE}, "dataset": {}}
    points: dict[tuple[str, float | None], list[Row]] = {}
    for row in document.points:
        if row.source == "air":
            points.setdefault((row.scheme, row.snr_db_target), []).append(row)
    receivers = list(dict.fromkeys(row.receiver or "rx" for rows in points.values() for row in rows))
    writer = CaptureWriter.create(
        path, config=config, provenance={"version": "0.1.0"}, models={"weights": "cd" * 32}, receivers=receivers, transmitters=2
    )
    with writer:
        for index, rows in enumerate(points.values()):
            row = rows[0]
            sent = _sent(rng, row)
            receptions = [{"name": name, "full_scale": 2048} for name in receivers]
            spec = {"scheme": row.scheme, "snr_db_target": row.snr_db_target, "receptions": receptions}
            point = writer.add_point(f"point {index}", attrs={"kind": "point", "spec": spec}, symbols=sent, labels={})
            for frame in range(3):
                _burst(rng, writer, point, rows, frame, 4 * index + frame)
            if stop_after is not None and index >= stop_after:
                return
            noise = (ERROR / 2) ** 0.5 * (rng.standard_normal((len(receivers), TASKS, sent.shape[2], 2)) @ [1, 1j])
            received = (sent.sum(0) + noise).astype(np.complex64)
            received[:, :IN_FRAME] = 0  # the lost frame
            results = {"rows": [own.model_dump(mode="json") for own in rows]}
            writer.finish_point(point, results=results, received_sha256=sha256_array(received), received=received)
        writer.finish(plain)


def _sent(rng: np.random.Generator, row: Row) -> np.ndarray:
    """Unit-power symbols, complex64 [tx, task, use]; transmitters that take turns fill halves."""
    transmitters = len(row.uses or [8])
    symbols = (rng.standard_normal((transmitters, TASKS, 8, 2)) @ [1, 1j] / 2**0.5).astype(np.complex64)
    if row.access == "oma":
        for tx in range(transmitters):
            symbols[tx, :, : 4 * tx] = 0
            symbols[tx, :, 4 * tx + 4 :] = 0
    return symbols


def _burst(rng: np.random.Generator, writer: CaptureWriter, point: int, rows: list[Row], frame: int, number: int) -> None:
    heard, ledger = {}, {}
    start = BURST * frame
    for row in rows:
        name, snr = row.receiver or "rx", [*(row.snr_db or []), None][:2]
        samples = rng.normal(0, 8, (BURST, 2))
        samples[LEAD:] += rng.normal(0, 200, (BURST - LEAD, 2))
        heard[name] = Heard(samples=samples.astype(np.int16), start=start)
        found = {"status": "scored", "detected": True, "start": start + LEAD, "snr_db": snr, "clipped": int(frame == 1)}
        ledger[name] = [found if frame else {"status": "lost", "detected": False, "start": -1}]
    writer.append_burst(
        point, heard, kind="frame", frame_numbers=[number], ledger=ledger,
        events=[] if frame else [{"kind": "overflow", "radio": EVIL, "channel": 0, "count": 7}],
    )  # fmt: skip
