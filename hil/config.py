"""Configuration: frozen, checked on construction, TOML in and out; an unknown key is an error.

The models themselves live beside what they configure (`hil.radios.bench`, `hil.models.recipe`, `hil.runs.config`); this
module holds what they share. A value comes from the model's default, a file, or a flag, the later ones winning (`resolve`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from hil.errors import ConfigError

__all__ = ["Config", "flattened", "load_toml", "merged", "parse_settings", "read_toml", "resolve", "to_toml", "validate"]


class Config(BaseModel):
    """Base of all configuration: immutable, keyword-only, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)


C = TypeVar("C", bound=Config)


def validate(model: type[C], data: Mapping[str, Any], source: str) -> C:
    """Build `model` from `data`, reporting every problem at once.

    Raises:
        ConfigError: naming `source`, and for each problem the key's path, what is wrong and the value.
    """
    try:
        return model.model_validate(dict(data))
    except ValidationError as err:
        problems = [_problem(model, item) for item in err.errors()]
        raise ConfigError(f"{source}: " + "; ".join(problems)) from err


def _problem(model: type[Config], item: Any) -> str:
    path = ".".join(str(part) for part in item["loc"]) or "(top level)"
    if item["type"] == "extra_forbidden":
        known = f" (known here: {', '.join(sorted(model.model_fields))})" if len(item["loc"]) == 1 else ""
        return f"unknown key '{path}'{known}"
    given = "" if item["type"] == "missing" else f", not {item['input']!r:.80}"
    return f"{path}: {item['msg']}{given}"


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as plain data.

    Raises:
        ConfigError: the file is missing or is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as err:
        raise ConfigError(f"no such file: {path}") from err
    except (OSError, UnicodeDecodeError) as err:
        raise ConfigError(f"cannot read {path}: {err}") from err
    except tomllib.TOMLDecodeError as err:
        raise ConfigError(f"{path} is not valid TOML: {err}") from err


def load_toml(model: type[C], path: Path, overrides: Mapping[str, Any] | None = None) -> C:
    """Read a TOML file into `model`; `overrides` maps dotted keys to values that replace the file's.

    Raises:
        ConfigError: the file is missing, is no TOML, or does not fit the model.
    """
    return validate(model, merged(read_toml(path), overrides or {}, str(path)), str(path))


def merged(data: Mapping[str, Any], overrides: Mapping[str, Any], source: str) -> dict[str, Any]:
    """`data` with dotted keys replaced; tables on the way are made.

    Raises:
        ConfigError: a dotted key leads through something that is no table.
    """
    result = {key: dict(value) if isinstance(value, dict) else value for key, value in data.items()}
    for key, value in overrides.items():
        *parents, leaf = key.split(".")
        table = result
        for parent in parents:
            inner = table.get(parent, {})
            if not isinstance(inner, dict):
                raise ConfigError(f"{source}: '{key}' cannot be set, '{parent}' is not a table")
            table[parent] = table = dict(inner)
        table[leaf] = value
    return result


def flattened(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as dotted keys."""
    found: dict[str, Any] = {}
    for key, value in data.items():
        found |= flattened(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found


def resolve(
    model: type[C], *, file: Path | None, settings: Mapping[str, Any], flags: Mapping[str, Any], source: str
) -> tuple[C, dict[str, Any]]:
    """One configuration from the model's defaults, a file, ``--set`` and the command's own flags, the later ones winning.

    Args:
        model: of the configuration.
        file: TOML, or None.
        settings: dotted keys of ``--set``.
        flags: dotted keys of the flags that were given.
        source: who asks, for messages.

    Returns:
        the configuration, and what was given of it, as plain data.

    Raises:
        ConfigError: as `validate`, `read_toml`.
    """
    given = merged(read_toml(file) if file is not None else {}, {**settings, **flags}, source)
    return validate(model, given, str(file) if file is not None and not settings and not flags else source), given


def parse_settings(settings: tuple[str, ...], model: type[Config] | None = None) -> dict[str, Any]:
    """``KEY=VALUE`` pairs to dotted keys and TOML values; a bare word is a string.

    Args:
        settings: the pairs.
        model: whose keys they must be; None: not looked at here.

    Raises:
        ConfigError: no ``=``, or a key that the model does not have.
    """
    found: dict[str, Any] = {}
    for setting in settings:
        key, separator, text = setting.partition("=")
        key = key.strip()
        if not separator or not key:
            raise ConfigError(f"--set needs KEY=VALUE, such as seed=5, not '{setting}'")
        if model is not None and key.partition(".")[0] not in model.model_fields:
            raise ConfigError(f"--set: unknown key '{key}' (known here: {', '.join(sorted(model.model_fields))})")
        try:
            found[key] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            found[key] = text
    return found


def to_toml(config: Config) -> str:
    """A configuration as TOML, all keys resolved; None is left out, which means the same."""
    import tomli_w

    return tomli_w.dumps(_without_none(config.model_dump(mode="json")))


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_none(item) for item in value]
    return value
