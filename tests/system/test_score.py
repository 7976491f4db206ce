"""`hil score`: another question to a capture, without the air; and the same question again."""

import json

import pytest

from tests.conftest import DATASET
from tests.system.test_cli import one_line

KEYS = (
    "scheme",
    "goal",
    "goal_version",
    "snr_db_target",
    "snr_db",
    "snr_eff_db",
    "top1",
    "top1_ci",
    "top1_scored",
    "map",
    "frames",
    "tasks",
)


def air(document):
    return [row for row in document["points"] if row["source"] == "air"]


@pytest.fixture(scope="module")
def live(small_run):
    return json.loads((small_run / "results.json").read_text())


def test_the_retrieval_rows_are_there_again(hil, small_run, untrained, live, tmp_path):
    done = hil("score", small_run, "--models", untrained, "--out", tmp_path / "again", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [[row[key] for key in KEYS] for row in air(found)] == [[row[key] for key in KEYS] for row in air(live)]
    assert found["received_sha256"] == live["received_sha256"]
    assert found["verification"]["verified"] == "bits"
    clean = {(row["scheme"], row["gallery"]): row["top1"] for row in live["points"] if row["source"] == "noiseless"}
    again = {(row["scheme"], row["gallery"]): row["top1"] for row in found["points"] if row["source"] == "noiseless"}
    assert again == clean
    assert json.loads((tmp_path / "again" / "results.json").read_text())["points"] == found["points"]
    assert (tmp_path / "again" / "report.html").is_file()


def test_another_gallery_is_another_row(hil, small_run, untrained, live):
    done = hil("score", small_run, "--models", untrained, "--goals", "retrieval", "--set", "retrieval.gallery=raw", "--json")
    assert done.returncode == 0, done.stderr
    rows = air(json.loads(done.stdout))
    assert {row["gallery"] for row in rows} == {"raw"}
    assert {row["gallery"] for row in air(live)} == {"reconstructed"}
    assert [row["frames"] for row in rows] == [row["frames"] for row in air(live)]


def test_what_cannot_be_asked_is_told(hil, small_run, untrained, tmp_path):
    ask = ("score", small_run, "--models", untrained)
    one_line(hil(*ask, "--goals", "retreival"), "did you mean 'retrieval'")
    one_line(hil(*ask, "--goals", "detection"), "detection", "boxes")
    one_line(hil(*ask, "--set", "retrieval.colour=1"), "options.retrieval", "colour", "gallery")
    one_line(hil(*ask, "--dataset", "synthetic:identities=13"), "not the one of", "--dataset")
    one_line(hil("score", tmp_path), "capture.h5")


def test_a_run_is_repeated_from_its_file_to_the_same_bits(hil, small_run, live, tmp_path):
    done = hil("run", "--config", small_run / "run.toml", "--out", tmp_path, "--name", "again", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["received_sha256"] == live["received_sha256"]
    assert found["experiment"] == live["experiment"]
    keys = (*KEYS, "gallery", "snr_basis", "energy", "source")
    shown = [[[row.get(key) for key in keys] for row in document["points"]] for document in (live, found)]
    assert shown[0] == shown[1]  # simulations and references too
    assert live["experiment"]["dataset"] == DATASET


def test_one_setting_of_the_file_is_changed_by_a_flag(hil, small_run, live, tmp_path):
    done = hil("run", "--config", small_run / "run.toml", "--snr", "12", "--set", "schemes=oma", "--out", tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    (row,) = air(found)
    assert (row["scheme"], row["snr_db_target"], row["tasks"]) == ("jscc-oma", 12.0, 36)
    assert found["experiment"]["frame"] == live["experiment"]["frame"]
