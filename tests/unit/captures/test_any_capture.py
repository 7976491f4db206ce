"""Captures drawn at random: any bursts, receivers, transmitters and points come out as they went in."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.captures import Capture, FrameKind, verify
from tests.unit.captures.support import (
    BOTH,
    Heard,
    add_point,
    append,
    burst_samples,
    check_truth,
    new_writer,
    symbols,
)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 40_000), min_size=1, max_size=8), st.sampled_from([("rx",), BOTH]))
def test_any_burst_sizes(counts: list[int], receivers: tuple[str, ...]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "capture.h5"
        with new_writer(path, receivers) as writer:
            point = add_point(writer, 0)
            for index, count in enumerate(counts):
                append(writer, point, index, count)
        assert check_truth(path) == len(counts)
        with Capture.open(path) as capture:
            assert [burst.count for burst in capture.bursts(receiver=receivers[0])] == counts
            assert not capture.complete
            assert capture.points[0].results is None


@st.composite
def plans(draw: st.DrawFn) -> dict[str, Any]:
    """A capture in plain Python: receivers, transmitters, and for each point its receivers and exchanges."""
    receivers = [f"r{index}" for index in range(draw(st.integers(1, 5)))]
    transmitters = draw(st.integers(1, 7))
    points = []
    for _ in range(draw(st.integers(1, 3))):
        own = draw(st.permutations(receivers))[: draw(st.integers(1, len(receivers)))]
        exchange = st.fixed_dictionaries(
            {
                "kind": st.sampled_from(["frame", "sounding", "calibration"]),
                "numbers": st.lists(st.integers(0, 2**40), max_size=3),
                "counts": st.lists(st.integers(0, 300), min_size=len(own), max_size=len(own)),
                "starts": st.lists(st.integers(0, 2**60), min_size=len(own), max_size=len(own)),
                "left": st.lists(st.none() | st.integers(0, 2**60), min_size=len(own), max_size=len(own)),
                "snr": st.lists(st.floats(-90, 90, width=32), max_size=transmitters),
            }
        )
        points.append({"receivers": own, "exchanges": draw(st.lists(exchange, max_size=4))})
    return {"receivers": receivers, "transmitters": transmitters, "points": points}


def write_plan(path: Path, plan: dict[str, Any]) -> None:
    with new_writer(path, plan["receivers"], transmitters=plan["transmitters"]) as writer:
        for index, point in enumerate(plan["points"]):
            number = writer.add_point(
                f"p{index}", attrs={}, symbols=symbols(index, plan["transmitters"]), labels={}, receivers=point["receivers"]
            )
            for place, one in enumerate(point["exchanges"]):
                names = point["receivers"]
                heard = {
                    name: Heard(burst_samples(place, count, plan["receivers"].index(name)), start)
                    for name, count, start in zip(names, one["counts"], one["starts"], strict=True)
                }
                writer.append_burst(
                    number,
                    heard,
                    kind=one["kind"],
                    frame_numbers=one["numbers"],
                    ledger={name: [{"snr_db": one["snr"], "status": "lost"}] * len(one["numbers"]) for name in names},
                    events=[] if all(one["counts"]) else [{"kind": "timeout"}],
                    sent_at=dict(zip(names, one["left"], strict=True)),
                )


@settings(max_examples=40, deadline=None)
@given(plans())
def test_any_receivers_and_transmitters(plan: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "capture.h5"
        write_plan(path, plan)
        report = verify(path)
        assert report.ok, report.problems
        with Capture.open(path) as capture:
            assert (list(capture.receivers), capture.transmitters) == (plan["receivers"], plan["transmitters"])
            for index, point in enumerate(plan["points"]):
                names, found = point["receivers"], list(capture.exchanges(index))
                assert list(capture.points[index].receivers) == names
                assert len(found) == len(point["exchanges"])
                for place, (one, exchange) in enumerate(zip(point["exchanges"], found, strict=True)):
                    assert exchange.kind == FrameKind[one["kind"].upper()]
                    assert exchange.frame_numbers.tolist() == one["numbers"]
                    assert list(exchange.heard) == names
                    for name, count, start, left in zip(names, one["counts"], one["starts"], one["left"], strict=True):
                        burst = exchange.heard[name]
                        assert (burst.count, burst.start, burst.sent_at) == (count, start if count else -1, left)
                        truth = burst_samples(place, count, plan["receivers"].index(name))
                        np.testing.assert_array_equal(burst.samples, truth)
                        rows = capture.ledger(index, name)
                        rows = rows[rows["burst"] == burst.index]
                        assert rows["frame"].tolist() == one["numbers"]
                        for row in rows:
                            assert row["snr_db"].tolist()[: len(one["snr"])] == one["snr"]
                            assert np.isnan(row["snr_db"][len(one["snr"]) :]).all()
