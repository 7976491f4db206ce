"""A run from end to end, and the same numbers again from its capture."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from hil.collect import PointSpec
from hil.experiment import ExperimentConfig, transmit_power

from hil.captures import Capture, FrameKind, verify
from tests.conftest import DATASET, ROOT


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


def test_replay_gives_the_live_bits(small_run, untrained, hil):
    live = json.loads((small_run / "results.json").read_text())
    replayed = hil("replay", small_run / "capture.h5", "--models", untrained, "--json")
    assert replayed.returncode == 0, replayed.stderr
    again = json.loads(replayed.stdout)
    assert again["verification"]["verified"] == "bits"
    assert again["verification"]["same_sha256"] is True
    assert again["received_sha256"] == live["received_sha256"]
    keys = ("scheme", "snr_db_target", "snr_db", "snr_eff_db", "top1", "top1_ci", "top1_scored", "map", "frames")
    air = [row for row in live["points"] if row["source"] == "air"]
    replayed_air = [row for row in again["points"] if row["source"] == "air"]
    assert [[row[key] for key in keys] for row in replayed_air] == [[row[key] for key in keys] for row in air]


def test_replay_answers_other_questions(small_run, untrained, hil, tmp_path):
    options = ("--schemes", "noma", "--snr", "12", "--draws", 4, "--models", untrained, "--out", tmp_path / "again")
    asked = hil("replay", small_run / "capture.h5", "--simulate", "channel", *options, "--json")
    assert asked.returncode == 0, asked.stderr
    rows = json.loads(asked.stdout)["points"]
    rows = [row for row in rows if row["source"] != "noiseless"]
    assert [(row["source"], row["access"], row["snr_db_target"]) for row in rows] == [
        ("air", "noma", 12.0),
        ("simulation", "noma", 12.0),
    ]
    assert rows[1]["snr_basis"] == "channel"
    assert (tmp_path / "again" / "report.html").is_file()


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


@pytest.mark.parametrize("energy", ["per_use", "per_device", "per_task"])
def test_transmit_power(energy):
    single = torch.ones(1, 64, dtype=torch.bool)
    oma = torch.zeros(2, 64, dtype=torch.bool)
    oma[0, :32] = oma[1, 32:] = True
    noma = torch.ones(2, 64, dtype=torch.bool)
    expected = {
        "per_use": [(1,), (1, 1), (1, 1)],
        "per_device": [(1,), (2, 2), (1, 1)],
        "per_task": [(1,), (1, 1), (0.5, 0.5)],
    }
    assert [transmit_power(mask, energy) for mask in (single, oma, noma)] == expected[energy]
    totals = [sum(p * int(n) for p, n in zip(transmit_power(m, energy), m.sum(1), strict=True)) for m in (single, oma, noma)]
    assert totals == {"per_use": [64, 64, 128], "per_device": [64, 128, 128], "per_task": [64, 64, 64]}[energy]


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


def test_a_killed_run_keeps_all_but_the_frame_in_flight(untrained, hil, tmp_path):
    """SIGKILL at random moments: every capture opens and verifies, and what was committed can be scored."""
    draw = random.Random(3)
    arguments = [
        "run", "--models", untrained, "--dataset", DATASET, "--snr", "0:15:3", "--tasks", 480, "--distinct-tasks", 18,
        "--tasks-per-frame", 4, "--draws", 1, "--out", tmp_path,
    ]  # fmt: skip
    scored = 0
    for attempt in range(3):
        capture = tmp_path / f"k{attempt}" / "capture.h5"
        with start(*arguments, "--name", f"k{attempt}") as process:
            deadline = time.monotonic() + 120
            while not capture.exists() and time.monotonic() < deadline:
                time.sleep(0.02)
            time.sleep(draw.uniform(0.3, 4.0))
            process.send_signal(signal.SIGKILL)
        report = verify(capture)
        assert report.ok, report.problems
        with Capture.open(capture) as opened:
            committed = sum(len(burst.frame_numbers) for burst in opened.bursts() if burst.kind == FrameKind.FRAME)
            done = opened.complete
        replayed = hil("replay", capture, "--models", untrained, "--json")
        if not committed:
            assert replayed.returncode == 1
            assert "no frame yet" in replayed.stderr
            continue
        assert replayed.returncode == 0, replayed.stderr
        results = json.loads(replayed.stdout)
        rows = [row for row in results["points"] if row["source"] == "air"]
        assert sum(row["frames"]["sent"] for row in rows) == committed
        assert sum(row["tasks"] for row in rows) == 4 * committed
        assert results["verification"]["verified"] in ("unfinished", "bits")
        scored += not done
    assert scored, "no run was killed in the middle of its frames"


def start(*arguments: object) -> subprocess.Popen:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", "from hil.cli.main import main; main()", *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_send_puts_a_strangers_symbols_on_the_air(hil, tmp_path):
    generator = np.random.default_rng(5)
    symbols = (generator.normal(size=(2, 30, 17)) + 1j * generator.normal(size=(2, 30, 17))).astype(np.complex64)
    np.save(tmp_path / "x.npy", symbols)
    refused = hil("send", tmp_path / "x.npy")
    assert refused.returncode == 1
    assert "--normalize" in refused.stderr
    done = hil("send", tmp_path / "x.npy", "--normalize", "--snr", 20, "--json")
    assert done.returncode == 0, done.stderr
    about = json.loads(done.stdout)
    assert about["access"] == "noma"
    assert about["frames"]["lost"] == 0
    with h5py.File(about["received"]) as file:
        sent, received = np.asarray(file["sent"]), np.asarray(file["symbols"])
        assert received.shape == (30, 17)
        assert file["valid"][...].all()
        assert file["channel"].shape == (2, 30, 17)
        error = np.mean(np.abs(received - sent.sum(0)) ** 2)
        noise = float(np.asarray(file["noise_var"]).mean())
    assert -10 * np.log10(error) == pytest.approx(20, abs=1.0)
    assert noise == pytest.approx(error, rel=0.4)
    assert verify(Path(about["capture"])).ok


def test_point_spec_round_trip(small_run):
    with Capture.open(small_run / "capture.h5") as capture:
        spec = PointSpec.model_validate(capture.points[1].attrs["spec"])
        assert PointSpec.model_validate_json(spec.model_dump_json()) == spec
        assert spec.frames == 3
    assert ExperimentConfig().snr_db == (-6, -3, 0, 3, 6, 9, 12, 15)
