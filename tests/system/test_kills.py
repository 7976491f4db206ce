"""A run that is killed: what was committed is there, verifies, and can be scored."""

import json
import random
import signal

from hil.captures import Capture, FrameKind, verify
from tests.conftest import DATASET
from tests.system.waiting import wait_for_bursts


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
        process = hil.start(*arguments, "--name", f"k{attempt}")
        wait_for_bursts(capture, process, draw.randint(100, 600))  # of 720, and the soundings before
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
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
