"""What the tab key offers: benches, schemes, recipes, runs, data sets and goals by name. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import click
from click.shell_completion import CompletionItem

__all__ = ["BY_NAME", "completed"]

Names = Callable[[], Iterable[str]]


def _lying(kind: str, *patterns: str) -> list[str]:
    from hil.places import folders

    return [file.stem for folder in folders(kind) for pattern in patterns for file in folder.glob(pattern)]


def _benches() -> list[str]:
    return _lying("radios", "[!.]*.toml")


def _recipes() -> list[str]:
    return _lying("models", "[!.]*.toml")


def _schemes() -> list[str]:
    from hil.registry import SCHEMES

    aliases = [entry.alias for entry in SCHEMES.builtin.values() if entry.alias]
    return [*SCHEMES.names(), *aliases, *_lying("models", "[!.]*.safetensors")]


def _datasets() -> list[str]:
    from hil.registry import DATASETS

    return DATASETS.names()


def _goals() -> list[str]:
    from hil.registry import GOALS

    return GOALS.names()


def _runs() -> list[str]:
    return [str(file.parent) for name in ("capture.h5", "results.json") for file in Path("runs").glob(f"*/{name}")]


def _targets() -> list[str]:
    return [*_runs(), *_benches()]


BY_NAME: dict[str, Names] = {
    "bench": _benches, "scheme": _schemes, "schemes": _schemes, "recipe": _recipes, "dataset": _datasets, "spec": _datasets,
    "goals": _goals, "run": _runs, "runs": _runs, "capture": _runs, "captures": _runs,
    "target": _targets,
}  # fmt: skip
"""What a parameter of that name may be."""


def completed(names: Names) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """A parameter's completion: names that begin with what is typed, after the last comma; files, where there are none."""

    def complete(ctx: click.Context, param: click.Parameter, typed: str) -> list[CompletionItem]:
        before, comma, last = typed.rpartition(",")
        found = sorted({name for name in names() if name.startswith(last)})
        items = [CompletionItem(f"{before}{comma}{name}") for name in found]
        return items or [CompletionItem(typed, type="file")]

    return complete
