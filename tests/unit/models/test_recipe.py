"""Recipes: the shipped ones, and mistakes in others."""

import pytest

from hil.errors import ConfigError
from hil.models.recipe import SnrRange, find_recipe, load_recipe
from tests.conftest import ROOT


@pytest.mark.parametrize("path", sorted((ROOT / "models").glob("*.toml")), ids=lambda path: path.stem)
def test_shipped_recipes_are_valid_and_fit_what_they_start_from(path):
    recipe = load_recipe(path)
    assert recipe.name == path.stem
    assert recipe.stages()
    if recipe.init:
        start = load_recipe(find_recipe(recipe.init, [path.parent]))
        for key in ("backbone", "features", "image_size", "seed", "held_out", "dataset", "augment"):
            assert getattr(start, key) == getattr(recipe, key)


def test_recipe_mistakes_are_named(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('scheme = "jscc-oma"\nepoch = 3\n[t1]\nloss = "mse"\nlr = -1\nepochs = 1\n')
    with pytest.raises(ConfigError, match=r"t1\.lr.*unknown key 'epoch'"):
        load_recipe(path)
    path.write_text('scheme = "jscc-oma"\ninit = "x"\n[t1]\nloss = "cross_entropy"\nlr = 1\nepochs = 1\n')
    with pytest.raises(ConfigError, match=r"not both"):
        load_recipe(path)
    path.write_text('scheme = "jscc-oma"\nsnr_db_train = 3\n')
    assert load_recipe(path).snr_range == SnrRange(low=3, high=3)
    with pytest.raises(ConfigError, match=r"no recipe 'yours'.*known: mine"):
        find_recipe("yours", [tmp_path])


def test_a_recipe_extends_another_table_by_table(tmp_path):
    base = 'name = "base"\nscheme = "jscc-oma"\nuses = 32\nsnr_db_train = { low = 0.0, high = 9.0 }\n'
    (tmp_path / "base.toml").write_text(base + '[t3]\nloss = "cross_entropy"\nlr = 0.1\nepochs = 3\n')
    (tmp_path / "more.toml").write_text('extends = "base"\nuses = 16\n[t3]\nepochs = 5\n')
    (tmp_path / "most.toml").write_text('extends = "more"\nsnr_db_train = 3.0\n')
    recipe = load_recipe(tmp_path / "most.toml", {"seed": 4})
    assert (recipe.name, recipe.scheme, recipe.uses, recipe.seed) == ("most", "jscc-oma", 16, 4)
    assert recipe.snr_range == SnrRange(low=3, high=3)
    assert (recipe.t3.loss, recipe.t3.lr, recipe.t3.epochs) == ("cross_entropy", 0.1, 5)


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ('extends = "mine"', "leads back"),
        ('extends = "other"', "leads back"),
        ('extends = "none"', "no file"),
        ("extends = 3", "no file"),
    ],
)
def test_what_cannot_be_extended_is_named(tmp_path, said, what):
    (tmp_path / "mine.toml").write_text(said)
    (tmp_path / "other.toml").write_text('extends = "mine"')
    with pytest.raises(ConfigError, match=f"mine.toml: extends = .*{what}|other.toml: extends = .*{what}"):
        load_recipe(tmp_path / "mine.toml")
