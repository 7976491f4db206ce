"""`hil train`: names, settings, and what it starts from."""

import json
import shutil

import pytest
from click.testing import CliRunner

from hil.cli.train import train as command
from hil.errors import ConfigError
from tests.conftest import ROOT

FIRST = """
scheme = "baseline-pair"
uses = 0
[t1]
loss = "cross_entropy"
epochs = 1
batch_size = 16
lr = 1e-3
"""


def invoke(*arguments):
    return CliRunner().invoke(command, list(map(str, arguments)), catch_exceptions=False)


@pytest.fixture
def recipes(tmp_path):
    """A short recipe of a pair, and the shipped one that starts from it beside it."""
    (tmp_path / "t1-pair.toml").write_text(FIRST)
    shutil.copy(ROOT / "models" / "jscc-noma.toml", tmp_path)
    return tmp_path


def test_the_command_trains_what_is_missing_and_resolves_names(recipes):
    common = ["--out", recipes, "--dataset", "synthetic:identities=12", "--device", "cpu", "--set", "features=8"]
    result = invoke("jscc-noma", *common, "--set", "t2.epochs=1", "--set", "t3.epochs=1", "--set", "seed=4")
    assert result.exit_code == 0
    assert "t1-pair T1 epoch 1/1" in result.output  # the recipe beside it, not the shipped one
    assert "t1-pair.safetensors" in result.output
    assert "jscc-noma.safetensors: retrieval top1 on " in result.output
    metrics = json.loads((recipes / "jscc-noma.metrics.json").read_text())
    assert {"noiseless", "-6 dB", "15 dB"} <= metrics["test"].keys()
    assert metrics["training_seed"] == 4
    assert json.loads((recipes / "t1-pair.metrics.json").read_text())["training_seed"] == 4  # both have it


def test_a_file_of_settings_is_weaker_than_set(recipes):
    settings = recipes / "short.toml"
    settings.write_text("seed = 6\nfeatures = 8\n[t1]\nepochs = 1\n")
    result = invoke(
        "t1-pair", "--out", recipes, "--dataset", "synthetic:identities=6", "--device", "cpu",
        "--config", settings, "--set", "seed=7",
    )  # fmt: skip
    assert result.exit_code == 0
    metrics = json.loads((recipes / "t1-pair.metrics.json").read_text())
    assert metrics["training_seed"] == 7
    assert metrics["epochs"] == {"t1": 1}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("t1-pair", "--set", "t1.epochs"), "KEY=VALUE"),
        (("t1-pair", "--set", "flavour=1"), "unknown key 'flavour'"),
        (("t1-pair", "--config", "/no/such/file.toml"), "no such file"),
        (("nothing",), "no recipe 'nothing'"),
    ],
)
def test_mistakes_are_named(recipes, arguments, words):
    with pytest.raises(ConfigError, match=words):
        invoke(*arguments, "--out", recipes)
