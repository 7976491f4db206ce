"""What weights were trained on, where that is not what is sent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hil.models.weights import trained_on

__all__ = ["other_data"]


def other_data(weights: Mapping[str, Path], dataset: str) -> list[str]:
    """Lines for schemes whose weights were trained on another data set than a spec names; one line for those of the same.

    Args:
        weights: scheme -> its file.
        dataset: spec of the data set.
    """
    asked = dataset.partition(":")[0]
    by_data: dict[str, list[str]] = {}
    for name, path in weights.items():
        known = trained_on(path).partition(":")[0]
        if known not in ("", "none", asked):
            by_data.setdefault(known, []).append(name)
    return [
        f"warning: {', '.join(names)}: trained on '{known}', not on '{asked}': what is measured tells little of the scheme; "
        f"train it there with: hil train {names[0]} --dataset {dataset} --out DIR"
        for known, names in by_data.items()
    ]
