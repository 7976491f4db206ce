"""Configuration: frozen, checked on construction, TOML in and JSON out; an unknown key is an error.

The models themselves live beside what they configure (`hil.radios.bench`, `hil.models.recipe`, `hil.experiment`); this
module holds what they share.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from hil.errors import ConfigError

__all__ = ["Config", "load_toml", "validate"]


class Config(BaseModel):
    """Base of all configuration: immutable, keyword-only, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)


C = TypeVar("C", bound=Config)


def validate(model: type[C], data: dict[str, Any], source: str) -> C:
    """Build `model` from `data`, reporting every problem at once.

    Raises:
        ConfigError: naming `source`, and for each problem the key's path, what is wrong and the value.
    """
    try:
        return model.model_validate(data)
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


def load_toml(model: type[C], path: Path, overrides: dict[str, Any] | None = None) -> C:
    """Read a TOML file into `model`; `overrides` maps dotted keys to values that replace the file's.

    Raises:
        ConfigError: the file is missing, is no TOML, or does not fit the model.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as err:
        raise ConfigError(f"no such file: {path}") from err
    except (OSError, UnicodeDecodeError) as err:
        raise ConfigError(f"cannot read {path}: {err}") from err
    except tomllib.TOMLDecodeError as err:
        raise ConfigError(f"{path} is not valid TOML: {err}") from err
    for key, value in (overrides or {}).items():
        *parents, leaf = key.split(".")
        table = data
        for parent in parents:
            table = table.setdefault(parent, {})
            if not isinstance(table, dict):
                raise ConfigError(f"{path}: '{key}' cannot be set, '{parent}' is not a table")
        table[leaf] = value
    return validate(model, data, str(path))
