"""`hil train --from-capture`: through the channels that a capture's tasks met, and never scored on that capture."""

import json
import shutil

import pytest
import torch

from hil.captures import Capture
from hil.models.weights import read_weights
from hil.runs.captured import captured_links
from tests.conftest import DATASET
from tests.system.test_cli import one_line

SHORT = ("--dataset", DATASET, "--set", "t1.epochs=1", "--set", "t3.epochs=1", "--device", "cpu")
OCCUPIED = torch.ones(1, 64, dtype=torch.bool).tolist()


@pytest.fixture(scope="module")
def trained(hil, small_run, tmp_path_factory):
    """Weights that were trained through the small run's capture."""
    out = tmp_path_factory.mktemp("captured")
    done = hil("train", "jscc-single", "--from-capture", small_run / "capture.h5", "--out", out, *SHORT, "--set", "t2.epochs=1")
    assert done.returncode == 0, done.stderr
    assert "captured tasks of 1 capture" in done.stdout
    return out


def test_links_are_what_the_run_received(small_run):
    links = captured_links([small_run / "capture.h5"], OCCUPIED, name="jscc-single")
    rows = json.loads((small_run / "results.json").read_text())["points"]
    air = [row for row in rows if row["source"] == "air" and row["scheme"] == "jscc-single"]
    assert links.channel.shape == (1, sum(row["tasks"] for row in air), 64)
    by_point = links.snr_db.split([row["tasks"] for row in air])
    for part, row in zip(by_point, air, strict=True):
        assert float(part.median()) == pytest.approx(row["snr_db"][0], abs=1.0)


def test_weights_say_which_capture_they_saw_and_are_not_scored_on_it(hil, trained, small_run, untrained, tmp_path):
    weights = read_weights(trained / "jscc-single.safetensors")
    with Capture.open(small_run / "capture.h5") as capture:
        assert weights.recipe.channel.captures == (capture.identity,)
    assert weights.recipe.channel.through == "capture"
    mixed = shutil.copytree(untrained, tmp_path / "mixed")
    shutil.copy(trained / "jscc-single.safetensors", mixed)
    for verb in ("score", "replay"):
        one_line(hil(verb, small_run, "--models", mixed, "--other-weights"), "was trained through the channels of")
    simulated = hil(
        "run", "--simulate", "awgn", "--models", trained, "--schemes", "jscc-single", "--dataset", DATASET, "--snr", "6",
        "--tasks", 12, "--distinct-tasks", 12, "--draws", 2, "--out", tmp_path, "--json",
    )  # fmt: skip
    assert simulated.returncode == 0, simulated.stderr
    assert json.loads(simulated.stdout)["points"][0]["snr_train_db"] == "captured"


def test_what_does_not_fit_is_told(hil, small_run, trained, tmp_path):
    asked = ("train", "--from-capture", small_run / "capture.h5", "--out", tmp_path, *SHORT)
    one_line(hil(*asked, "jscc-single", "--set", "uses=32"), "has no point that sends as 'jscc-single' does")
    one_line(hil(*asked, "jscc-fc"), "is not trained through captured channels")
