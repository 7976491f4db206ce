"""Configuration: frozen, checked on construction, TOML in and out; an unknown key is an error.

The models themselves live beside what they configure (`hil.radios.bench`, `hil.models.recipe`, `hil.runs.config`); this
module holds what they share. A value comes from the model's default, a file, or a flag, the later ones winning (`resolve`).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from hil.errors import ConfigError
from hil.spelling import did_you_mean

__all__ = [
    "Config", "flattened", "load_toml", "merged", "parse_settings", "problems", "read_toml", "resolve", "to_toml", "validate",
]  # fmt: skip

SHOWN = 40
"""Characters of a value that a message shows."""
_SECRET = re.compile(r"passw|secret|token|credential|private|api_?key", re.IGNORECASE)


class Config(BaseModel):
    """Base of all configuration: immutable, keyword-only, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)


C = TypeVar("C", bound=Config)


def validate(model: type[C], data: Mapping[str, Any], source: str) -> C:
    """Build `model` from `data`, reporting every problem at once.

    Raises:
        ConfigError: naming `source`, and for each problem the key's path, what is wrong and, if short and no secret, the value.
    """
    try:
        return model.model_validate(dict(data))
    except ValidationError as err:
        raise ConfigError(f"{source}: {problems(model, err)}") from err


def problems(model: type[BaseModel], err: ValidationError) -> str:
    """What pydantic found, in one line, without the input as a whole: it may be large, or nobody's to read."""
    return "; ".join(_problem(model, item) for item in err.errors(include_url=False))


def _problem(model: type[BaseModel], item: Any) -> str:
    *parents, last = item["loc"] or ("(top level)",)
    # pydantic puts the names of validators among the keys
    path = ".".join(str(part) for part in item["loc"] if "[" not in str(part)) or "(top level)"
    if item["type"] == "extra_forbidden":
        known = sorted({name for one in _models_at(model, parents) for name in one.model_fields})
        return f"unknown key '{path}' (known here: {', '.join(known)}){did_you_mean(str(last), known)}"
    message = item["msg"].removeprefix("Value error, ")
    if not item["loc"] and item["type"] == "value_error":  # a check over several keys, whose message names them
        return str(message)
    given = "" if item["type"] == "missing" else _shown(str(last), item["input"])
    return f"{path}: {message}{f', not {given}' if given else ''}"


def _models_at(model: type[BaseModel], path: Sequence[int | str]) -> list[type[BaseModel]]:
    """The models that may stand at a path: indices, keys of a table and pydantic's names of alternatives lead to the same."""
    found = [model]
    for part in path:
        fields = [one.model_fields[str(part)] for one in found if part in one.model_fields]
        found = [inner for one in fields for inner in _models_in(one.annotation)] if fields else found
    return found


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def _shown(key: str, value: Any) -> str:
    """A value as a message may show it: short scalars alone, and nothing that looks like a secret; "" for what is not shown."""
    if not isinstance(value, str | int | float) or _SECRET.search(key):
        return ""
    text = repr(value) if not isinstance(value, int) or abs(value) < 10**SHOWN else f"{str(value)[:6]}…"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as plain data: UTF-8, with or without a byte order mark.

    Raises:
        ConfigError: the file is missing, is no UTF-8 or is no TOML.
    """
    try:
        data = path.read_bytes()
        return tomllib.loads(data.decode("utf-8-sig"))
    except FileNotFoundError as err:
        raise ConfigError(f"no such file: {path}") from err
    except OSError as err:
        raise ConfigError(f"cannot read {path}: {err.strerror or err}") from err
    except UnicodeDecodeError as err:
        raise ConfigError(f"cannot read {path}: {_encoding(data, err.start)}; save it as UTF-8") from err
    except (tomllib.TOMLDecodeError, ValueError, RecursionError) as err:
        twice = " (a key or table is given twice)" if "overwrite" in str(err) or "twice" in str(err) else ""
        wide = "; it is UTF-16 or the like, save it as UTF-8" if b"\0" in data[:400] else ""
        raise ConfigError(f"{path} is not valid TOML: {str(err)[:200]}{twice}{wide}") from err


def _encoding(data: bytes, place: int) -> str:
    """What a file is that is no UTF-8 from byte `place` on, as far as can be told."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "it is UTF-16"
    line = data[:place].count(b"\n") + 1
    return f"line {line} is not UTF-8 (byte 0x{data[place]:02x}; perhaps it is Latin-1)"


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


def parse_settings(settings: tuple[str, ...], model: type[Config] | None = None, *, flag: str = "--set") -> dict[str, Any]:
    """``KEY=VALUE`` pairs to dotted keys and TOML values; a bare word is a string.

    Args:
        settings: the pairs.
        model: whose keys they must be; None: not looked at here.
        flag: that they were given by.

    Raises:
        ConfigError: no ``=``, or a key that the model does not have.
    """
    found: dict[str, Any] = {}
    for setting in settings:
        key, separator, text = setting.partition("=")
        key = key.strip()
        if not separator or not key:
            raise ConfigError(f"{flag} needs KEY=VALUE, such as seed=5, not '{setting}'")
        first, known = key.partition(".")[0], sorted(model.model_fields) if model is not None else []
        if model is not None and first not in known:
            raise ConfigError(f"{flag}: unknown key '{key}' (known here: {', '.join(known)}){did_you_mean(first, known)}")
        try:
            found[key] = tomllib.loads(f"value = {text}")["value"] if "\n" not in text else text
        except (tomllib.TOMLDecodeError, ValueError, RecursionError):
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
