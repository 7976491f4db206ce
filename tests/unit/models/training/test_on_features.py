"""Shipped recipes on features from a file, through training, evaluation and a run over the simulated radio."""

import json
import re

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

import hil
from hil.cli.train import train as command
from hil.datasets.dataset import load_dataset
from hil.errors import ConfigError, DatasetError, ModelError, ShapeError
from hil.models.load import build_network, load_scheme
from hil.models.recipe import Recipe, on_features
from hil.models.training.train import train
from tests.conftest import ROOT
from tests.unit.datasets.features.files import EACH, LENGTH, PEOPLE, write
from tests.unit.models.training.tiny import stage, tiny

SHORT = ["t1.epochs=1", "t2.epochs=2", "t3.epochs=1", "t1.batch_size=16", "t2.batch_size=16", "t3.batch_size=16", "uses=16"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Single, OMA and NOMA as `hil train RECIPE --features FILE` makes them, and the file."""
    out = tmp_path_factory.mktemp("on-features")
    path = write(out / "train.h5")
    for recipe in ("jscc-single", "jscc-oma", "jscc-noma"):
        settings = [word for one in SHORT for word in ("--set", one)]
        result = CliRunner().invoke(
            command, [recipe, "--features", str(path), "--out", str(out), "--device", "cpu", *settings], catch_exceptions=False
        )
        assert result.exit_code == 0, result.output
    return out, path


def test_only_coders_are_trained_and_the_file_is_named(trained):
    out, path = trained
    assert {key.partition(".")[0] for key in load_file(out / "jscc-noma.safetensors")} == {"encoders", "decoders"}
    metrics = json.loads((out / "jscc-noma.metrics.json").read_text())
    data = load_dataset(f"features:{path}")
    assert metrics["dataset_file_sha256"] == data.file_sha256
    assert metrics["dataset_fingerprint"] == data.fingerprint
    assert metrics["epochs"] == {"t2": 2, "t3": 1}
    assert metrics["test"]["15 dB"] > 50  # 12 people, so chance is 8 %


def test_a_run_carries_them_side_by_side(trained, tmp_path):
    out, path = trained
    schemes = ["jscc-single", "jscc-oma", "jscc-noma"]
    run = {"dataset": f"features:{path}", "models": str(out), "simulate": "awgn", "snr_db": [15.0], "tasks": 36}
    result = hil.run(schemes=schemes, out=tmp_path, name="run", **run)
    assert result.dataset["file_sha256"] == load_dataset(f"features:{path}").file_sha256
    top1 = {row.scheme: row.top1 for row in result.points if row.snr_db}
    assert min(top1[name] for name in schemes) > 0.5
    with pytest.raises(DatasetError, match="no pictures"):  # networks of pictures
        hil.run(schemes=["jscc-single"], out=tmp_path, name="other", **{**run, "models": str(ROOT / "models")})
    with pytest.raises(ConfigError, match="features instead of pictures"):  # a codec of pictures of any size
        hil.run(schemes=["digital-jpeg"], out=tmp_path, name="codec", **run)


def test_pictures_and_features_are_not_taken_for_each_other(trained, tmp_path):
    out, path = trained
    features = load_dataset(f"features:{path}")
    scheme = load_scheme("jscc-noma", out)
    with pytest.raises(ShapeError, match="must be float"):
        scheme.extract(torch.zeros(2, 2, 1, 1, LENGTH + 1))
    given = Recipe(
        name="given", scheme="jscc-single", uses=8, t2=stage("mse", 1), backbone="identity", features=16, image_size=(1, 16)
    )
    with pytest.raises(ModelError, match="the data set has pictures"):
        train(given, tiny(), tmp_path, device="cpu")
    pictures = Recipe(name="seen", scheme="jscc-single", uses=8, features=16, image_size=(64, 32), t2=stage("mse", 1))
    with pytest.raises(ModelError, match="takes pictures and the data set has features"):
        train(pictures, features, tmp_path, device="cpu")
    for wrong in ({"image_size": (64, 32)}, {"augment": {"flip": 0.5}}, {"pretrained": "x.pth"}):
        with pytest.raises(ValueError, match=r"identity|pretrained"):
            Recipe(**{**given.model_dump(), **wrong})


def test_a_baseline_is_the_features_of_two_networks_and_its_weights_are_empty(tmp_path):
    data = load_dataset(f"features:{write(tmp_path / 'two.h5', views=2)}")
    given = {"backbone": "identity", "features": LENGTH, "image_size": (1, LENGTH), "uses": 0}
    whole = Recipe(name="pair", scheme="baseline-pair", t1=stage("cross_entropy", 2), **given)
    assert train(whole.model_copy(update={"held_out": 0.0}), data, tmp_path, device="cpu")["parameters"] == 0
    views = data.gallery.float_images(torch.tensor([[0, 1], [2, 3]]))
    features = load_scheme("pair", tmp_path).extract(views)
    assert torch.equal(features, torch.stack([views[:, 0, 0, 0], views[:, 1, 1, 0]], dim=1))


def test_the_command_takes_one_data_set(trained):
    result = CliRunner().invoke(command, ["jscc-noma", "--features", str(trained[1]), "--dataset", "synthetic"])
    assert result.exit_code == 2
    assert "leave --dataset out" in result.output


def _trained(features, out):
    settings = [word for one in SHORT for word in ("--set", one)]
    return CliRunner().invoke(
        command, ["jscc-oma", "--features", str(features), "--out", str(out), "--device", "cpu", *settings]
    )


def test_the_file_of_the_readme_is_trained_on(tmp_path, monkeypatch):
    page = (ROOT / "models" / "README.md").read_text(encoding="utf-8")
    (block,) = (one for one in re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL) if "train.h5" in one)
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "models/README.md", "exec"), {})
    result = _trained("train.h5", tmp_path / "mine")
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "mine" / "jscc-oma.metrics.json").read_text())["test"]["tasks"] == 36  # 12 people × 3 pairs


def test_two_cameras_need_views_of_one_camera_and_are_told_so(tmp_path):
    camera = np.tile(np.repeat([1, 2, 1], EACH), PEOPLE)
    path = write(tmp_path / "two.h5", cameras=camera)
    refused = _trained(path, tmp_path / "refused")
    assert isinstance(refused.exception, DatasetError)
    assert "'PATH?pairing=same_camera'" in str(refused.exception)
    result = _trained(f"{path}?pairing=same_camera", tmp_path / "mine")
    assert result.exit_code == 0, result.output
    metrics = json.loads((tmp_path / "mine" / "jscc-oma.metrics.json").read_text())
    assert metrics["test"]["tasks"] > 0
    found = hil.run(
        schemes=["jscc-oma"], dataset=f"features:{path}?pairing=same_camera", models=str(tmp_path / "mine"), simulate="awgn",
        snr_db=[15.0], tasks=12, out=tmp_path, name="run",
    )  # fmt: skip
    assert found.dataset["pairing"] == "same_camera"


def test_each_branch_takes_its_own_view_of_features_or_the_only_one():
    network = build_network(Recipe(scheme="baseline-pair", uses=0, backbone="identity", features=4, image_size=(1, 4)))
    own, shared = torch.rand(3, 2, 2, 1, 4), torch.rand(3, 2, 1, 1, 4)
    assert torch.equal(network.extract(own), torch.stack([own[:, 0, 0, 0], own[:, 1, 1, 0]], dim=1))
    assert torch.equal(network.extract(shared), shared[:, :, 0, 0])
    assert network.embed(own[:, 0]).shape == (2, 3, 4)
    changed = on_features("features:x.h5", 4)
    assert changed["image_size"] == (1, 4)
    assert changed["augment.flip"] == 0
