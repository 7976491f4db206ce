"""Bring captures of older versions up to today's, in memory, one step a version.

A capture is read into a tree (`hil.captures.derived.Tree`). A step changes a tree of version n into one of version n + 1 by
renaming, moving and replacing entries; the file is never written, and nothing of it is read before it is asked for. To bump
the format: raise `schema.VERSION`, add a step here, and keep small captures of the old version for the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from hil.captures.derived import Tree
from hil.captures.from_v1 import from_v1
from hil.captures.schema import VERSION, VERSION_ATTRIBUTE
from hil.errors import CaptureFormatError, UnsupportedVersionError

__all__ = ["STEPS", "Step", "upgrade"]

Step = Callable[[Tree, Path], Tree]

STEPS: Mapping[int, Step] = {1: from_v1}  # version n -> the step from n to n + 1


def upgrade(tree: Tree, path: Path, *, target: int = VERSION, steps: Mapping[int, Step] = STEPS) -> Tree:
    """Apply the steps from the tree's version to `target`.

    Args:
        tree: with the attribute `@hil_capture_version`.
        path: for messages.
        target: the version to reach.
        steps: version n -> the step from n to n + 1.

    Returns:
        a tree of version `target`.

    Raises:
        UnsupportedVersionError: the tree is newer than `target`.
        CaptureFormatError: it has no version, or one with no step upward.
    """
    found = tree.get("@" + VERSION_ATTRIBUTE)
    try:
        version = int(found)  # type: ignore[arg-type]
    except (TypeError, ValueError) as err:
        raise CaptureFormatError(f"{path} is HDF5, but no hil capture: it has no attribute {VERSION_ATTRIBUTE}") from err
    if version > target:
        raise UnsupportedVersionError(
            f"{path} is a capture of version {version}, this hil reads up to version {target}; upgrade hil"
        )
    for step in range(version, target):
        if step not in steps:
            raise CaptureFormatError(f"{path} is a capture of version {version}, and there is no way from {step} to {step + 1}")
        tree = steps[step](tree, path) | {"@" + VERSION_ATTRIBUTE: step + 1}
    return tree
