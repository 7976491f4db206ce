"""Every goal over the simulated air: a third party's scheme, run, captured, replayed to the bit, scored again, reported."""

import json
from pathlib import Path

import pytest

import hil as package
from tests.conftest import DATASET

SCHEMES = Path(__file__).parent / "schemes"
SHAPES = f"{SCHEMES / 'shapes.py'}:load"
COMMON = ("--tasks", 84, "--distinct-tasks", 42, "--draws", 4)
CASES = {
    "image": ("analog_image.py:AnalogImage", SHAPES, "image", "psnr"),
    "classification": ("colour_classifier.py:ColourClassifier", SHAPES, "classification", "accuracy"),
    "detection": ("blob_detector.py:BlobDetector", SHAPES, "detection", "map50"),
    "retrieval": ("analog.py:Single", DATASET, "retrieval", "top1"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_scheme_of_each_goal_is_run_replayed_scored_and_reported(hil, tmp_path, case):
    file, dataset, goal, metric = CASES[case]
    scheme = str(SCHEMES / file)
    options = ("--schemes", scheme, "--dataset", dataset, "--snr", "-10,20", *COMMON, "--out", tmp_path, "--name", "run")
    done = hil("run", *options, "--json")
    assert done.returncode == 0, done.stderr
    live = json.loads(done.stdout)
    air = [row for row in live["points"] if row["source"] == "air"]
    assert [(row["scheme"], row["goal"], row["snr_db_target"]) for row in air] == [(scheme, goal, -10.0), (scheme, goal, 20.0)]
    low, high = (row["metrics"][metric] for row in air)
    assert low["headline"]
    assert low["ci"][0] <= low["value"] <= low["ci"][1]
    assert high["value"] > low["value"]
    beside = [row for row in live["points"] if row["source"] == "simulation" and row["snr_basis"] == "effective"]
    assert {row["goal"] for row in beside} == {goal}
    assert any(row["source"] == "noiseless" and row["scheme"] == scheme for row in live["points"])
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert goal in page
    assert metric in page or metric.upper() in page or metric.capitalize() in page

    again = hil("replay", tmp_path / "run", "--json")
    assert again.returncode == 0, again.stderr
    replayed = json.loads(again.stdout)
    assert replayed["verification"]["verified"] == "bits"
    assert replayed["received_sha256"] == live["received_sha256"]
    keys = ("metrics", "frames", "snr_db", "received_sha256")
    repeated = [row for row in replayed["points"] if row["source"] == "air"]
    assert [[row[key] for key in keys] for row in repeated] == [[row[key] for key in keys] for row in air]

    scored = hil("score", tmp_path / "run", "--goals", goal, "--json")
    assert scored.returncode == 0, scored.stderr
    judged = [row for row in json.loads(scored.stdout)["points"] if row["source"] == "air"]
    assert [row["metrics"] for row in judged] == [row["metrics"] for row in air]


def test_one_capture_is_asked_by_another_goal(tmp_path):
    """Pictures that were sent to be looked at are judged by a classifier afterwards, without the air."""
    scheme = f"{SCHEMES / 'analog_image.py'}:AnalogImage"
    live = package.run(
        schemes=[scheme], dataset=SHAPES, snr_db=[20.0], tasks=84, distinct_tasks=42, draws=2, out=tmp_path, name="run"
    )
    assert {row.goal for row in live.points if row.source == "air"} == {"image"}
    network = {"classification": {"task_network": f"{SCHEMES / 'task_networks.py'}:Classifier"}}
    asked = package.score(tmp_path / "run", goals=["classification"], options=network)
    (row,) = [row for row in asked.points if row.source == "air"]
    assert row.goal == "classification"
    assert row.metrics["accuracy"].value > 0.5
    assert asked.received_sha256 == live.received_sha256


def test_several_goals_judge_one_run(tmp_path):
    scheme = f"{SCHEMES / 'analog_image.py'}:AnalogImage"
    network = f"{SCHEMES / 'task_networks.py'}:Classifier"
    both = package.run(
        schemes=[scheme], dataset=SHAPES, snr_db=[15.0], tasks=84, distinct_tasks=42, draws=2, out=tmp_path, name="run",
        **{"options.classification.task_network": network},
    )  # fmt: skip
    assert {row.goal for row in both.points if row.source == "air"} == {"image", "classification"}
    assert {item.goal for item in both.agreement} == {"image", "classification"}
    assert both.experiment["options"]["classification"]["task_network"] == network
