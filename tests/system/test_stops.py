"""Ctrl-C and SIGTERM at any moment: one line, the signal's exit code, no traceback, and what was measured is kept."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from hil.captures import Capture, verify
from hil.errors import HilError
from hil.results.document import read_results
from tests.conftest import DATASET, ROOT
from tests.system.waiting import wait_for, wait_for_bursts
from tests.warm import Started

RUN = (
    "run", "--dataset", DATASET, "--schemes", "single", "--snr", "0:9:3", "--tasks", 480, "--distinct-tasks", 18,
    "--tasks-per-frame", 6, "--draws", 40, "--name", "r",
)  # fmt: skip


def start(*arguments: object, cwd: Path) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", "from hil.cli.main import main; main()", *map(str, arguments)]
    return subprocess.Popen(command, cwd=cwd, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def ended(process: subprocess.Popen[str] | Started, number: signal.Signals) -> str:
    """The last line that a process said when it was stopped."""
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 128 + number, errors
    assert "Traceback" not in errors
    assert "Exception ignored" not in errors
    *before, last = [line for line in errors.splitlines() if line.strip()]
    assert last.startswith("hil: stopped by ")
    assert not any("hil:" in line for line in before)
    return last


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_keeps_what_it_measured(hil, untrained, tmp_path, number):
    process = hil.start(*RUN, "--models", untrained, cwd=tmp_path)
    run = tmp_path / "runs" / "r"
    wait_for_bursts(run / "capture.h5", process, 60)
    process.send_signal(number)
    last = ended(process, number)
    name = "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
    assert last.startswith(f"hil: stopped by {name}; what was ")
    assert "runs/r" in last
    assert verify(run / "capture.h5").ok
    if (run / "results.json").exists():
        assert read_results(run / "results.json").status == "stopped"
        assert {path.name for path in run.iterdir()} >= {"capture.h5", "run.toml", "results.json"}


@pytest.mark.slow
def test_any_moment_will_do(untrained, tmp_path):
    """While modules load, data are drawn, radios open, frames fly, and reports are written; twice in a row, too."""
    draw = random.Random(11)
    for attempt in range(5):
        number = draw.choice([signal.SIGINT, signal.SIGTERM])
        process = start(
            *RUN,
            "--models",
            untrained,
            cwd=tmp_path / "",
        )
        time.sleep(draw.uniform(0.25, 6))
        process.send_signal(number)
        if attempt % 2:
            time.sleep(draw.uniform(0, 0.3))
            process.send_signal(number)
        if process.poll() is None or process.returncode:
            ended(process, number)
        run = tmp_path / "runs" / "r"
        if run.exists():
            assert not (run / "capture.h5").exists() or verify(run / "capture.h5").ok
            run.rename(tmp_path / f"kept{attempt}")
    left = [path.name for path in tmp_path.rglob("*.part")]
    assert not left


def test_a_stopped_overwrite_leaves_the_earlier_run(hil, untrained, tmp_path):
    small = (*RUN, "--models", untrained, "--overwrite")
    done = hil(*small, "--snr", "12", "--draws", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    run = tmp_path / "runs" / "r"
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    for number in (signal.SIGTERM, signal.SIGKILL):
        process = hil.start(*small, cwd=tmp_path)
        wait_for_bursts(tmp_path / "runs" / "r-new" / "capture.h5", process, 20)
        process.send_signal(number)
        if number == signal.SIGTERM:
            assert "runs/r is as before; what was " in ended(process, number)
            for path in (tmp_path / "runs" / "r-new").iterdir():
                path.unlink()
            (tmp_path / "runs" / "r-new").rmdir()
        else:
            process.communicate(timeout=60)
        assert {path.name: path.read_bytes() for path in run.iterdir()} == before
    assert verify(tmp_path / "runs" / "r-new" / "capture.h5").ok  # what the killed one had received


def test_sending_and_replaying_stop_alike(hil, small_run, untrained, tmp_path):
    rng = np.random.default_rng(1)
    np.save(tmp_path / "x.npy", np.exp(2j * np.pi * rng.random((1, 20_000, 48))).astype(np.complex64))
    process = hil.start("send", "x.npy", cwd=tmp_path)
    wait_for_bursts(tmp_path / "x-received-capture.h5", process, 20)
    process.send_signal(signal.SIGINT)
    assert "what was received is kept in x-received-capture.h5" in ended(process, signal.SIGINT)
    assert {path.name for path in tmp_path.iterdir()} == {"x.npy", "x-received-capture.h5"}
    process = hil.start("replay", small_run, "--models", untrained, "--simulate", "awgn", "--draws", 2000, cwd=tmp_path)
    time.sleep(4)
    process.send_signal(signal.SIGTERM)
    assert ended(process, signal.SIGTERM) == "hil: stopped by SIGTERM"


def test_a_stopped_training_goes_on_where_it_was(tmp_path):
    options = ("train", "t1-single", "--dataset", "synthetic:identities=20", "--out", "out", "--set", "t1.epochs=400")
    process = start(*options, cwd=tmp_path)
    wait_for(tmp_path / "out" / "t1-single.checkpoint", process)
    process.send_signal(signal.SIGINT)
    assert ended(process, signal.SIGINT).endswith(
        "what was trained is kept in out/t1-single.checkpoint; the same command goes on from there"
    )
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["t1-single.checkpoint"]


def test_a_point_cut_short_is_told_from_a_whole_one(hil, untrained, tmp_path):
    """Of a killed run the replay says which point is whole, and how much there is of the one that is not."""
    process = hil.start(*RUN, "--models", untrained, cwd=tmp_path)
    capture = tmp_path / "runs" / "r" / "capture.h5"
    wait_for(capture, process)
    while frames(capture) % 80 in (0, 79, 1):
        assert process.poll() is None, "the run was over before it could be killed"
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    sent = frames(capture)
    replayed = hil("replay", capture, "--models", untrained, "--simulate", "awgn", "--draws", 2, "--json")
    assert replayed.returncode == 0, replayed.stderr
    results = json.loads(replayed.stdout)
    assert results["status"] == "stopped"
    air = [row for row in results["points"] if row["source"] == "air"]
    whole, rest = divmod(sent, 80)
    assert [row["tasks"] for row in air] == [480] * whole + [6 * rest] * (rest > 0)
    assert all(row["ended"] is None for row in air[:whole])
    if rest:
        assert air[-1]["ended"] == f"cut short after {rest} of 80 frames ({6 * rest} of 480 tasks): the run was stopped"
        assert (air[-1]["tasks_planned"], air[-1]["frames_planned"]) == (480, 80)
        (end,) = results["ended_points"]
        assert (end["frames_sent"], end["frames_planned"], end["snr_db_target"]) == (rest, 80, air[-1]["snr_db_target"])
    compared = {row["snr_db_target"] for row in results["points"] if row["source"] == "simulation"}
    assert compared == {row["snr_db_target"] for row in air[:whole]}
    assert {item["snr_db_target"] for item in results["agreement"]} == compared


def frames(capture: Path) -> int:
    """Frames of points that a growing capture has committed."""
    from hil.captures import FrameKind

    try:
        with Capture.open(capture) as opened:
            return sum(len(burst.frame_numbers) for burst in opened.bursts() if burst.kind == FrameKind.FRAME)
    except HilError:
        return 0
