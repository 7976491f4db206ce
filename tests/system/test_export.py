"""`hil export` and `hil figures --together` on reference captures and a small run."""

import csv
import json

import numpy as np
import pytest

import hil as package
from tests.conftest import ROOT

CAPTURES = ROOT / "captures"


def table(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_rows_tasks_and_symbols(hil, small_run, tmp_path):
    done = hil("export", small_run, "--rows", "r.csv", "--tasks", "t.csv", "--symbols", "s.npz", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    results = json.loads((small_run / "results.json").read_text())
    rows = table(tmp_path / "r.csv")
    assert len(rows) == len(results["points"])
    assert not {"power", "uses", "snr_db", "snr_mean_db_ci"} & set(rows[0])  # they are several columns, in simulations empty
    for row, point in zip(rows, results["points"], strict=True):
        assert (row["run"], row["scheme"], row["source"]) == ("small", point["scheme"], point["source"])
        assert float(row["top1"]) == pytest.approx(point["top1"])
        if point.get("top1_ci"):
            assert [float(row["top1_low"]), float(row["top1_high"])] == pytest.approx(point["top1_ci"])
    tasks = table(tmp_path / "t.csv")
    air = [point for point in results["points"] if point["source"] == "air"]
    assert len(tasks) == sum(point["tasks"] for point in air)
    for point in air:
        own = [
            float(task["top1"])
            for task in tasks
            if (task["scheme"], float(task["snr_db_target"])) == (point["scheme"], point["snr_db_target"])
        ]
        assert np.mean(own) == pytest.approx(point["top1"])
    with np.load(tmp_path / "s.npz") as arrays, package.Capture.open(small_run / "capture.h5") as capture:
        record = next(one for one in capture.points if one.received is not None)
        assert (arrays[f"small/{record.name}/received"] == record.received).all()
        assert (arrays[f"small/{record.name}/sent"] == record.symbols).all()


def test_features_are_ranked_by_hand_to_the_top1_of_the_run(hil, small_run, untrained, tmp_path):
    done = hil("export", small_run, "--features", "f.npz", "--models", untrained, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    results = json.loads((small_run / "results.json").read_text())
    air = [row for row in results["points"] if row["source"] == "air"]
    with np.load(tmp_path / "f.npz") as file, package.Capture.open(small_run / "capture.h5") as capture:
        points = {record.name: record for record in capture.points if record.attrs.get("kind") == "point"}
        ranked = {}
        for name, record in points.items():
            own = {key.rpartition(".")[2]: file[key] for key in file if key.startswith(f"small/{name}/retrieval.")}
            scheme = record.attrs["spec"]["scheme"]
            gallery, person, camera = (
                file[f"small/{scheme}/retrieval.{key}"] for key in ("gallery", "gallery_identity", "gallery_camera")
            )
            assert own["features"].shape == (36, len(gallery), gallery.shape[2])
            assert (own["task"] == record.labels["task"]).all()
            assert (own["identity"] == record.labels["identity"]).all()
            right = []
            for feature, lost, identity, cameras in zip(
                own["features"], own["lost"], own["identity"], own["camera"], strict=True
            ):
                distance = ((feature[:, None].astype(float) - gallery) ** 2).sum((0, 2))
                distance[((person == identity) & np.isin(camera, cameras)) | (person == -1)] = np.inf
                right.append(not lost and person[distance.argmin()] == identity)
            ranked[scheme, float(own["snr_db_target"])] = np.mean(right), float(own["snr_mean_db"])
    assert len(ranked) == len(air) > 0
    for row in air:
        top1, snr_db = ranked[row["scheme"], row["snr_db_target"]]
        assert top1 == pytest.approx(row["top1"], abs=1e-9)
        assert snr_db == pytest.approx(row["snr_mean_db"], abs=1e-3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "say what to export"),
        (("--rows", "r.csv", "--tasks", "t.xlsx"), ".csv or .parquet"),
        (("--symbols", "s.csv"), "as .npz"),
        (("--features", "f.h5"), "as .npz"),
        (("--rows", "r.csv", "--models", "."), "for --features"),
    ],
)
def test_what_cannot_be_exported_is_refused(hil, tmp_path, arguments, words):
    done = hil("export", CAPTURES / "single.h5", *arguments, cwd=tmp_path)
    assert done.returncode == 1
    assert words in done.stderr
    assert not list(tmp_path.iterdir())


def test_runs_are_drawn_together(hil, tmp_path):
    done = hil("figures", CAPTURES / "single.h5", CAPTURES / "noma.h5", "--together", "--format", "svg", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    drawn = tmp_path / "figures" / "retrieval-top1.svg"
    assert str(drawn.relative_to(tmp_path)) in done.stdout
    for label in ("jscc-single @ single", "jscc-noma @ noma"):
        assert label in drawn.read_text()
