"""Data sets with the counts and forms that were published: CUHK03-NP, two cameras (CUHK01), one image a camera (VIPeR)."""

import json

import pytest
import torch

import hil
from hil.datasets.dataset import load_dataset
from hil.errors import DatasetError
from hil.goals.retrieval.goal import Retrieval
from hil.goals.retrieval.tasks import BOTH, TaskSet, junk_mask, positive_mask
from hil.models.load import build_network
from hil.models.recipe import load_recipe
from hil.models.weights import write_weights
from tests.conftest import ROOT
from tests.unit.datasets.trees import cuhk03_np, two_cameras

SCHEMES = ("jscc-single", "jscc-oma", "jscc-noma")
SMALL = {"tasks": 24, "distinct_tasks": 24, "draws": 1, "snr_db": (10.0,), "frame": {"tasks_per_frame": 12}}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Untrained weights for images of 32 × 16."""
    folder = tmp_path_factory.mktemp("models")
    for name in SCHEMES:
        torch.manual_seed(7)
        recipe = load_recipe(ROOT / "models" / f"{name}.toml", {"image_size": [32, 16]})
        weights = build_network(recipe).eval().state_dict()
        write_weights(folder / f"{name}.safetensors", weights, recipe, dataset="none", fingerprint="none")
    return folder


@pytest.fixture(scope="module")
def cuhk(tmp_path_factory):
    return cuhk03_np(tmp_path_factory.mktemp("cuhk"))


def of(results, source):
    return {row.scheme: row for row in results.points if row.source == source}


def check_capture(path, dataset, queries):
    """What a capture says of where the views came from: the query's own image, and one of the gallery beside it."""
    with hil.Capture.open(path) as capture:
        points = [point for point in capture.points if point.attrs.get("kind") == "point"]
        labels = points[0].labels
    gallery, query = dataset.gallery, dataset.query
    assert (labels["gallery_0"] == -1).all()
    assert (labels["view_0"] < queries).all()
    assert (labels["view_1"] == queries + labels["gallery_1"]).all()
    assert torch.equal(gallery.identities[labels["gallery_1"]], query.identities[labels["view_0"]])
    assert torch.equal(gallery.cameras[labels["gallery_1"]], query.cameras[labels["view_0"]])


@pytest.mark.parametrize(("boxes", "train", "gallery"), [("detected", 7365, 5332), ("labeled", 7368, 5328)])
def test_cuhk03_np_has_its_counts_and_serves_every_query_as_a_pair(cuhk, boxes, train, gallery):
    dataset = load_dataset(f"cuhk03:{cuhk}?{boxes}", image_size=(16, 8))
    assert {name: len(split) for name, split in dataset.splits.items()} == {"train": train, "query": 1400, "gallery": gallery}
    assert (len(dataset.train.identities.unique()), len(dataset.query.identities.unique())) == (767, 700)
    for views in (1, 2, 3):  # a single view answers the tasks of a pair
        tasks = Retrieval().tasks(dataset, views=views, seed=1, limit=None)
        assert (tasks.split, tasks.views.shape, tasks.dropped) == (BOTH, (1400, max(2, views)), 0)
        assert sorted(tasks.views[:, 0].tolist()) == list(range(1400))  # the published queries, each once
        chosen = TaskSet.of(dataset, tasks)
        assert torch.equal(chosen.cameras, chosen.cameras[:, :1].expand_as(chosen.cameras))
        some = chosen.subset(torch.arange(0, 1400, 37))
        used = some.views[:, 1:] - 1400
        assert bool(junk_mask(some, dataset.gallery).gather(1, used).all())  # what is shown is never an answer
        cameras = dataset.gallery.cameras.expand(len(some), -1)
        right = positive_mask(some, dataset.gallery)
        assert bool(right.any(1).all())
        assert bool((cameras != some.cameras[:, :1])[right].all())
    alone = Retrieval().tasks(
        load_dataset(f"cuhk03:{cuhk}?{boxes}&pairing=none", image_size=(16, 8)), views=1, seed=1, limit=None
    )
    assert (alone.split, alone.views.shape) == ("query", (1400, 1))


@pytest.mark.slow
def test_cuhk03_np_runs_over_the_air_in_simulation_and_again_from_the_capture(cuhk, models, tmp_path):
    run = {"dataset": f"cuhk03:{cuhk}", "schemes": SCHEMES, "models": str(models), "out": tmp_path, **SMALL}
    live = hil.run(name="air", **run)
    assert live.dataset["pairing"] == "same_camera"
    found = of(live, "air")
    assert {name: row.tasks for name, row in found.items()} == dict.fromkeys(SCHEMES, 24)
    dataset = load_dataset(f"cuhk03:{cuhk}", image_size=(32, 16))
    check_capture(tmp_path / "air" / "capture.h5", dataset, 1400)
    again = hil.replay(tmp_path / "air", models=models)
    assert again.verification["changed_decisions"] == 0
    assert {name: row.metrics["top20"].value for name, row in of(again, "air").items()} == {
        name: row.metrics["top20"].value for name, row in found.items()
    }
    simulated = of(hil.run(name="simulated", simulate="awgn", **run), "simulation")
    assert set(simulated) == set(SCHEMES)


