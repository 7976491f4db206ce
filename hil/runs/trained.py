"""What weights were trained on, where that is not what is sent, or where it is what they would be scored on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hil.captures import Capture
from hil.errors import ModelError
from hil.foreign import is_foreign
from hil.models.load import weights_file
from hil.models.network import RecipeNetwork
from hil.models.weights import trained_on
from hil.places import folders

__all__ = ["check_unseen", "other_data", "other_networks"]


def check_unseen(capture: Capture, schemes: Mapping[str, Any]) -> None:
    """Refuse to score a capture with networks that were trained through its channels.

    Args:
        capture: open; schemes: by name.

    Raises:
        ModelError: one of them was.
    """
    trained = {
        name: one.recipe.channel.captures
        for name, one in schemes.items()
        if isinstance(one, RecipeNetwork) and one.recipe.channel.captures
    }
    if not trained:
        return
    own = capture.identity
    for name, identities in trained.items():
        if own in identities:
            raise ModelError(
                f"'{name}' was trained through the channels of {capture.path}: its score there would flatter it; "
                "score it on another capture"
            )


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


def other_networks(options: Mapping[str, Any], dataset: str) -> list[str]:
    """Lines for trained task networks, by which goals judge, that were trained on another data set than a spec names.

    Args:
        options: goal -> its options; a third party's network (``path.py:Class``) says nothing of its data.
        dataset: spec of the data set.
    """
    asked = dataset.partition(":")[0]
    lines = []
    for goal, own in options.items():
        name = getattr(own, "task_network", None)
        file = None if name is None or is_foreign(name) else weights_file(name, folders("models"))
        known = "" if file is None else trained_on(file).partition(":")[0]
        if known not in ("", "none", asked):
            lines.append(
                f"warning: {goal} judges by task network '{name}', which was trained on '{known}', not on '{asked}': what it "
                f"says tells little of the pictures; see 'uncoded', or train one there with: hil train {name} "
                f"--dataset {dataset} --out DIR"
            )
    return lines
