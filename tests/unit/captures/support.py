"""Captures whose every value tells where it belongs, and a check that it is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hil.captures import Capture, CaptureWriter, FrameStatus, SourceFile, sha256_array, verify

TASKS, USES, TRANSMITTERS = 12, 8, 2
BOTH = ("near", "far")
ONE = ("rx",)


@dataclass(frozen=True)
class Heard:
    """As a bench returns it for each receiver."""

    samples: np.ndarray
    start: int


def burst_samples(index: int, count: int, receiver: int = 0) -> np.ndarray:
    """Int16 [count, 2]: other values for every burst and receiver; never zero."""
    return ((np.arange(2 * count) + 977 * index + 7919 * receiver) % 30_000 + 1).astype(np.int16).reshape(count, 2)


def count_of(count: int, receiver: int) -> int:
    """Receivers hear windows of different lengths."""
    return count + 3 * receiver


def symbols(index: int, transmitters: int = TRANSMITTERS) -> np.ndarray:
    """What point `index` sends, complex64 [tx, task, use]."""
    generator = np.random.default_rng(index)
    return generator.standard_normal((transmitters, TASKS, USES, 2)).astype(np.float32).view(np.complex64)[..., 0]


def received(index: int, receivers: int) -> np.ndarray:
    """What the receivers of point `index` make of it, complex64 [receiver, task, use]."""
    return np.stack([symbols(index)[0] * (1 + receiver) for receiver in range(receivers)])


def new_writer(path: Path, receivers: Sequence[str] = ONE, **more: Any) -> CaptureWriter:
    given: dict[str, Any] = {"config": {"seed": 7}, "provenance": {"version": "0"}, "models": {"a": "ff" * 32}}
    return CaptureWriter.create(path, **given | {"receivers": receivers, "transmitters": TRANSMITTERS} | more)


def add_point(writer: CaptureWriter, index: int) -> int:
    return writer.add_point(
        f"noma@{index}dB",
        attrs={"snr_db": float(index), "gain_db": [1, 2]},
        symbols=symbols(index),
        labels={"identity": np.arange(TASKS)},
        side={"length": np.arange(TASKS * 3).reshape(TASKS, 3)},
        extra={"phase": np.full(5, 0.5), "fade": symbols(index)[:, :, 0], "length": np.full((TRANSMITTERS, TASKS), USES)},
    )


def append(writer: CaptureWriter, point: int, index: int, count: int) -> int:
    """Burst `index`: frames 2·index and the next, the first scored and the second lost, by every receiver."""
    names = writer.shape.receivers
    heard = {
        name: Heard(burst_samples(index, count_of(count, number), number), index * 100_000 + number)
        for number, name in enumerate(names)
    }
    rows = [
        {"status": "scored", "detected": True, "snr_db": [5.0, 6.0], "start": 3},
        {"status": FrameStatus.LOST, "snr_eff_db": -1.5},
    ]
    return writer.append_burst(
        point,
        heard,
        kind="frame",
        frame_numbers=[2 * index, 2 * index + 1],
        ledger=dict.fromkeys(names, rows),
        events=[{"kind": "overflow", "radio": "rx", "sample": 5, "count": 9}] if index % 3 == 0 else [],
        sent_at={names[0]: index * 100_000 + 40},
    )


def finish_point(writer: CaptureWriter, point: int, number: int) -> None:
    out = received(number, len(writer.shape.receivers))
    writer.finish_point(point, results={"top1": 0.5}, received_sha256=sha256_array(out), received=out)


def fill(path: Path, points: int = 3, bursts: int = 4, count: int = 700, receivers: Sequence[str] = ONE, **more: Any) -> None:
    """A whole run."""
    with new_writer(path, receivers, **more) as writer:
        for number in range(points):
            point = add_point(writer, number)
            for burst in range(bursts):
                append(writer, point, number * bursts + burst, count + burst)
            finish_point(writer, point, number)
        writer.finish({"points": points})


def check_truth(path: Path) -> int:
    """Every committed exchange holds what was sent, of all receivers, and `verify` agrees; returns how many there are."""
    report = verify(path)
    assert report.ok, report.problems
    with Capture.open(path) as capture:
        exchanges = list(capture.exchanges())
        for exchange in exchanges:
            assert tuple(exchange.heard) == capture.receivers
            np.testing.assert_array_equal(exchange.frame_numbers, [2 * exchange.index, 2 * exchange.index + 1])
            for number, burst in enumerate(exchange.heard.values()):
                np.testing.assert_array_equal(burst.samples, burst_samples(exchange.index, burst.count, number))
                np.testing.assert_array_equal(burst.frame_numbers, exchange.frame_numbers)
                assert burst.start == exchange.index * 100_000 + number
        for point in capture.points:
            np.testing.assert_array_equal(point.symbols, symbols(point.index))
            if point.finished:
                np.testing.assert_array_equal(point.received, received(point.index, len(capture.receivers)))
        assert capture.committed["bursts"] == len(exchanges) * len(capture.receivers)
        assert len(capture.ledger()) == 2 * capture.committed["bursts"]
        return len(exchanges)


def source(text: str) -> SourceFile:
    """A file of code with that text."""
    return SourceFile(sha256=sha256_array(np.frombuffer(text.encode(), np.uint8)), text=text)
