"""A run from end to end: what it leaves, and what its capture holds."""

import json

import pytest

from hil.captures import Capture, FrameKind, verify
from tests.conftest import DATASET


def test_a_run_leaves_what_it_promises(small_run):
    results = json.loads((small_run / "results.json").read_text())
    assert (small_run / "report.html").stat().st_size > 10_000
    air = [row for row in results["points"] if row["source"] == "air"]
    assert {(row["access"], row["snr_db_target"]) for row in air} == {
        (access, snr) for access in ("single", "oma", "noma") for snr in (0.0, 12.0)
    }
    for row in air:
        assert row["tasks"] == 36
        assert row["distinct_tasks"] == 18
        assert row["frames"] == {"sent": 3, "scored": 3, "lost": 0, "gated": 0}
        assert len(row["snr_db"]) == (1 if row["access"] == "single" else 2)
        # Three frames: 156 looks at the noise, 0.35 dB standard deviation.
        assert row["snr_db"] == pytest.approx([row["snr_db_target"]] * len(row["snr_db"]), abs=1.6)
        assert row["snr_eff_db"] == pytest.approx(row["snr_db_target"], abs=0.9)
        low, high = row["top1_ci"]
        assert low <= row["top1"] <= high
    kinds = {(row["source"], row["snr_basis"], row["energy"]) for row in results["points"]}
    wanted = {
        ("simulation", "link", "per_use"),
        ("simulation", "effective", "per_use"),
        ("simulation", "effective", "per_task"),
    }
    assert wanted <= kinds
    assert {"baseline-single", "baseline-pair", "chance"} <= {row["scheme"] for row in results["points"]}


def test_the_capture_is_whole(small_run, hil):
    report = verify(small_run / "capture.h5")
    assert report.ok, report.problems
    assert report.complete
    with Capture.open(small_run / "capture.h5") as capture:
        ledger = capture.ledger()
        frames = ledger[ledger["kind"] == FrameKind.FRAME]
        assert len(frames) == 18
        assert frames["sent"].all()
        assert frames["detected"].all()
        names = [point.name for point in capture.points]
        assert names[0] == "calibration"
        assert len(names) == 7
    assert hil("captures", "verify", small_run / "capture.h5").returncode == 0


def test_bursts_move_about_in_their_windows(small_run):
    with Capture.open(small_run / "capture.h5") as capture:
        ledger = capture.ledger()
        bursts = {burst.index: burst for burst in capture.bursts()}
        frames = ledger[ledger["kind"] == FrameKind.FRAME]
        offsets = {int(row["start"]) - bursts[int(row["burst"])].start for row in frames}
    assert len(offsets) > 10


def test_simulation_without_a_radio(untrained, hil, tmp_path):
    options = ("--simulate", "awgn", "--models", untrained, "--dataset", DATASET, "--snr", "5", "--draws", 2, "--json")
    done = hil("run", *options, "--out", tmp_path, "--name", "sim")
    assert done.returncode == 0, done.stderr
    sources = {row["source"] for row in json.loads(done.stdout)["points"]}
    assert sources == {"simulation", "noiseless"}
    assert not (tmp_path / "sim" / "capture.h5").exists()


def test_energy_per_task_halves_noma_on_the_air(untrained, hil, tmp_path):
    options = ("--models", untrained, "--dataset", DATASET, "--tasks", 24, "--distinct-tasks", 99, "--tasks-per-frame", 12)
    more = (
        "--schemes",
        "noma",
        "--snr",
        "10",
        "--draws",
        2,
        "--energy",
        "per_task",
        "--out",
        tmp_path,
        "--name",
        "e",
        "--json",
    )
    done = hil("run", *options, *more)
    assert done.returncode == 0, done.stderr
    (row,) = [row for row in json.loads(done.stdout)["points"] if row["source"] == "air"]
    assert row["snr_db"] == pytest.approx([7.0, 7.0], abs=1.6)
    assert (row["tasks"], row["distinct_tasks"]) == (24, 24)  # no more distinct tasks than are sent
