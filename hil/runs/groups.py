"""One word for several schemes: all that a data set serves, or all that put out what a goal needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from hil.datasets.card import DatasetEntry
from hil.errors import ConfigError
from hil.goals.contract import Goal
from hil.models.card import SchemeEntry
from hil.models.load import weights_file
from hil.models.recipe import load_recipe
from hil.registry import DATASETS, GOALS, SCHEMES, Entry
from hil.runs.config import RunConfig

__all__ = ["grouped"]

ALL = "all"


def grouped(config: RunConfig, places: Sequence[Path]) -> Sequence[str] | None:
    """Names of the schemes that ``all`` or a goal's name stands for; None: schemes are named one by one.

    Those that have weights at hand, or need none, and send something: references are judged without being named. Of ``all``,
    what the named data set, or the default one, serves.

    Raises:
        ConfigError: there is none.
    """
    word = config.schemes[0] if len(config.schemes) == 1 else ""
    if word == ALL:
        entry = DATASETS.builtin.get(config.dataset.partition(":")[0] or DATASETS.defaults()[0])
        served = set(entry.serves) if isinstance(entry, DatasetEntry) else set()
    elif word in GOALS.builtin:
        served = {cast(Goal, GOALS.load(word)()).needs}
    else:
        return None
    recipes = {path.stem for place in places for path in place.glob("*.toml")}
    known = [name for name in sorted(recipes | set(SCHEMES.builtin)) if _ready(name, places)]
    found = [name for name in known if not served or _outputs(name, places) in served]
    if not found:
        raise ConfigError(f"no scheme has weights in {', '.join(map(str, places))}; train some with: hil train RECIPE")
    return found


def _ready(name: str, places: Sequence[Path]) -> bool:
    """Whether it has weights, or needs none, sends something, and is for one receiver, which every bench has."""
    entry = _entry(name, places)
    if isinstance(entry, SchemeEntry) and entry.receivers > 1:
        return False
    if isinstance(entry, SchemeEntry) and (entry.reference or entry.untrained):
        return entry.untrained
    return weights_file(name, places) is not None


def _outputs(name: str, places: Sequence[Path]) -> str:
    """What a built-in scheme, or the scheme of a recipe, puts out."""
    return cast(SchemeEntry, _entry(name, places)).card.outputs


def _entry(name: str, places: Sequence[Path]) -> Entry:
    """Of a built-in scheme, or of the scheme of a recipe."""
    if name not in SCHEMES.builtin:
        recipe = next(place / f"{name}.toml" for place in places if (place / f"{name}.toml").is_file())
        name = load_recipe(recipe).scheme
    return SCHEMES.builtin[name]
