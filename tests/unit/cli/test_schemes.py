"""`hil schemes list`: the registered schemes, and what recipes make of them."""

import json

import torch
from click.testing import CliRunner

from hil.cli.schemes import schemes
from hil.errors import ConfigError, OutputError
from hil.models.load import build_network
from hil.models.recipe import Recipe
from hil.models.weights import write_weights
from hil.registry import SCHEMES


def listed(folder):
    done = CliRunner().invoke(schemes, ["list", "--models", str(folder), "--json"])
    assert done.exit_code == 0, done.output
    return {row["name"]: row for row in json.loads(done.output)}


def test_variants_by_recipe_are_rows_and_untrained_until_they_have_weights(tmp_path):
    last = '[t3]\nloss = "cross_entropy"\nepochs = 1\nlr = 0.1\n'
    (tmp_path / "narrow.toml").write_text(f'scheme = "jscc-single"\nuses = 8\nfeatures = 12\n{last}')
    (tmp_path / "start.toml").write_text('scheme = "baseline-single"\n' + last.replace("t3", "t1"))
    (tmp_path / "elsewhere.toml").write_text('scheme = "jscc-single"\ndataset = "market1501:PATH"\n' + last)
    (tmp_path / "broken.toml").write_text("flavour = 3\n")
    rows = listed(tmp_path)
    assert set(rows) == {*SCHEMES.names(), "narrow"}
    assert {name for name, row in rows.items() if row["trained"]} == {
        name for name, entry in SCHEMES.builtin.items() if entry.untrained
    }
    assert (rows["narrow"]["kind"], rows["narrow"]["section"]) == ("measured", rows["jscc-single"]["section"])
    for name in ("narrow", "elsewhere"):
        torch.manual_seed(1)
        recipe = Recipe(name=name, scheme="jscc-single", uses=8, features=12)
        write_weights(tmp_path / f"{name}.safetensors", build_network(recipe).state_dict(), recipe, dataset="", fingerprint="")
    rows = listed(tmp_path)
    assert rows["narrow"]["trained"]
    assert rows["narrow"]["uses"] == rows["elsewhere"]["uses"] == [8]


def test_bounds_are_called_so_before_they_are_trained(tmp_path):
    rows = listed(tmp_path)
    assert {name for name, row in rows.items() if row["kind"] == "bound"} == {
        *(name for name in SCHEMES.builtin if name.startswith("baseline")),
        *("digital-single", "digital-pair", "digital-pair-oma", "digital-pair-either"),
        *("digital-pair-oma-either", "image-classifier", "image-detector"),
    }


def test_a_new_scheme_keeps_the_contract_and_a_broken_one_is_told_why(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(schemes, ["new", "my-scheme"])
    assert "hil schemes test my_scheme.py:MyScheme" in done.output
    done = CliRunner().invoke(schemes, ["test", "my_scheme.py:MyScheme"])
    assert done.exit_code == 0, done.output
    assert "all 11 checks passed" in done.output
    assert isinstance(CliRunner().invoke(schemes, ["new", "my-scheme"]).exception, OutputError)
    assert isinstance(CliRunner().invoke(schemes, ["new", "3-d"]).exception, ConfigError)
    file = tmp_path / "my_scheme.py"
    file.write_text(
        file.read_text().replace("return Features(features=found[:, None], erased=~one.valid.any(1))", "return found")
    )
    done = CliRunner().invoke(schemes, ["test", "my_scheme.py:MyScheme"])
    assert done.exit_code == 1
    assert "must give hil.models.contract.Features, not a tensor float32 [7, 48]; return Features(features=…" in done.output
    assert "as above (output is what the card says)" in done.output
    file.write_text(file.read_text().replace("chunk(2, dim=1)", "chunk(2, dim=5)"))
    done = CliRunner().invoke(schemes, ["test", "my_scheme.py:MyScheme", "--json"])
    whys = {one["test"]: one["why"] for one in json.loads(done.output)}
    assert not whys["card and plan are whole"]
    assert whys["symbols are as planned"].startswith("IndexError: ")
    assert "my_scheme.py:" in whys["symbols are as planned"]
    assert "in encode" in whys["symbols are as planned"]


def test_the_list_fits_80_columns(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = CliRunner().invoke(schemes, ["list", "--models", str(tmp_path)]).output.splitlines()
    assert max(map(len, lines[:-1])) <= 80
    assert not any("…" in line for line in lines[:-1])
    assert len([line for line in lines if line.startswith("jscc-noma-same-view ")]) == 1
