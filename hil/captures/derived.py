"""What stands in an upgraded capture where a dataset of today's format would."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Derived", "Tree", "changed_text", "constant_text"]

Tree = dict[str, Any]
"""A group: groups are dictionaries, datasets are h5py's (not yet read) or `Derived`, attributes stand beside as `@name`."""


@dataclass(frozen=True, kw_only=True)
class Derived:
    """A dataset made of an older format's when it is read, and not before: with the face of h5py's.

    Attributes:
        dtype, shape: of what it reads as.
        read: selection -> array. Raises ValueError where the older dataset makes no sense.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    read: Callable[[Any], NDArray[Any]]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __getitem__(self, selection: Any) -> NDArray[Any]:
        return self.read(selection)


def constant_text(value: Any) -> Derived:
    """A JSON text that is known."""
    return _text(lambda: value)


def changed_text(dataset: Any, change: Callable[[Any], Any]) -> Derived:
    """A JSON text made of another; `change` takes any JSON value and hands on what it does not know."""
    return _text(lambda: change(json.loads(bytes(np.asarray(dataset[()]).reshape(-1)[0]).decode("utf-8"))))


def _text(value: Callable[[], Any]) -> Derived:
    def read(_: Any) -> NDArray[Any]:
        return np.array([json.dumps(value()).encode("utf-8")])

    return Derived(dtype=np.dtype("S"), shape=(1,), read=read)
