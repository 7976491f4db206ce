"""A small capture that fits a document: noise for samples, known symbols, a lost frame at each point, one stream event."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hil.captures import CaptureWriter
from hil.results.document import ResultsDocument, Row
from tests.unit.report.documents import EVIL

RATE = 1e6
LEAD, BURST = 400, 2000
TASKS, IN_FRAME = 24, 8
ERROR = 0.08
"""Mean error power of the received symbols."""


def make_capture(path: Path, document: ResultsDocument, *, stop_after: int | None = None) -> None:
    """Every measured point of the document, with its row; cut short in the next point if asked."""
    rng = np.random.default_rng(1)
    plain = document.to_dict()
    config = {"experiment": plain["experiment"], "bench": {"name": "builtin", "sample_rate_hz": RATE}, "dataset": {}}
    air = [row for row in document.points if row.source == "air"]
    with CaptureWriter.create(path, config=config, versions={"hil": "0.1.0"}, models={"weights": "cd" * 32}) as writer:
        for index, row in enumerate(air):
            sent = _sent(rng, row)
            spec = {"scheme": row.scheme, "snr_db_target": row.snr_db_target, "full_scale": 2048}
            point = writer.add_point(f"point {index}", attrs={"kind": "point", "spec": spec}, symbols=sent, labels={})
            for frame in range(3):
                _burst(rng, writer, point, row, frame, 4 * index + frame)
            if stop_after is not None and index >= stop_after:
                return
            noise = (ERROR / 2) ** 0.5 * (rng.standard_normal((TASKS, sent.shape[2], 2)) @ [1, 1j])
            received = (sent.sum(0) + noise).astype(np.complex64)
            received[:IN_FRAME] = 0  # the lost frame
            results = row.model_dump(mode="json")
            writer.finish_point(point, results=results, received_sha256="", received=received)
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


def _burst(rng: np.random.Generator, writer: CaptureWriter, point: int, row: Row, frame: int, number: int) -> None:
    samples = rng.normal(0, 8, (BURST, 2))
    samples[LEAD:] += rng.normal(0, 200, (BURST - LEAD, 2))
    start = BURST * frame
    found = {"status": "scored", "detected": True, "start": start + LEAD, "snr_db": row.snr_db, "clipped": int(frame == 1)}
    lost = {"status": "lost", "detected": False, "start": -1, "snr_db": None, "clipped": 0}
    writer.append_burst(
        point, samples.astype(np.int16), start=start, kind="frame", frame_numbers=[number], ledger=[found if frame else lost],
        events=[] if frame else [{"kind": "overflow", "radio": EVIL, "channel": 0, "count": 7}],
    )  # fmt: skip
