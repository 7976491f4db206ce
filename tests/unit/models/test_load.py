"""From a name to a scheme: what is unknown, untrained, or not what it should be."""

from pathlib import Path

import pytest

from hil.errors import ConfigError, ModelError
from hil.models.load import build_network, load_scheme, weights_file
from hil.models.recipe import Recipe
from tests.packages import install

NOT_A_SCHEME = """
class Empty:
    pass
"""


def test_unknown_and_untrained_schemes_are_told_apart(tmp_path):
    with pytest.raises(ModelError, match=r"unknown scheme 'jscc-tdma'; did you mean 'jscc-oma'.*known: .*jscc-noma"):
        load_scheme("jscc-tdma", [tmp_path])
    with pytest.raises(ModelError, match="did you mean 'single'"):
        load_scheme("sinlge", [tmp_path])
    with pytest.raises(ModelError, match=r"no weights in .*hil train jscc-noma --out"):
        load_scheme("jscc-noma", [tmp_path])
    with pytest.raises(ModelError, match=r"no such weights file: gone\.safetensors"):
        load_scheme("gone.safetensors", [tmp_path])


def test_a_strangers_file_must_be_there_and_hold_a_scheme(tmp_path):
    path = tmp_path / "scheme.py"
    path.write_text(NOT_A_SCHEME)
    with pytest.raises(ModelError, match=r"lacks card, plan, encode, decode"):
        load_scheme(f"{path}:Empty", [])
    with pytest.raises(ConfigError, match=r"no class 'Yours'; it has: Empty"):
        load_scheme(f"{path}:Yours", [])
    with pytest.raises(ConfigError, match=r"no such file"):
        load_scheme(f"{tmp_path / 'gone.py'}:Mine", [])


def test_weights_are_looked_up_in_the_order_of_the_folders(tmp_path):
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "both.safetensors").touch()
    (tmp_path / "second" / "only.safetensors").touch()
    folders = [tmp_path / "first", tmp_path / "second"]
    assert weights_file("both", folders) == tmp_path / "first" / "both.safetensors"
    assert weights_file("only", folders) == tmp_path / "second" / "only.safetensors"
    assert weights_file("only.safetensors", folders) == tmp_path / "second" / "only.safetensors"
    assert weights_file("none", folders) is None


def test_a_recipe_builds_a_branch_network_and_nothing_else(tmp_path, monkeypatch):
    """A third party's scheme is put on the air by its name, but a recipe cannot train it."""
    source = "class Lab:\n    card = plan = None\n    def encode(self): pass\n    def decode(self): pass\n"
    install(tmp_path, "lab", {"hil.schemes": {"lab-scheme": "lab_package:Lab"}}, {"lab_package": source})
    monkeypatch.syspath_prepend(tmp_path)
    assert type(load_scheme("lab-scheme", [])).__name__ == "Lab"
    with pytest.raises(ModelError, match=r"so a recipe cannot build it"):
        build_network(Recipe(name="x", scheme="lab-scheme"))


def test_a_scheme_without_a_recipe_of_its_name_is_trained_by_one_that_makes_it(tmp_path):
    with pytest.raises(ModelError, match="train them with: hil train objects-classifier"):
        load_scheme("image-classifier", [tmp_path, Path(__file__).parents[3] / "models"])