def test_two_cameras_run_single_and_pairs(models, tmp_path):
    tree = two_cameras(tmp_path / "set", shots=2)
    run = {"schemes": SCHEMES, "models": str(models), "out": tmp_path, **SMALL}
    for number, option in enumerate(("", "?pairing=same_camera")):
        spec = f"market1501:{tree}{option}"
        live = hil.run(name=f"air{number}", dataset=spec, **run)
        assert live.dataset["pairing"] == "same_camera"
        assert {name: row.tasks for name, row in of(live, "air").items()} == dict.fromkeys(SCHEMES, 24)
        check_capture(tmp_path / f"air{number}" / "capture.h5", load_dataset(spec, image_size=(32, 16)), 48)
    simulated = hil.run(name="simulated", dataset=f"market1501:{tree}", simulate="awgn", **run)
    assert set(of(simulated, "simulation")) == set(SCHEMES)


def test_a_set_that_does_not_fit_into_memory_gives_the_same_results(models, tmp_path, monkeypatch):
    tree = two_cameras(tmp_path / "set", shots=2)
    (tree / "query" / "Thumbs.db").write_text("x")
    run = {"dataset": f"market1501:{tree}", "schemes": SCHEMES, "models": str(models), "out": tmp_path, **SMALL}
    held = hil.run(name="held", **run)
    assert held.dataset["left_out"] == ["query/Thumbs.db"]
    monkeypatch.setattr("hil.datasets.folder.IN_MEMORY_BYTES", 0)
    monkeypatch.setenv("HIL_CACHE", str(tmp_path / "cache"))
    for start in ("first", "second"):
        read = hil.run(name=start, **run)
        assert read.received_sha256 == held.received_sha256
        assert read.dataset == held.dataset
        assert [row.metrics for row in read.points] == [row.metrics for row in held.points]
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {"fingerprints", "gallery"}


def test_two_cameras_have_no_tasks_across_them(models, tmp_path):
    tree = two_cameras(tmp_path / "set", shots=2)
    with pytest.raises(
        DatasetError, match=r"from 2 cameras .* 24 sets without a positive\); pairing=same_camera gives 48 tasks"
    ):
        hil.run(
            dataset=f"market1501:{tree}?pairing=cross_camera",
            schemes=SCHEMES,
            models=str(models),
            out=tmp_path / "runs",
            **SMALL,
        )
    assert not (tmp_path / "runs").exists()


def test_one_image_a_camera_runs_single_and_refuses_pairs_with_the_reason(hil, models, tmp_path):
    tree = two_cameras(tmp_path / "viper", shots=1)
    dataset = ("--dataset", f"market1501:{tree}", "--models", models, "--out", tmp_path / "runs", "--snr", "10", "--draws", "1")
    for more in (("--simulate", "awgn"), ("--tasks", "24", "--tasks-per-frame", "12")):
        done = hil("run", *dataset, *more, "--schemes", "jscc-single", "--name", f"single-{len(more)}", "--json")
        assert done.returncode == 0, done.stderr
        row = next(row for row in json.loads(done.stdout)["points"] if row["source"] in ("air", "simulation"))
        assert row["distinct_tasks"] == 24
    refused = hil("run", *dataset, "--schemes", "jscc-single,jscc-oma", "--name", "pairs")
    assert refused.returncode == 1
    assert "has no task: a task needs 2 query images of a person from one camera" in refused.stderr
    assert "each query image is a task for schemes of one transmitter" in refused.stderr
    assert [line.startswith("hil: error: ") for line in refused.stderr.splitlines()] == [
        False,
        True,
    ]  # how it was read, and why
    assert not (tmp_path / "runs" / "pairs").exists()


def test_training_asks_the_data_set_first(hil, tmp_path):
    tree = two_cameras(tmp_path / "viper", shots=1)
    small = ("--dataset", f"market1501:{tree}", "--out", tmp_path / "w", "--set", "t1.epochs=1", "--set", "image_size=[32,16]")
    refused = hil("train", "t1-pair", *small)
    assert refused.returncode == 1
    assert "has no task: a task needs 2 query images" in refused.stderr
    assert "epoch" not in refused.stdout
    assert not (tmp_path / "w").exists()
    done = hil("train", "t1-single", *small)
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "w" / "t1-single.metrics.json").read_text())
    assert (metrics["test"]["tasks"], metrics["validation"]["tasks"]) == (24, 4)


def test_training_pairs_follow_the_option(hil, tmp_path):
    tree = two_cameras(tmp_path / "set", shots=2)
    small = ("--out", tmp_path / "w", "--set", "t1.epochs=1", "--set", "image_size=[32,16]", "--set", "held_out=0.2")
    done = hil("train", "t1-pair", "--dataset", f"market1501:{tree}", *small)
    assert done.returncode == 0, done.stderr
    assert "no more than two cameras" in done.stdout
    metrics = json.loads((tmp_path / "w" / "t1-pair.metrics.json").read_text())
    assert metrics["test"]["tasks"] == 48
    refused = hil("train", "t1-pair", "--dataset", f"market1501:{tree}?pairing=cross_camera", *small, "--fresh")
    assert refused.returncode == 1
    assert "pairing=same_camera gives 48 tasks" in refused.stderr


def test_images_too_small_for_a_backbone_are_refused_before_training(hil, tmp_path):
    tree = two_cameras(tmp_path / "set", shots=2)
    for size in ("[16,8]", "[24,200]", "[1,1]"):
        refused = hil(
            "train",
            "baseline-single",
            "--dataset",
            f"market1501:{tree}",
            "--out",
            tmp_path / "w",
            "--set",
            f"image_size={size}",
        )
        assert refused.returncode == 1
        assert "backbone 'small-cnn' needs images of at least 25 × 1 pixels" in refused.stderr
        assert refused.stderr.count("\n") == 1
    assert not (tmp_path / "w").exists()
