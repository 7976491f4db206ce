"""A run that is killed goes on: its results are those of a run that nobody disturbed, to the bit."""

import json
import random
import shutil
import signal

import numpy as np
import pytest

from hil.captures import Capture, FrameKind, verify
from tests.conftest import DATASET
from tests.system.waiting import wait_for_bursts


def arguments(untrained, out):
    return [
        "run", "--models", untrained, "--dataset", DATASET, "--snr", "0,6", "--tasks", 192, "--distinct-tasks", 18,
        "--tasks-per-frame", 4, "--draws", 1, "--repeat", 2, "--out", out,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(once, untrained, hil):
    def fill(out):
        finished = hil(*arguments(untrained, out), "--name", "whole")
        assert finished.returncode == 0, finished.stderr

    return once("undisturbed", fill) / "whole"


def exchanges(path):
    """What was heard, but for looks at the calibration."""
    with Capture.open(path) as capture:
        return [
            (one.point, one.kind, one.frame_numbers.tolist(), {name: (b.start, b.samples) for name, b in one.heard.items()})
            for one in capture.exchanges()
            if one.kind != FrameKind.CALIBRATION
        ]


def test_killed_at_random_a_run_comes_to_the_same_results(undisturbed, untrained, hil, tmp_path):
    draw = random.Random(5)
    capture = tmp_path / "killed" / "capture.h5"
    process = hil.start(*arguments(untrained, tmp_path), "--name", "killed")
    reached = 0
    for _ in range(3):
        reached += draw.randint(60, 150)
        wait_for_bursts(capture, process, reached)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        process = hil.start("run", "--resume", "killed", "--out", tmp_path)
    assert process.communicate(timeout=120)[0]
    assert process.returncode == 0
    found, wanted = (json.loads((folder / "results.json").read_text()) for folder in (tmp_path / "killed", undisturbed))
    assert len(found["provenance"]["resumed"]) == 3
    differs = {key for key in wanted if found[key] != wanted[key]}
    assert differs <= {"started", "finished", "provenance"}
    assert verify(capture).ok
    now, then = exchanges(capture), exchanges(undisturbed / "capture.h5")
    assert [one[:3] for one in now] == [one[:3] for one in then]
    for (*_, heard), (*_, before) in zip(now, then, strict=True):
        for name, (start, samples) in heard.items():
            assert start == before[name][0]
            np.testing.assert_array_equal(samples, before[name][1])
    replayed = hil("replay", capture, "--json")
    assert json.loads(replayed.stdout)["verification"]["verified"] == "bits"


def test_a_complete_run_is_not_measured_again(undisturbed, hil, tmp_path):
    run = shutil.copytree(undisturbed, tmp_path / "whole")
    before = (run / "capture.h5").read_bytes()
    again = hil("run", "--resume", "whole", "--out", tmp_path)
    assert again.returncode == 0, again.stderr
    assert (run / "capture.h5").read_bytes() == before
    second = hil("run", "--name", "whole", "--out", tmp_path)
    assert second.returncode == 1
    assert "--resume whole" in second.stderr


def test_what_cannot_go_on_says_why(undisturbed, hil, tmp_path):
    missing = hil("run", "--resume", "wole", "--out", undisturbed.parent)
    assert missing.returncode == 1
    assert "did you mean" in missing.stderr
    beside = hil("run", "--resume", "whole", "--snr", "3", "--out", undisturbed.parent)
    assert beside.returncode == 1
    assert "leave out 'snr_db'" in beside.stderr
