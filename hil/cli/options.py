"""Options that several verbs share: a file, single settings, and how flags go into a configuration."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import click

from hil.config import Config
from hil.runs.config import MOST_SNRS

__all__ = ["HOME", "JSON", "config_options", "default_of", "flags_of", "parse_names", "parse_snr", "show_files"]

F = TypeVar("F", bound=Callable[..., Any])

HOME = click.option("--home", type=click.Path(path_type=Path), help="Your bench: a folder with radios/, models/, ….")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


def show_files(files: Iterable[Path], *, as_json: bool) -> None:
    """Print where what was made lies: a path a line, or {"files": [path]}."""
    paths = [str(path) for path in files]
    if as_json:
        click.echo(json.dumps({"files": paths}))
        return
    for path in paths:
        click.echo(path)


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
    if value is None:
        return ()
    shown = value if len(value) <= 40 else value[:40] + "…"
    try:
        numbers = [float(part) for part in value.split(":" if ":" in value else ",")]
    except ValueError:
        numbers = []
    if not numbers or not all(map(math.isfinite, numbers)) or (":" in value and len(numbers) not in (2, 3)):
        raise click.BadParameter(f"{shown!r} is neither FIRST:LAST:STEP nor numbers with commas, such as -6:15:3 or 0,5")
    if ":" not in value:
        return tuple(numbers)
    first, last, step = numbers if len(numbers) == 3 else (*numbers, 1.0)
    if last < first or step <= 0:
        raise click.BadParameter(f"{shown!r}: in FIRST:LAST:STEP, FIRST is at most LAST, and STEP above 0, such as -6:15:3")
    steps = (last - first) / step
    if steps >= MOST_SNRS:
        raise click.BadParameter(f"{shown!r} are more than {MOST_SNRS} SNRs; take a larger STEP")
    return tuple(round(first + index * step, 9) for index in range(int(steps + 1e-9) + 1))


def parse_names(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Names with commas to a tuple."""
    if value is None:
        return ()
    names = tuple(part.strip() for part in value.split(",") if part.strip())
    if not names:
        raise click.BadParameter(f"{value[:40]!r} must be names with commas; leave the option out for the default")
    return names
