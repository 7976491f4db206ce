"""Tasks that are larger than a frame: cut into fragments that all occupy the same cells, each in a frame of its own.

Uses that the same transmitters share are dealt out evenly, so that every frame has the same segments. They are dealt in turns:
neighbours go to different frames. A picture's uses come map by map, and maps are not alike in power: a frame of one map each
would be as loud as that map, up to what a converter clips. A task's fate is that of its fragments: it is received when all of
them are.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

__all__ = ["Dealt", "assemble", "cut", "fragment_map", "fragments_needed"]


Dealt = Literal["blocks", "turns"]
"""How uses are dealt out to fragments."""


def fragments_needed(occupied: Tensor, most: int) -> int:
    """Fragments of a task whose frames may hold at most so many payload uses (or one of each set of transmitters, if more).

    Args:
        occupied: bool [tx, use].
        most: payload uses of a frame.
    """
    counts = [len(uses) for uses in _patterns(occupied)]
    fragments = max(1, math.ceil(sum(counts) / most))
    while sum(math.ceil(count / fragments) for count in counts) > most and fragments < max(counts):
        fragments += 1  # uses of each set are dealt out apart, so a place of some fragments may stay empty
    return fragments


def _patterns(occupied: Tensor) -> list[list[int]]:
    """Uses by the set of transmitters that share them, in the order of their first use; those of nobody are left out."""
    patterns: dict[tuple[bool, ...], list[int]] = {}
    for use in range(occupied.shape[1]):
        pattern = tuple(bool(value) for value in occupied[:, use])
        if any(pattern):
            patterns.setdefault(pattern, []).append(use)
    return list(patterns.values())


def fragment_map(occupied: Tensor, fragments: int, dealt: Dealt = "turns") -> Tensor:
    """Which use of the task rides where.

    Args:
        occupied: bool [tx, use].
        fragments: how many.
        dealt: ``turns``: use u of those that share transmitters to fragment u modulo `fragments`; ``blocks``: as many uses in a
            row to each, as captures have it that do not say.

    Returns:
        int64 [fragment, use of a fragment]; −1 where the last fragments have nothing to say. With one fragment every use, in
        order. Each place of a fragment is occupied by the same transmitters in all of them, and row 0 has no −1.
    """
    if fragments == 1:
        return torch.arange(occupied.shape[1])[None]
    parts = []
    for uses in _patterns(occupied):
        width = math.ceil(len(uses) / fragments)
        places = torch.full((fragments * width,), -1, dtype=torch.int64)
        places[: len(uses)] = torch.tensor(uses)
        parts.append(places.view(width, fragments).T if dealt == "turns" else places.view(fragments, width))
    return torch.cat(parts, dim=1)


def cut(values: Tensor, places: Tensor) -> Tensor:
    """Tasks' uses to fragments': [..., task, use] to [..., task · fragment, use of a fragment]; zero where nothing rides."""
    if len(places) == 1 and places.shape[1] == values.shape[-1]:
        return values
    found = values[..., places.clamp_min(0)] * (places >= 0).to(values.dtype)
    return found.flatten(-3, -2)


def assemble(values: Tensor, places: Tensor, uses: int) -> Tensor:
    """Fragments' uses back to tasks': [..., task · fragment, use of a fragment] to [..., task, use]; zero where none rode."""
    if len(places) == 1 and places.shape[1] == uses:
        return values
    parts = values.unflatten(-2, (-1, len(places)))
    whole = values.new_zeros(*parts.shape[:-2], uses)
    rides = places >= 0
    whole[..., places[rides]] = parts[..., rides]
    return whole
