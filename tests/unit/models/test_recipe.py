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
