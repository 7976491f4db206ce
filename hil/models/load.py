"""From a name to a scheme ready to use: trained weights in a folder, an installed package, or a stranger's file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hil.errors import ConfigError, ModelError
from hil.foreign import is_foreign, load_foreign
from hil.models.card import SchemeEntry
from hil.models.contract import Scheme
from hil.models.network import RecipeNetwork
from hil.models.recipe import Recipe, load_recipe
from hil.models.weights import fill_network, read_weights
from hil.registry import SCHEMES
from hil.spelling import did_you_mean

__all__ = ["build_network", "load_scheme", "weights_file"]


def build_network(recipe: Recipe) -> RecipeNetwork:
    """The untrained network of a recipe, initialised from torch's global generator.

    Raises:
        ConfigError: the scheme is unknown, or its sizes are wrong.
        ModelError: the scheme is not one that recipes can train.
    """
    factory: Any = SCHEMES.load(recipe.scheme)
    if not (isinstance(factory, type) and issubclass(factory, RecipeNetwork)):
        raise ModelError(f"scheme '{recipe.scheme}' is no hil.models.network.RecipeNetwork, so a recipe cannot build it")
    build: Callable[..., RecipeNetwork] = factory
    return build(recipe)


def load_scheme(name_or_path: str, models_dir: Path | Sequence[Path]) -> Scheme:
    """A scheme in evaluation mode, on the CPU, with frozen weights.

    Args:
        name_or_path: a recipe's name (``NAME.safetensors`` is looked up in `models_dir`), a path to a ``.safetensors``
            file, a name from the entry points ``hil.schemes`` (called without arguments), or ``path.py:Class``; of a built-in
            scheme that needs no weights, its name and options, ``NAME?key=value&key=value``.
        models_dir: one folder, or several in order of preference.

    Raises:
        ModelError: nothing of that name, or weights that are missing, damaged, or do not fit.
        ConfigError: options that the scheme does not have.
    """
    folders = [models_dir] if isinstance(models_dir, Path) else list(models_dir)
    if is_foreign(name_or_path):
        return _checked(load_foreign(name_or_path, SCHEMES.what, call=True), name_or_path)
    if (made := _untrained(name_or_path)) is not None:
        return made
    file = weights_file(name_or_path, folders)
    if file is None:
        if name_or_path in SCHEMES.names() and name_or_path not in SCHEMES.builtin:
            return _checked(SCHEMES.load(name_or_path)(), name_or_path)
        raise ModelError(_not_found(name_or_path, folders))
    weights = read_weights(file)
    network = build_network(_as_scheme(name_or_path, weights.recipe))
    fill_network(network, weights)
    network.requires_grad_(False)
    return _checked(network.eval(), name_or_path)


def _untrained(name: str) -> Scheme | None:
    """A built-in scheme without weights, made from the options behind its name; None for any other."""
    base, _, text = name.partition("?")
    entry = SCHEMES.builtin.get(base)
    if not (isinstance(entry, SchemeEntry) and entry.untrained):
        return None
    options: dict[str, str] = {}
    for option in text.split("&") if text else ():
        key, equals, value = option.partition("=")
        if not equals or key in options:
            raise ConfigError(f"scheme '{name}': options are key=value, each once, with & between them, not '{option}'")
        options[key] = value
    return _checked(SCHEMES.load(base)(options), name)


def weights_file(name_or_path: str, folders: Sequence[Path]) -> Path | None:
    """The weights file meant by a path or a bare name, or None; of a scheme that uses another's weights, that one's."""
    path = Path(name_or_path)
    if path.suffix == ".safetensors":
        candidates = [path, *(folder / path for folder in folders)]
    else:
        names = [name_or_path, *filter(None, [_weights_of(name_or_path)])]
        candidates = [folder / f"{name}.safetensors" for name in names for folder in folders]
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _weights_of(name: str) -> str:
    """The scheme whose weights a built-in scheme uses, or "". A seed of its own is kept: ``NAME@2``."""
    base, at, seed = name.partition("@")
    entry = SCHEMES.builtin.get(base)
    return f"{entry.weights}{at}{seed}" if isinstance(entry, SchemeEntry) and entry.weights else ""


def _as_scheme(name: str, recipe: Recipe) -> Recipe:
    """The recipe of a weights file, or of the scheme `name` with these weights."""
    if not _weights_of(name):
        return recipe
    return recipe.model_copy(update={"name": name, "scheme": name.partition("@")[0]})


def _checked(scheme: Any, name: str) -> Scheme:
    missing = [part for part in ("card", "plan", "encode", "decode") if not hasattr(scheme, part)]
    if missing:
        raise ModelError(f"scheme '{name}' lacks {', '.join(missing)}; see hil.models.contract.Scheme for what it must offer")
    checked: Scheme = scheme
    return checked


def _recipes_of(scheme: str, folders: Sequence[Path]) -> list[str]:
    """Recipes that make a network of a scheme that has none of its own name; those of full size last."""
    files = {path.stem: path for folder in reversed(folders) for path in folder.glob("*.toml")}
    found = [name for name, path in files.items() if load_recipe(path).scheme == scheme]
    return sorted(found, key=lambda name: (name.startswith("full-"), name))


def _takes_options(entry: Any) -> bool:
    return isinstance(entry, SchemeEntry) and entry.untrained


def _no_options(name: str, options: str) -> str:
    changes = "".join(f" --set {option}" for option in options.split("&") if option)
    return (
        f"scheme '{name}' takes no options, as its weights are for one setting, not '{options}'; "
        f"train another one: hil train {_weights_of(name) or name}{changes} --set name=NAME"
    )


def _not_found(name: str, folders: Sequence[Path]) -> str:
    looked = ", ".join(dict.fromkeys(str(folder) for folder in folders)) or "no folder"
    if Path(name).suffix == ".safetensors":
        return f"no such weights file: {name} (looked here and in {looked})"
    trained = {file.stem for folder in folders for file in folder.glob("[!.]*.safetensors")}
    recipes = {file.stem for folder in folders for file in folder.glob("*.toml")}
    base, at, seed = name.partition("@")
    if at and seed.isdecimal() and (base in recipes or base in SCHEMES.builtin):
        base, changes = _weights_of(base) or base, f" --set seed={seed} --set name={_weights_of(name) or name}"
    else:
        base, changes = _weights_of(name) or name, ""
    if base in recipes or base in SCHEMES.builtin:
        target = folders[0] if folders else Path("models")
        base = base if base in recipes else next(iter(_recipes_of(base, folders)), base)
        return f"scheme '{name}' has no weights in {looked}; train them with: hil train {base}{changes} --out {target}"
    known = sorted(trained | recipes | set(SCHEMES.names()))
    if "?" in name and base.partition("?")[0] in known:
        return _no_options(*name.split("?", 1))
    hint = did_you_mean(name, [*known, *SCHEMES.spellings()])
    family = [one for one in known if one.startswith(name.partition("-")[0] + "-")]
    if any(_takes_options(SCHEMES.builtin.get(one)) for one in family):  # such as one for each codec
        known = family
    return f"unknown scheme '{name}'{hint}; known: {', '.join(known)} (looked in {looked}); or path.py:Class"
