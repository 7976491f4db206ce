"""Options that several verbs share: a file, single settings, and how flags go into a configuration."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import click

from hil.config import Config

__all__ = ["HOME", "JSON", "config_options", "default_of", "flags_of", "parse_names", "parse_snr"]

F = TypeVar("F", bound=Callable[..., Any])

HOME = click.option("--home", type=click.Path(path_type=Path), help="Your bench: a folder with radios/, models/, ….")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


def config_options(function: F) -> F:
    """``--config FILE`` and ``--set KEY=VALUE``: default < file < setting < flag."""
    file = click.option(
        "--config", "config", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
        help="Settings as TOML, such as a run's run.toml.",
    )  # fmt: skip
    single = click.option(
        "--set", "settings", multiple=True, metavar="KEY=VALUE", help="One setting, such as frame.interleave=false."
    )
    return file(single(function))


def default_of(model: type[Config], key: str, text: str = "") -> str:
    """A help text with the default that the configuration's model has."""
    value = model.model_fields[key].get_default(call_default_factory=True)
    if isinstance(value, tuple):
        numbers = [float(item) for item in value] if value and all(isinstance(item, float) for item in value) else []
        steps = {round(second - first, 9) for first, second in pairwise(numbers)}
        shown = f"{numbers[0]:g}:{numbers[-1]:g}:{steps.pop():g}" if len(steps) == 1 else ",".join(map(str, value))
    else:
        shown = str(value)
    return f"{text}  [default: {shown}]" if shown not in ("", "None") else text


def flags_of(values: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """The flags that were given, under the configuration's (dotted) keys."""
    return {names.get(key, key): value for key, value in values.items() if value not in (None, ())}


def parse_snr(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[float, ...]:
    """``-6:15:3`` (first:last:step), or numbers with commas, to a tuple of dB."""
    if not value:
        return ()
    try:
        if ":" in value:
            parts = [float(part) for part in value.split(":")]
            first, last, step = parts if len(parts) == 3 else (*parts, 1.0)
            if step <= 0 or last < first:
                raise ValueError
            return tuple(first + index * step for index in range(int((last - first) / step + 1e-9) + 1))
        return tuple(float(part) for part in value.split(","))
    except (ValueError, OverflowError) as err:
        raise click.BadParameter(
            f"'{value}' is neither FIRST:LAST:STEP nor numbers with commas, such as -6:15:3 or 0,5"
        ) from err


def parse_names(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Names with commas to a tuple."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if value else ()
